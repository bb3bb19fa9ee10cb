"""Small files in the layouts that networks publish, made for the tests; each layout's source is named with it.

The air is the same in every file: PM2.5 in the hour `n` of 2 January 2024 UTC is 10 + n % 7 ug/m3 and NO2 20 + n % 5.
"""

import gzip
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

START = datetime(2024, 1, 2, tzinfo=UTC)
HOURS = 30


def pm25(number: int) -> float:
    """In the hour `number` [ug/m3]."""
    return 10.0 + number % 7


def no2(number: int) -> float:
    """In the hour `number` [ug/m3]."""
    return 20.0 + number % 5


def hours(offset_hours: float = 0.0, *, ending: bool = False) -> Iterator[tuple[int, datetime]]:
    """Numbers and local times of the hours, named by their start or end."""
    for number in range(HOURS):
        yield number, START + timedelta(hours=number + offset_hours + ending)


def eea_parquet(folder: Path) -> list[Path]:
    """EEA download service: columns and types as it delivers them; naive UTC+1."""
    paths = []
    for pollutant, code, value in (("PM2", 6001, pm25), ("NO2", 8, no2)):
        rows = [
            {
                "Samplingpoint": f"DE/SPO.DE_DEBB021_{pollutant}_dataGroup1",
                "Pollutant": code,
                "Start": at.replace(tzinfo=None),
                "End": at.replace(tzinfo=None) + timedelta(hours=1),
                "Value": value(number),
                "Unit": "ug.m-3",
                "AggType": "hour",
                "Validity": 1,
                "Verification": 1,
                "ResultTime": datetime(2024, 9, 1),
                "DataCapture": None,
                "FkObservationLog": "5d0c0e5e-0000-0000-0000-000000000000",
            }
            for number, at in hours(1)
        ]
        rows.append(
            {**rows[-1], "Start": rows[-1]["End"], "End": datetime(2024, 1, 3, 8), "Value": -999.0, "Validity": -1}
        )
        path = folder / f"SPO.DE_DEBB021_{pollutant}_dataGroup1.parquet"
        frame = pl.DataFrame(
            rows, schema_overrides={"Pollutant": pl.Int32, "Validity": pl.Int32, "DataCapture": pl.Float64}
        )
        frame.with_columns(pl.col("Start", "End").cast(pl.Datetime("ns"))).write_parquet(path)
        paths.append(path)
    return paths


def eea_e1a(folder: Path) -> list[Path]:
    """EEA validated data before 2024: DE_8_5012_2019_timeseries.csv."""
    head = (
        "Countrycode,Namespace,AirQualityNetwork,AirQualityStation,AirQualityStationEoICode,SamplingPoint,"
        "SamplingProcess,Sample,AirPollutant,AirPollutantCode,AveragingTime,Concentration,UnitOfMeasurement,"
        "DatetimeBegin,DatetimeEnd,Validity,Verification"
    )
    lines = [head]
    for name, code, value in (("PM2.5", 6001, pm25), ("NO2", 8, no2)):
        for number, at in hours(1):
            lines.append(
                f"DE,DE.UBA.AQD,NET.DE_BB,STA.DE_DEBB021,DEBB021,SPO.DE_DEBB021_{name},SPP,SAM,{name},"
                f"http://dd.eionet.europa.eu/vocabulary/aq/pollutant/{code},hour,{value(number):.10f},µg/m3,"
                f"{at:%Y-%m-%d %H:%M:%S} +01:00,{at + timedelta(hours=1):%Y-%m-%d %H:%M:%S} +01:00,1,1"
            )
    lines.append(lines[-1].replace(",hour,", ",day,"))
    return [_write(folder / "DE_2024_timeseries.csv", lines, encoding="utf-16")]


def eea_e2a(folder: Path) -> list[Path]:
    """EEA up-to-date data before 2024: AirQualityUTDExport."""
    head = (
        "network_countrycode,network_localid,network_name,network_namespace,network_timezone,pollutant,"
        "samplingpoint_localid,samplingpoint_namespace,samplingpoint_x,samplingpoint_y,coordsys,station_code,"
        "station_localid,station_name,station_namespace,value_datetime_begin,value_datetime_end,"
        "value_datetime_inserted,value_datetime_updated,value_numeric,value_validity,value_verification,"
        "station_altitude,value_unit"
    )
    lines = [head]
    for name, value, unit in (("PM2.5", pm25, "ug.m-3"), ("NO2", no2, "ug.m-3"), ("CO", lambda _: 0.2, "mg.m-3")):
        for number, at in hours(1):
            lines.append(
                f"FR,NET,Atmo,FR.LCSQA,http://dd.eionet.europa.eu/vocabulary/aq/timezone/UTC+01,{name},SPO-FR04012_{name},"
                f"FR.LCSQA,2.35,48.86,EPSG:4979,FR04012,FR04012,Paris Centre,FR.LCSQA,{at:%Y-%m-%d %H:%M:%S}+01:00,"
                f"{at + timedelta(hours=1):%Y-%m-%d %H:%M:%S}+01:00,,,{value(number)},1,3,35,{unit}"
            )
    return [_write(folder / "FR_latest.csv", lines)]


