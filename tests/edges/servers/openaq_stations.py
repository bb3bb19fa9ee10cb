"""The stations of the OpenAQ server: one for each way in which networks report."""

from dataclasses import dataclass
from datetime import datetime
from math import cos, pi
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Sensor:
    sensor_id: int
    parameter: str
    units: str
    level: float


@dataclass(frozen=True)
class Station:
    """Reports every `step` [min], its periods aligned with its own local hours."""

    location_id: int
    name: str
    latitude: float
    longitude: float
    timezone: str
    sensors: tuple[Sensor, ...]
    step: int = 60
    is_monitor: bool = True
    is_mobile: bool = False
    licence: str | None = "US Public Domain"
    last: str | None = None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


LOS_ANGELES = Station(
    7936,
    "Los Angeles - N. Main",
    34.0664,
    -118.2268,
    "America/Los_Angeles",
    (
        Sensor(25192, "o3", "ppm", 0.031),
        Sensor(25194, "no2", "ppm", 0.017),
        Sensor(25195, "co", "ppm", 0.4),
        Sensor(25196, "pm25", "µg/m³", 11.0),
        Sensor(25197, "bc", "µg/m³", 1.0),
    ),
)
KATHMANDU = Station(
    3459,
    "Embassy Kathmandu",
    27.738703,
    85.336206,
    "Asia/Kathmandu",
    (Sensor(7710, "pm25", "µg/m³", 60.0), Sensor(7713, "o3", "ppm", 0.02)),
)
LOW_COST = Station(
    1236017,
    "Dhathutole, Handigaun",
    27.727502,
    85.330135,
    "Asia/Kathmandu",
    (Sensor(6530219, "pm25", "µg/m³", 55.0), Sensor(8462430, "um003", "particles/cm³", 900.0)),
    step=20,
    is_monitor=False,
    licence="CC BY 4.0",
)
DELHI = Station(
    235,
    "Anand Vihar, Delhi - DPCC",
    28.647622,
    77.315809,
    "Asia/Kolkata",
    (
        Sensor(12234787, "pm25", "μg/m³", 120.0),  # Greek mu
        Sensor(12234784, "co", "mg/m³", 1.4),
        Sensor(12234790, "so2", "ppb", 5.0),
    ),
    step=15,
    licence=None,
)
DELHI_BUS = Station(
    999,
    "A bus",
    28.6,
    77.2,
    "Asia/Kolkata",
    (Sensor(9990, "pm25", "µg/m³", 150.0),),
    is_mobile=True,
)
CLOSED = Station(
    236,
    "Closed in 2020",
    28.6,
    77.3,
    "Asia/Kolkata",
    (Sensor(2360, "pm25", "µg/m³", 99.0),),
    last="2020-02-01T00:00:00Z",
)
STATIONS = (LOS_ANGELES, KATHMANDU, LOW_COST, DELHI, DELHI_BUS, CLOSED)


def raw_truth(sensor: Sensor, start: datetime) -> float:
    """Value of the sensor [its units] for the period that starts then."""
    daily = 1 + 0.4 * cos(2 * pi * (start.hour + start.minute / 60) / 24)
    return round(sensor.level * daily * (1 + start.timetuple().tm_yday % 7 / 10), 4)
