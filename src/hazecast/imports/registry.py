"""The formats by name; a new one is a file and a row here and in `titles.py`."""

from hazecast.imports import (
    airnow,
    aqs,
    cnemc,
    cpcb,
    eea,
    openaq,
    prsa,
    purpleair,
    sensor_community,
    uk_air,
)
from hazecast.imports.formats import Format

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT
    for module in (eea, uk_air, aqs, airnow, openaq, prsa, cnemc, cpcb, sensor_community, purpleair)
}