def uk_air(folder: Path) -> list[Path]:
    """UK-AIR data archive, flat file of a site and year: hour ending, GMT, 24:00."""
    lines = [
        "Data supplied by UK-AIR on 1/2/2024",
        "All Data GMT hour ending  ",
        "Status: R =Ratified P=Provisional,P*=As supplied",
        ",,London Bloomsbury,,,,,,,",
        "Date,time,Nitrogen dioxide,status,unit,PM<sub>2.5</sub> particulate matter (Hourly measured),status,unit,"
        "Nitric oxide,status,unit",
    ]
    for number, at in hours(0, ending=True):
        hour = "24:00" if at.hour == 0 else f"{at:%H:%M}"
        day = at - timedelta(days=1) if at.hour == 0 else at
        status = "S" if number == 5 else "R"
        lines.append(f"{day:%d-%m-%Y},{hour},{no2(number)},{status},ugm-3,{pm25(number)},P*,ugm-3,3.1,R,ugm-3")
    return [_write(folder / "CLL2_2024.csv", lines)]


def openair(folder: Path) -> list[Path]:
    """write.csv(importUKAQ("my1", 2024, meta = TRUE)): hour beginning, GMT; R writes midnight as a date."""
    lines = [
        '"source","site","code","date","co","nox","no2","pm2.5","ws","wd","air_temp","site_type","latitude","longitude"'
    ]
    for number, at in hours():
        when = f"{at:%Y-%m-%d}" if at.hour == 0 else f"{at:%Y-%m-%d %H:%M:%S}"
        lines.append(
            f'"aurn","London Marylebone Road","MY1",{when},0.3,90,{no2(number)},{pm25(number)},3.5,270,8.5,'
            '"Urban Traffic",51.52253,-0.154611'
        )
    return [_write(folder / "my1.csv", lines)]


def aqs(folder: Path) -> list[Path]:
    """US EPA AirData hourly_88101_2024.zip: GMT and local time, several monitors (POC), null-data qualifiers."""
    head = (
        '"State Code","County Code","Site Num","Parameter Code","POC","Latitude","Longitude","Datum","Parameter Name",'
        '"Date Local","Time Local","Date GMT","Time GMT","Sample Measurement","Units of Measure","MDL","Uncertainty",'
        '"Qualifier","Method Type","Method Code","Method Name","State Name","County Name","Date of Last Change"'
    )
    paths = []
    for code, name, unit, value in (
        ("88101", "PM2.5 - Local Conditions", "Micrograms/cubic meter (LC)", pm25),
        ("42602", "Nitrogen dioxide (NO2)", "Parts per billion", lambda number: no2(number) / 1.9125),
    ):
        lines = [head]
        for number, at in hours():
            local = at - timedelta(hours=8)
            measured, qualifier = ("", '"AN - Machine Malfunction."') if number == 3 else (f"{value(number):.6f}", '""')
            for poc in (1, 2) if number < 3 else (1,):
                lines.append(
                    f'"06","037","1103","{code}",{poc},34.06659,-118.22688,"WGS84","{name}","{local:%Y-%m-%d}",'
                    f'"{local:%H:%M}","{at:%Y-%m-%d}","{at:%H:%M}",{measured},"{unit}",2,"",{qualifier},"FEM","170",'
                    '"Met One BAM-1020","California","Los Angeles","2024-04-01"'
                )
        path = folder / f"hourly_{code}_2024.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"hourly_{code}_2024.csv", "\n".join(lines))
        paths.append(path)
    return paths


