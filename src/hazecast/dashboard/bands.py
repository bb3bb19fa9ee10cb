"""Bands of an air-quality index: translated names and colours that colour-blind people can distinguish."""

from hazecast.api import schemas
from hazecast.dashboard.context import PageContext

NO_BAND_COLOUR = "#9e9e9e"


def band_name(context: PageContext, hour: schemas.HourIndex | None) -> str:
    """The band's name, a key of `band_colours`."""
    if context.index is None or hour is None or hour.band is None:
        return context.t("now.no_band")
    return context.language.band(context.index.index, hour.band)


def band_label(context: PageContext, hour: schemas.HourIndex | None) -> str:
    """The band's name, followed by the value if the index has values ("Moderate, 72")."""
    name = band_name(context, hour)
    return name if hour is None or hour.band is None or hour.value is None else f"{name}, {hour.label}"


def band_colours(context: PageContext) -> dict[str, str]:
    """The colour of every band and of a missing band, by name."""
    index = context.index
    colours = (
        {context.language.band(index.index, band.name): band.colour_blind_safe for band in index.bands} if index else {}
    )
    return {**colours, context.t("now.no_band"): NO_BAND_COLOUR}
