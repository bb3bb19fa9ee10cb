"""The command line as a person sees it."""

import re

from typer.testing import CliRunner, Result

from hazecast.cli import app

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def hazecast_says(*arguments: str) -> Result:
    """What became of `hazecast` with these arguments, run in this process."""
    return CliRunner().invoke(app, list(arguments))


def said(result: Result) -> str:
    """What stood on the screen, without colours."""
    return _ANSI.sub("", result.output)
