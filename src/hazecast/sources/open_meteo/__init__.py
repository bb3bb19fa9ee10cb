"""Open-Meteo: weather forecasts as they were issued, and CAMS air quality as what it is, a model."""

from hazecast.sources.open_meteo.api import PUBLIC_URL, OpenMeteo
from hazecast.sources.open_meteo.cams import CamsForecast, is_in_europe
from hazecast.sources.open_meteo.source import OpenMeteoSource
from hazecast.sources.open_meteo.weather import OpenMeteoWeather

__all__ = ["PUBLIC_URL", "CamsForecast", "OpenMeteo", "OpenMeteoSource", "OpenMeteoWeather", "is_in_europe"]
