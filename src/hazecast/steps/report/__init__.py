"""The report of a backtest: verified, told in tables and figures, laid out as a page."""

from hazecast.steps.report.page import page
from hazecast.steps.report.sections import Section, sections
from hazecast.steps.report.summary import Report, report_on

__all__ = ["Report", "Section", "page", "report_on", "sections"]
