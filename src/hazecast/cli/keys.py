"""`hazecast api-key`: the keys that admit clients to the API."""

from pathlib import Path
from typing import Annotated

import typer

from hazecast.cli.base import AsJson, console, echo_json, new_table
from hazecast.errors import SettingsError
from hazecast.keys import DEFAULT_PER_MINUTE, SCOPES, add_key, read_keys, revoke_key

Name = Annotated[str, typer.Argument(help="The client that gets the key; recorded in the access log.", metavar="NAME")]
Scope = Annotated[list[str], typer.Option("--scope", help=f"{', '.join(SCOPES)}; repeat it.", metavar="WORD")]
PerMinute = Annotated[int, typer.Option(min=1, help="Requests allowed per minute and API process.")]


app = typer.Typer(
    no_args_is_help=True,
    help="Create, list and revoke keys to the API. The API requires a key once HAZECAST_API_KEYS names their file.",
)


@app.command()
def add(name: Name, scope: Scope = ["read"], per_minute: PerMinute = DEFAULT_PER_MINUTE) -> None:  # noqa: B006 - typer's way
    """Create a key and print it once; only its hash is stored.

    [bold]HAZECAST_API_KEYS=keys.json hazecast api-key add city-app --scope read --scope predict[/bold]
    """
    typer.echo(add_key(_file(), name, scopes=scope, per_minute=per_minute))


@app.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys with their scopes and rate limits."""
    if as_json:
        kept = read_keys(_file()).values()
        echo_json([{"name": key.name, "scopes": key.scopes, "per_minute": key.per_minute} for key in kept])
        return
    table = new_table("name", "scopes", "per minute")
    for key in read_keys(_file()).values():
        table.add_row(key.name, ", ".join(key.scopes), str(key.per_minute))
    console.print(table)


@app.command()
def revoke(name: Name) -> None:
    """Revoke a key. A running API applies it within seconds."""
    revoke_key(_file(), name)


def _file() -> Path:
    from hazecast.settings import load_settings

    file = load_settings().api_keys
    if file is None:
        raise SettingsError("HAZECAST_API_KEYS names no file; set it, for the API too: HAZECAST_API_KEYS=keys.json")
    return file
