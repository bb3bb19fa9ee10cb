"""Forecasts: baselines, the trained forecaster, and the backtest that judges them on the past."""

from hazecast.models.forecaster import Forecaster, fit

__all__ = ["Forecaster", "fit"]
