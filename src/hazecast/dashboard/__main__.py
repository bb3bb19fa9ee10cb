"""Starts the dashboard: python -m hazecast.dashboard [options of `streamlit run`].

Everything is imported before the server accepts visitors, so the first pages are as quick and as safe as later ones.
"""

import os
import sys

from streamlit.web import cli

from hazecast.dashboard import app
from hazecast.settings import load_settings


def main() -> None:
    """Serve until SIGTERM or SIGINT, at the address and path of the settings unless the options name others."""
    settings = load_settings()
    path = settings.dashboard_path.strip("/")
    # Streamlit alone would listen on every address. Its own variables, which the image sets, take precedence.
    os.environ.setdefault("STREAMLIT_SERVER_ADDRESS", settings.host)  # noqa: TID251 - read by Streamlit
    os.environ.setdefault("STREAMLIT_SERVER_PORT", str(settings.dashboard_port))  # noqa: TID251 - read by Streamlit
    options = ("--server.headless", "true", "--browser.gatherUsageStats", "false")
    below = ("--server.baseUrlPath", path) if path else ()
    sys.argv = ["streamlit", "run", app.__file__, *options, *below, *sys.argv[1:]]
    cli.main(prog_name="streamlit")


if __name__ == "__main__":
    main()
