"""Bulletins: the next day at a place as HTML, plain text and CAP 1.2, in each language."""

from hazecast.bulletin.cap import as_cap
from hazecast.bulletin.content import Bulletin, make_bulletin
from hazecast.bulletin.render import as_html, as_text

__all__ = ["Bulletin", "as_cap", "as_html", "as_text", "make_bulletin"]
