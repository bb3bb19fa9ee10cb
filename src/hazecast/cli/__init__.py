"""The command line: one command per step, the local stack, and what operators need."""

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


# In the order of the help.
app.command()(commands.up)
app.command()(commands.run)
app.command()(commands.collect)
app.command("import", help=importing.HELP)(importing.import_)
app.command()(inspect.inspect)
app.command()(commands.train)
app.command()(commands.forecast)
app.command()(commands.verify)
app.command()(commands.monitor)
app.command()(commands.alerts)
app.command()(commands.compact)
app.command()(commands.migrate)
app.command()(commands.bulletin)
app.command()(commands.status)
app.command()(commands.doctor)
app.command()(commands.backup)
app.command()(commands.restore)
app.command()(commands.repair)
app.command()(commands.places)
app.command()(commands.discover)
app.command()(commands.models)
app.command()(commands.promote)
app.command()(commands.rollback)
app.add_typer(backtest.app, name="backtest")
app.command()(commands.replay)
app.command()(index.index)
app.command()(commands.serve)
app.add_typer(keys.app, name="api-key")
app.command("queue-depth")(commands.queue_depth)
app.command()(commands.publish)
app.command()(commands.version)
