"""Places as data: which stations, pollutants, sources, timezone and index belong together (`config/*.yaml`)."""

from hazecast.paths import SHIPPED
from hazecast.places.folder import find_place, list_places, read_place, write_place
from hazecast.places.place import Place, WeatherChoice

__all__ = ["SHIPPED", "Place", "WeatherChoice", "find_place", "list_places", "read_place", "write_place"]
