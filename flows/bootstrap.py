"""Made before Prefect is imported: no telemetry, longer timeouts, login, output detached from the worker."""

import os

from stdio import detach_stdio

from hazecast.credentials import known_prefect_login
from hazecast.settings import load_settings

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Without a server Prefect starts an ephemeral one for the run; its default of 20 s is too short on two cores.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
# A run waits four minutes for a restarting server instead of one; its results are stored either way.
os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "7")
# Prefect reads neither `.env` of another folder nor the files of secrets.
_settings = load_settings()
_logins = {
    "PREFECT_API_AUTH_STRING": known_prefect_login(_settings),
    "PREFECT_API_KEY": _settings.prefect_api_key.get_secret_value(),
}
for _name, _value in _logins.items():
    if _value:
        os.environ.setdefault(_name, _value)
# Set in processes that a worker starts.
if "PREFECT__FLOW_RUN_ID" in os.environ:
    detach_stdio()
