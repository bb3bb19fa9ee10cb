"""Every country's own index, from concentrations alone: `INDICES` by name, `find_index` by name and version.

result = INDICES["us-epa"].evaluate([Reading(Pollutant.PM25, "24h", 35.9)])
result = INDICES["eu-eaqi"].from_hourly(hourly, at)
"""

from hazecast.air.indices.ca_aqhi import CA_AQHI
from hazecast.air.indices.cn_hj633 import CN_2012, CN_2026
from hazecast.air.indices.engine import Index
from hazecast.air.indices.eu_eaqi import EU_EAQI, EU_EAQI_2017, EU_EAQI_OLD
from hazecast.air.indices.fi_hsy import FI_HSY
from hazecast.air.indices.in_naqi import IN_NAQI
from hazecast.air.indices.result import INSUFFICIENT, OK, SUB_INDEX, Band, IndexResult, Reading, SubIndex
from hazecast.air.indices.uk_daqi import UK_DAQI
from hazecast.air.indices.us_epa import US_EPA
from hazecast.errors import NotKnown

__all__ = ["EDITIONS", "INDICES", "INSUFFICIENT", "OK", "SUB_INDEX"]
__all__ += ["Band", "Index", "IndexResult", "Reading", "SubIndex", "find_index"]

_CURRENT = (US_EPA, EU_EAQI, UK_DAQI, IN_NAQI, CN_2012, CN_2026, CA_AQHI, FI_HSY)

INDICES: dict[str, Index] = {index.name: index for index in _CURRENT}
EDITIONS: tuple[Index, ...] = (*_CURRENT, EU_EAQI_OLD, EU_EAQI_2017)


def find_index(name: str, version: str | None = None) -> Index:
    """The index called `name`, in its present or the given version.

    Raises:
        NotKnown: no such index or version; the message lists what there is.
    """
    if name not in INDICES:
        raise NotKnown("index", name, list(INDICES))
    if version is None:
        return INDICES[name]
    editions = {index.version: index for index in EDITIONS if index.name == name}
    if version not in editions:
        raise NotKnown(f"version of {name}", version, list(editions))
    return editions[version]
