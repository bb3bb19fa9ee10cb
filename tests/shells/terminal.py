"""The command line as a user sees it."""

import re

from typer.testing import CliRunner, Result

from hazecast.cli import app

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def invoke(*arguments: str) -> Result:
    """The result of `hazecast` with these arguments, run in this process."""
    return CliRunner().invoke(app, list(arguments))


def output_of(result: Result) -> str:
    """The output without colours."""
    return _ANSI.sub("", result.output)
