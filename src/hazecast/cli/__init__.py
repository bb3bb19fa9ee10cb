"""The steps as commands, and the local stack."""

from hazecast.cli.commands import app

__all__ = ["app"]
