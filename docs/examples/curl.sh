#!/bin/sh
# The API with curl: sh curl.sh [address] [station]
set -eu
api=${1:-http://127.0.0.1:8000}/api/v1
station=${2:-simulated-harbour}

# Readiness: is there a recent forecast?
curl -fsS "$api/ready"
echo

# The forecast of PM2.5 with the US index, as a spreadsheet.
curl -fsS "$api/stations/$station/forecast?pollutant=pm25&index=us-epa&format=csv"

# The days ahead in words.
curl -fsS "$api/stations/$station/summary"
echo

# The index of 35.9 µg/m³ of PM2.5 over 24 hours.
curl -fsS "$api/aqi" -H 'Content-Type: application/json' \
  -d '{"index": "us-epa", "readings": [{"pollutant": "pm25", "concentration": 35.9, "averaging": "24h"}]}'
echo

# A conditional request: 304 while the forecast is unchanged.
etag=$(curl -fsS -o /dev/null -D - "$api/stations/$station/forecast" | tr -d '\r' | sed -n 's/^[Ee][Tt]ag: //p')
curl -sS -o /dev/null -w '%{http_code}\n' -H "If-None-Match: $etag" "$api/stations/$station/forecast"