def airnow(folder: Path) -> list[Path]:
    """US EPA AirNow HourlyData_YYYYMMDDHH.dat (HourlyDataFactSheet): no header, GMT, code page 437."""
    paths = []
    for number, at in hours():
        when = f"{at:%m/%d/%y}|{at:%H:%M}|060371103|Los Angeles - N. Main|-8"
        lines = [
            f"{when}|PM2.5|UG/M3|{pm25(number)}|South Coast AQMD",
            f"{when}|NO2|PPB|{no2(number) / 1.9125:.6f}|South Coast AQMD",
            f"{when}|OZONE|PPB|-999|South Coast AQMD",
            f"{when}|TEMP|C|12|South Coast AQMD",
        ]
        path = folder / f"HourlyData_{at:%Y%m%d%H}.dat"
        path.write_bytes("\n".join(lines).encode("cp437"))
        paths.append(path)
    return paths


def airnow_api(folder: Path) -> list[Path]:
    """AirNow API aq/data with dataType=B, verbose=1, includerawconcentrations=1, format=text/csv: no header."""
    lines = []
    for number, at in hours():
        where = f'"34.06659","-118.22688","{at:%Y-%m-%dT%H:%M}"'
        site = '"Los Angeles - N. Main","South Coast AQMD","060371103","840060371103"'
        lines.append(f'{where},"PM2.5","9.9","UG/M3","{pm25(number)}","50","1",{site}')
        lines.append(f'{where},"NO2","{no2(number) / 1.9125:.6f}","PPB","{no2(number) / 1.9125:.6f}","20","1",{site}')
    return [_write(folder / "airnow.csv", lines)]


def openaq(folder: Path) -> list[Path]:
    """OpenAQ archive: one file a day, times with offset at the end of the period, gases in ppm."""
    paths = []
    by_day: dict[str, list[str]] = {}
    for number, at in hours(-7, ending=True):
        head = f'2178,3919,"Del Norte-2178",{at:%Y-%m-%dT%H:%M:%S}-07:00,35.1353,-106.584702'
        rows = [f"{head},pm25,µg/m³,{pm25(number)}"]
        rows.append(f"{head.replace(',3919,', ',3920,')},no2,ppm,{no2(number) / 1912.5:.9f}")
        by_day.setdefault(f"{at:%Y%m%d}", []).extend(rows)
    for day, rows in by_day.items():
        path = folder / f"location-2178-{day}.csv.gz"
        text = "\n".join(["location_id,sensors_id,location,datetime,lat,lon,parameter,units,value", *rows])
        path.write_bytes(gzip.compress(text.encode()))
        paths.append(path)
    return paths


def prsa(folder: Path) -> list[Path]:
    """UCI 501 PRSA_Data_*.csv: Beijing time, NA, wind as a point of the compass."""
    lines = [
        '"No","year","month","day","hour","PM2.5","PM10","SO2","NO2","CO","O3","TEMP","PRES","DEWP","RAIN","wd","WSPM","station"'
    ]
    for number, at in hours(8):
        lines.append(
            f"{number + 1},{at:%Y},{at.month},{at.day},{at.hour},{pm25(number)},40,NA,{no2(number)},"
            '300,77,-0.7,1023,-18.8,0,"NNW",4.4,"Aotizhongxin"'
        )
    return [_write(folder / "PRSA_Data_Aotizhongxin_20130301-20170228.csv", lines)]


def cnemc(folder: Path) -> list[Path]:
    """quotsoft.net/air china_sites_YYYYMMDD.csv: a row per hour and type, a column per station."""
    by_day: dict[str, list[str]] = {}
    for number, at in hours(8, ending=True):
        day = by_day.setdefault(f"{at:%Y%m%d}", ["date,hour,type,1001A,1002A,3999A"])
        for kind, value in (("AQI", 50), ("PM2.5", pm25(number)), ("PM2.5_24h", 12), ("NO2", no2(number)), ("CO", 0.4)):
            day.append(f"{at:%Y%m%d},{at.hour},{kind},{value},{value},")
    return [_write(folder / f"china_sites_{day}.csv", lines) for day, lines in by_day.items()]


