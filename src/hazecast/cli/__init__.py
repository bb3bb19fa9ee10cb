"""The command line: one command per step, the local stack, and what operators need."""

from collections.abc import Callable

import typer

from hazecast.cli import backtest, base, commands, importing, index, inspect, keys

__all__ = ["app"]

app = typer.Typer(cls=base.Commands, no_args_is_help=True, rich_markup_mode="rich")


@app.callback()
def _hazecast() -> None:
    """Self-hosted air-pollution forecasting: hourly, calibrated, up to five days ahead.

    Start with [bold]hazecast up[/bold]: the whole pipeline once, then the dashboard.

    The single steps, in order:
    [bold]collect[/bold] fetches, checks and stores observations.
    [bold]train[/bold] fits a model, validates it and promotes it if it is better.
    [bold]forecast[/bold] issues the next forecast.
    [bold]status[/bold] shows what is stored.
    [bold]doctor[/bold] shows what is wrong and how to fix it.

    Every setting is an environment variable; .env.example lists them.
    All local state is under HAZECAST_HOME.
    """


_PANELS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {
    "Start": {"up": commands.up, "run": commands.run, "doctor": commands.doctor, "serve": commands.serve},
    "Data": {
        "places": commands.places,
        "discover": commands.discover,
        "import": importing.import_,
        "inspect": inspect.inspect,
        "collect": commands.collect,
    },
    "Forecasts": {
        "forecast": commands.forecast,
        "bulletin": commands.bulletin,
        "status": commands.status,
        "verify": commands.verify,
        "index": index.index,
    },
    "Models": {
        "train": commands.train,
        "models": commands.models,
        "promote": commands.promote,
        "rollback": commands.rollback,
        "backtest": backtest.app,
        "replay": commands.replay,
    },
    "Operation": {
        "monitor": commands.monitor,
        "alerts": commands.alerts,
        "api-key": keys.app,
        "backup": commands.backup,
        "restore": commands.restore,
        "repair": commands.repair,
        "compact": commands.compact,
        "migrate": commands.migrate,
        "queue-depth": commands.queue_depth,
        "publish": commands.publish,
        "version": commands.version,
    },
}
_HELP = {"import": importing.HELP}

for _panel, _commands in _PANELS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, help=_HELP.get(_name), rich_help_panel=_panel)(_command)
