"""`hazecast api-key`: who may ask the API, and how often."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from hazecast.errors import SettingsError
from hazecast.keys import DEFAULT_PER_MINUTE, SCOPES, add_key, read_keys, revoke_key
from hazecast.settings import load_settings

console = Console()

Name = Annotated[str, typer.Argument(help="Whose key it is; stands in the access log.", metavar="NAME")]
Scope = Annotated[list[str], typer.Option("--scope", help=f"{', '.join(SCOPES)}; repeat it.", metavar="WORD")]
PerMinute = Annotated[int, typer.Option(min=1, help="Requests allowed in a minute, per API process.")]


def group(explains: Callable[..., Any]) -> typer.Typer:
    """The commands of `hazecast api-key`."""
    keys = typer.Typer(
        no_args_is_help=True,
        help="Make, list and revoke keys to the API. They are asked for once HAZECAST_API_KEYS names their file.",
    )
    keys.command("add")(explains(add))
    keys.command("list")(explains(list_keys))
    keys.command("revoke")(explains(revoke))
    return keys


def add(name: Name, scope: Scope = ["read"], per_minute: PerMinute = DEFAULT_PER_MINUTE) -> None:  # noqa: B006 - typer's way
    """Make a key and print it once; only its hash is kept.

    [bold]HAZECAST_API_KEYS=keys.json hazecast api-key add city-app --scope read --scope predict[/bold]
    """
    typer.echo(add_key(_file(), name, scopes=scope, per_minute=per_minute))


def list_keys() -> None:
    """Show whose keys there are and what they may do."""
    table = Table("name", "scopes", "per minute")
    for key in read_keys(_file()).values():
        table.add_row(key.name, ", ".join(key.scopes), str(key.per_minute))
    console.print(table)


def revoke(name: Name) -> None:
    """Take a key away; a running API notices within seconds."""
    revoke_key(_file(), name)


def _file() -> Path:
    file = load_settings().api_keys
    if file is None:
        raise SettingsError("HAZECAST_API_KEYS names no file; set it, for the API too: HAZECAST_API_KEYS=keys.json")
    return file