def cpcb(folder: Path) -> list[Path]:
    """CPCB report of a station, 15 minutes: preamble, Indian time, None for missing."""
    lines = [
        "CENTRAL POLLUTION CONTROL BOARD,",
        "CONTINUOUS AMBIENT AIR QUALITY,",
        "Date: Tuesday Jan 16 2024,",
        "State,Karnataka",
        "City,Dharwad",
        'Station,"Kalabhavan, Dharwad - KSPCB"',
        'Parameter,"PM2.5,NO,NO2,CO"',
        "AvgPeriod,15 Minutes",
        "From,02-01-2024T00:00:00Z 00:00",
        "To,04-01-2024T00:00:00Z 00:00",
        ",",
        '"Kalabhavan, Dharwad - KSPCB",',
        "Prescribed Standards,,0-60,0-80,0-80,0-4",
        "Exceeding Standards,,NA,NA,NA,NA",
        "Remarks,",
        "From Date,To Date,PM2.5,NO,NO2,CO",
    ]
    for number, at in hours(5.5):
        for quarter in range(4):
            begin = at + timedelta(minutes=15 * quarter)
            value = "None" if (number, quarter) == (2, 1) else f"{pm25(number)}"
            lines.append(
                f"{begin:%d-%m-%Y %H:%M},{begin + timedelta(minutes=15):%d-%m-%Y %H:%M},{value},13.67,{no2(number)},0.5"
            )
    return [_write(folder / "site_1423_Kalabhavan.csv", lines)]


def cpcb_repository(folder: Path) -> list[Path]:
    """CPCB AQI repository: units in the headers, Indian time, NA."""
    lines = [
        "Timestamp,PM2.5 (µg/m³),NO2 (µg/m³),NOx (ppb),CO (mg/m³),AT (°C),RH (%),WS (m/s),WD (deg),RF (mm),BP (mmHg)"
    ]
    for number, at in hours(6):
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{pm25(number)},{no2(number)},30,0.5,21,55,1.2,90,0,740")
    return [_write(folder / "Raw_data_1Hr_2024_site_103_CRRI_Mathura_Road_Delhi_IMD_1Hr.csv", lines)]


def sensor_community(folder: Path) -> list[Path]:
    """archive.sensor.community: a value every 150 s, semicolons, UTC without a zone; a weather sensor beside it."""
    dust = ["sensor_id;sensor_type;location;lat;lon;timestamp;P1;durP1;ratioP1;P2;durP2;ratioP2"]
    weather = [
        "sensor_id;sensor_type;location;lat;lon;timestamp;pressure;altitude;pressure_sealevel;temperature;humidity"
    ]
    for number, at in hours():
        for part in range(24):
            when = f"{at + timedelta(seconds=150 * part + 7):%Y-%m-%dT%H:%M:%S}"
            dust.append(f"88091;SDS011;85606;45.528;11.560;{when};47.40;;;{pm25(number)};;")
            weather.append(f"88092;BME280;85606;45.528;11.560;{when};100950.5;;;7.5;81")
    return [
        _write(folder / "2024-01-02_sds011_sensor_88091.csv", dust),
        _write(folder / "2024-01-02_bme280_sensor_88092.csv", weather),
    ]


def purpleair(folder: Path) -> list[Path]:
    """PurpleAir get sensor history (CSV): seconds since 1970, not sorted; cf_1 by the corrected PM2.5."""
    lines = ["time_stamp,sensor_index,humidity,temperature,pressure,pm2.5_cf_1_a,pm2.5_cf_1_b,pm10.0_atm"]
    for number, at in hours():
        raw = (pm25(number) + 0.0862 * 50 - 5.75) / 0.524
        humidity = "" if number == 4 else "50"
        lines.append(f"{int(at.timestamp())},131075,{humidity},60,1013,{raw - 0.5:.9f},{raw + 0.5:.9f},20")
    lines.append(f"{int((START + timedelta(hours=HOURS)).timestamp())},131075,50,60,1013,5,55,20")
    return [_write(folder / "131075.csv", lines[:1] + lines[:0:-1])]


def _write(path: Path, lines: list[str], *, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


LAYOUTS: dict[str, tuple[str, Callable[[Path], list[Path]]]] = {
    "EEA Parquet": ("eea", eea_parquet),
    "EEA E1a": ("eea", eea_e1a),
    "EEA E2a": ("eea", eea_e2a),
    "UK-AIR": ("uk-air", uk_air),
    "openair": ("uk-air", openair),
    "AQS": ("aqs", aqs),
    "AirNow": ("airnow", airnow),
    "AirNow API": ("airnow", airnow_api),
    "OpenAQ": ("openaq", openaq),
    "PRSA": ("prsa", prsa),
    "CNEMC": ("cnemc", cnemc),
    "CPCB": ("cpcb", cpcb),
    "CPCB repository": ("cpcb", cpcb_repository),
    "Sensor.Community": ("sensor-community", sensor_community),
    "PurpleAir": ("purpleair", purpleair),
}
