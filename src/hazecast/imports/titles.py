"""The formats of `hazecast import` in one line each. Light, so that the command line can list them at once."""

TITLES = {
    "eea": "European Environment Agency: Parquet of the download service, or CSV (E1a, E2a)",
    "uk-air": "UK-AIR (AURN): CSV with its preamble, or a CSV written by openair",
    "aqs": "US EPA AirData: hourly_88101_2023.csv or .zip",
    "airnow": "US EPA AirNow: HourlyData_2023010100.dat, or CSV of the API",
    "openaq": "OpenAQ: location-2178-20230101.csv.gz of the archive, or CSV of the explorer",
    "prsa": "UCI Beijing Multi-Site Air-Quality Data: PRSA_Data_Aotizhongxin_20130301-20170228.csv",
    "cnemc": "China: china_sites_20230101.csv, a day of all stations",
    "cpcb": "India: CSV of a station from CPCB, hourly or every 15 minutes",
    "sensor-community": "Sensor.Community archive: 2023-01-01_sds011_sensor_88091.csv",
    "purpleair": "PurpleAir history CSV; PM2.5 corrected with the US EPA equation, which needs the humidity",
}
ALIASES = {"aurn": "uk-air", "openair": "uk-air", "airdata": "aqs", "uci": "prsa", "luftdaten": "sensor-community"}
AUTO = "auto"
