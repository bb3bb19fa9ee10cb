"""The steps as commands, and the local stack."""

from typing import Any

import typer
from typer.core import TyperGroup

from hazecast.cli import index

__all__ = ["app"]


class _Commands(TyperGroup):
    """All commands; `index` only computes, and does not wait for what the others bring along."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command called so."""
        if cmd_name not in self.commands:
            self._load()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the help."""
        self._load()
        return super().list_commands(ctx)

    def _load(self) -> None:
        from hazecast.cli.commands import app as everything

        loaded = typer.main.get_command(everything)
        assert isinstance(loaded, TyperGroup)
        self.commands = loaded.commands


app = typer.Typer(cls=_Commands, no_args_is_help=True, rich_markup_mode="rich")
app.command()(index.index)


@app.callback()
def _hazecast() -> None:
    """Air-pollution forecasting you run yourself: hourly, calibrated, 72 hours ahead.

    Start with [bold]hazecast up[/bold]: it runs the whole pipeline once and brings up the dashboard. The single steps,
    in order: [bold]collect[/bold] (fetch, check, store), [bold]train[/bold] (fit, judge, promote if earned),
    [bold]forecast[/bold] (issue 72 hours). [bold]status[/bold] shows what is there, [bold]doctor[/bold] what is wrong.

    Every setting is an environment variable HAZECAST_…; see .env.example. All local state is under HAZECAST_HOME.
    """
