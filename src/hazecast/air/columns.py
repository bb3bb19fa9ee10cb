"""Columns that several tables share."""

import dataframely as dy


def utc(*, primary_key: bool = False, nullable: bool = False) -> dy.Datetime:
    """A time, UTC, to the microsecond."""
    return dy.Datetime(time_unit="us", time_zone="UTC", primary_key=primary_key, nullable=nullable)


def one_of(words: tuple[str, ...], *, primary_key: bool = False) -> dy.String:
    """One of these words."""
    return dy.String(primary_key=primary_key, check={"known_word": lambda column: column.is_in(list(words))})


def amount(*, nullable: bool = False) -> dy.Float64:
    """A number ≥ 0: finite."""
    return dy.Float64(nullable=nullable, min=0, allow_nan=False, allow_inf=False)


def count(*, nullable: bool = False) -> dy.Int64:
    """A whole number ≥ 0."""
    return dy.Int64(nullable=nullable, min=0)


def concentration() -> dy.Float64:
    """A concentration [µg/m³]: finite, never absent; small negatives are instrument noise."""
    return dy.Float64(nullable=False, allow_inf=False, allow_nan=False)
