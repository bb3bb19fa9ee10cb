"""Hazecast: self-hosted air-pollution forecasting, calibrated and verified."""

__version__ = "0.1.0"
