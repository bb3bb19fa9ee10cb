// The next 24 hours of a station in JavaScript (Node 18 or newer, or a browser): node forecast.mjs [address] [station]
const [address = "http://127.0.0.1:8000", station = "simulated-harbour"] = globalThis.process?.argv.slice(2) ?? [];

const url = `${address}/api/v1/stations/${encodeURIComponent(station)}/forecast?pollutant=pm25&index=us-epa`;
const response = await fetch(url);
const forecast = await response.json();
if (!response.ok) throw new Error(`${forecast.title}: ${forecast.detail}`);

console.log(`issued ${forecast.issued_at} by model ${forecast.model_version}: ${forecast.status}`);
for (const hour of forecast.hours.slice(0, 24)) {
  console.log(hour.valid_at, `${hour.q50.toFixed(1)} µg/m³`, `(${hour.q10.toFixed(0)} to ${hour.q90.toFixed(0)})`, hour.index.band);
}
