"""SILAM, the dispersion model of the Finnish Meteorological Institute."""

from hazecast.sources.open_meteo import is_in_europe
from hazecast.sources.provider import Background, Provider
from hazecast.sources.silam.forecast import SilamForecast

__all__ = ["PROVIDER", "SilamForecast"]

PROVIDER = Provider(
    name="silam",
    title="SILAM",
    backgrounds={
        "silam": Background(
            build=lambda services: SilamForecast(services.client, url=services.setting("fmi_url")), covers=is_in_europe
        )
    },
)
