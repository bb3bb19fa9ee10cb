"""Definitions of the field: pollutants, limits, units, tables and indices. No clock, no network, no files."""
