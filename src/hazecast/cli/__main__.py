"""`python -m hazecast.cli` is `hazecast`."""

from hazecast.cli import app

app()
