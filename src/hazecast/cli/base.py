"""What every command shares: consoles, error handling, options, and the wiring of its settings.

A command is a plain function with annotated options; `cli/__init__.py` registers it. Only typer, Rich and the
light modules of `hazecast` are imported at the top of a module with commands. The rest is imported inside the commands,
so that `hazecast --help` starts at once.

Exit codes: 0 success, 1 the command failed, 2 the command line is wrong.
"""

import errno
import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from hazecast.air.clock import as_iso
from hazecast.errors import HazecastError, NotKnown, SettingsError, UsageError

if TYPE_CHECKING:
    from hazecast.wiring import Wiring

FAILURE, USAGE = 1, 2
_NOT_WRITABLE = "let this user write there, or set HAZECAST_HOME to another folder"
_FULL = "free some space, or set HAZECAST_HOME to another disk; what is stored stays as it was"
# States of the machine, not defects of the code.
_REMEDIES = {
    errno.EACCES: _NOT_WRITABLE,
    errno.EPERM: _NOT_WRITABLE,
    errno.EROFS: _NOT_WRITABLE,
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
}

# In a pipe lines and tables are as wide as their content, up to this.
_PIPE_COLUMNS = 240


def _console(*, stderr: bool = False) -> Console:
    found = Console(stderr=stderr)
    is_free = not found.is_terminal and "COLUMNS" not in os.environ  # noqa: TID251 - the terminal's, not a setting
    return Console(stderr=stderr, width=_PIPE_COLUMNS) if is_free else found


console, err_console = _console(), _console(stderr=True)

Source = Annotated[
    str | None, typer.Option(help="simulated, files or auto.", show_default="HAZECAST_SOURCE or auto", metavar="NAME")
]
Data = Annotated[Path | None, typer.Option(help="Dataset folder for the source files (docs/data.md).", metavar="DIR")]
Now = Annotated[str | None, typer.Option(help="Act as if it were this UTC time: 2016-06-01T00:00Z.", metavar="TIME")]
Place = Annotated[
    str | None, typer.Option(help="A place of `hazecast places`.", show_default="HAZECAST_PLACE", metavar="NAME")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
ModelParameters = Annotated[
    list[str] | None,
    typer.Option("--set", help="Model parameter of this training: trees.rounds=80. Repeatable.", metavar="NAME=VALUE"),
]


def echo_json(content: object) -> None:
    """Print `content` as JSON."""
    typer.echo(as_json_text(content))


def as_json_text(content: object) -> str:
    """`content` as JSON; times as ISO 8601 in UTC, paths as text."""

    def written(value: object) -> str:
        return as_iso(value) if isinstance(value, datetime) else str(value)

    return json.dumps(content, default=written, ensure_ascii=False, indent=2)


def new_table(*columns: str, title: str = "", whole: Sequence[str] = ()) -> Table:
    """A table that folds what is too wide for the terminal, except in the columns `whole`; nothing is cut."""
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        longest_word = max(map(len, column.split()))
        table.add_column(column, overflow="fold", min_width=longest_word, no_wrap=column in whole)
    return table


class Commands(TyperGroup):
    """The root group: an error that a person can act on is one line on stderr and exit code 1; a bug is a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command of this context."""
        try:
            return super().invoke(ctx)
        except HazecastError as err:
            _print_error(str(err))
            raise typer.Exit(USAGE if isinstance(err, (UsageError, NotKnown)) else FAILURE) from err
        except OSError as err:
            if err.errno not in _REMEDIES:
                raise
            where = f": {err.filename}" if err.filename else ""
            _print_error(f"{err.strerror}{where}; {_REMEDIES[err.errno]}")
            raise typer.Exit(FAILURE) from err
        except ModuleNotFoundError as err:
            from hazecast.extras import remedy_for

            remedy = remedy_for(err.name or "")
            if remedy is None:
                raise
            _print_error(f"this command needs {err.name}, which is not installed: {remedy}")
            raise typer.Exit(FAILURE) from err


def _print_error(message: str) -> None:
    err_console.print(f"[bold red]error:[/bold red] {escape(message)}", soft_wrap=True, highlight=False)


def wire(
    source: str | None = None,
    data: Path | None = None,
    now: str | None = None,
    place: str | None = None,
    model_parameters: Sequence[str] | None = None,
    **settings_overrides: object,
) -> "Wiring":
    """The parts for these options; the environment supplies what is None. Creates the home folder.

    Model parameters ("trees.rounds=80") are added to those of the environment.

    Raises:
        SettingsError: a setting is wrong, or the home folder cannot be created.
    """
    from hazecast.logs import configure_logs
    from hazecast.settings import load_settings
    from hazecast.wiring import Wiring

    source = source or ("files" if data else None)
    settings = load_settings(source=source, data=data, now=now, place=place, **settings_overrides)
    if model_parameters:
        joined = ",".join([settings.model_parameters, *model_parameters])
        settings = settings.model_copy(update={"model_parameters": joined})
    configure_logs(settings.log_format)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise SettingsError(
            f"{settings.home} cannot be created ({err.strerror}); set HAZECAST_HOME to another folder"
        ) from err
    return Wiring(settings)
