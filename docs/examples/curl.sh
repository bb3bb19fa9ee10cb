#!/bin/sh
# The API with curl: sh curl.sh [address] [station]
set -eu
api=${1:-http://127.0.0.1:8000}/api/v1
station=${2:-simulated-harbour}

# Is there something fresh to serve?
curl -fsS "$api/ready"
echo

# The next 72 hours of PM2.5 with the US index, as a spreadsheet.
curl -fsS "$api/stations/$station/forecast?pollutant=pm25&index=us-epa&format=csv"

# Today and tomorrow in words.
curl -fsS "$api/stations/$station/summary"
echo

# What 35.9 µg/m³ of PM2.5 over 24 hours means.
curl -fsS "$api/aqi" -H 'Content-Type: application/json' \
  -d '{"index": "us-epa", "readings": [{"pollutant": "pm25", "concentration": 35.9, "averaging": "24h"}]}'
echo

# Only what is new: 304 while the forecast is the same.
etag=$(curl -fsS -o /dev/null -D - "$api/stations/$station/forecast" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
curl -sS -o /dev/null -w '%{http_code}\n' -H "If-None-Match: $etag" "$api/stations/$station/forecast"
