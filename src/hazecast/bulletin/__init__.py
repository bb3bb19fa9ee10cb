"""Bulletins: the next day at a place as HTML, plain text and CAP 1.2, in each language.

The modules are imported on first use: they need the libraries of alerts and plots, and commands and API start without.
"""

from enum import StrEnum


class BulletinFormat(StrEnum):
    """Formats of a bulletin."""

    TEXT = "text"
    HTML = "html"
    CAP = "cap"
