"""The next 24 hours of a station with the Python client: python forecast.py [address] [station]."""

import sys

from hazecast import Client

address = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
station = sys.argv[2] if len(sys.argv) > 2 else "simulated-harbour"

with Client(address) as api:
    forecast = api.forecast(station, "pm25", index="us-epa")
    print(f"issued {forecast.issued_at:%Y-%m-%d %H:%M} UTC by model {forecast.model_version}: {forecast.status}")
    for hour in forecast.hours[:24]:
        print(f"{hour.valid_at:%H:%M}  {hour.q50:6.1f} µg/m³ ({hour.q10:.0f} to {hour.q90:.0f})  {hour.index.band}")
    for day in api.summary(station).days:
        print(day.day, day.index.band, "; ".join(one.words for one in day.pollutants))
