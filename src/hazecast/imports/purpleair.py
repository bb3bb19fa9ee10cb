"""PurpleAir: history CSV of the API or the Data Download Tool, PM2.5 corrected with the US EPA's US-wide equation.

Sources: api.purpleair.com (get sensor history: a time begins its average, UTC). Correction of the field cf_1: Barkjohn
et al. 2021 (doi 10.5194/amt-14-4617-2021), for smoke Barkjohn et al. 2022 (doi 10.3390/s22249669); of the field atm:
EPA, AirNow Fire and Smoke Map, October 2021. Channels that differ by 5 ug/m3 and 61 % are left out, as there.
"""

import polars as pl

from hazecast.imports.formats import Format, Layout, Reading, stations, utc, values
from hazecast.imports.tables import Shape, Table

_APART_UGM3, _APART_SHARE = 5.0, 0.61
# Where the equations change, in the field cf_1 and in the field atm [ug/m3].
_CF1_SMOKE = 570, 611
_ATM_RISING, _ATM_SMOKE = (30, 50), (210, 260)
CORRECTED = "PM2.5 corrected with the US EPA equation (Barkjohn et al. 2021)"


def corrected_from_cf1(pm25: pl.Expr, humidity: pl.Expr) -> pl.Expr:
    """PM2.5 [ug/m3] from the field cf_1 [ug/m3] and the humidity of the sensor [%]; never below 0.

    Source: Barkjohn et al. 2022, equations 1 to 3.
    """
    usual = 0.524 * pm25 - 0.0862 * humidity + 5.75
    smoke = 4.21e-4 * pm25**2 + 0.392 * pm25 + 3.44
    share = 0.0244 * pm25 - 13.9
    between = share * smoke + (1 - share) * usual
    return (
        pl.when(pm25 < _CF1_SMOKE[0])
        .then(usual)
        .when(pm25 < _CF1_SMOKE[1])
        .then(between)
        .otherwise(smoke)
        .clip(lower_bound=0.0)
    )


def corrected_from_atm(pm25: pl.Expr, humidity: pl.Expr) -> pl.Expr:
    """PM2.5 [ug/m3] from the field atm [ug/m3] and the humidity of the sensor [%]; never below 0.

    Source: EPA, Fire and Smoke Map, October 2021 (five ranges, continuous).
    """
    wet = 0.0862 * humidity
    smoke = 2.966 + 0.69 * pm25 + 8.84e-4 * pm25**2
    lower, upper = pm25 / 20 - 1.5, pm25 / 50 - 4.2
    rising = (0.786 * lower + 0.524 * (1 - lower)) * pm25 - wet + 5.75
    falling = (0.69 * upper + 0.786 * (1 - upper)) * pm25 - wet * (1 - upper)
    falling = falling + 2.966 * upper + 5.75 * (1 - upper) + 8.84e-4 * pm25**2 * upper
    return (
        pl.when(pm25 < _ATM_RISING[0])
        .then(0.524 * pm25 - wet + 5.75)
        .when(pm25 < _ATM_RISING[1])
        .then(rising)
        .when(pm25 < _ATM_SMOKE[0])
        .then(0.786 * pm25 - wet + 5.75)
        .when(pm25 < _ATM_SMOKE[1])
        .then(falling)
        .otherwise(smoke)
        .clip(lower_bound=0.0)
    )


def _read(table: Table) -> Reading:
    at = utc(table.words("time_stamp"))
    kind = "cf_1" if table.has("pm2.5_cf_1", "pm2.5_cf_1_a") else "atm"
    channels = [table.numbers(f"pm2.5_{kind}_{channel}") for channel in "ab"]
    both = pl.DataFrame({"a": channels[0], "b": channels[1], "mean": table.numbers(f"pm2.5_{kind}")})
    rows = both.select(
        pm25=pl.when(pl.col("a").is_not_null() & pl.col("b").is_not_null())
        .then((pl.col("a") + pl.col("b")) / 2)
        .otherwise(pl.coalesce("mean", "a", "b")),
        apart=(pl.col("a") - pl.col("b")).abs(),
    ).with_columns(humidity=table.numbers("humidity", "humidity_a"))
    pm25, humidity = pl.col("pm25"), pl.col("humidity")
    correct = corrected_from_cf1 if kind == "cf_1" else corrected_from_atm
    reason = (
        pl.when(pm25.is_null())
        .then(pl.lit("no PM2.5 in the fields cf_1 or atm, so it cannot be corrected"))
        .when((pl.col("apart") >= _APART_UGM3) & (pl.col("apart") >= _APART_SHARE * pm25))
        .then(pl.lit("the two channels differ by 5 ug/m3 and 61 % or more"))
        .when(humidity.is_null() | ~humidity.is_between(0, 100))
        .then(pl.lit("no humidity from 0 to 100 %, so it cannot be corrected"))
    )
    station_id = table.words("sensor_index")
    shown = rows.select(pl.format("{}", pm25)).to_series()
    pm10 = [name for name in ("pm10.0_atm", "pm10.0_cf_1", "pm10.0_atm_a", "pm10.0_cf_1_a") if table.has(name)][:1]
    unusable = pl.Series(["PM10 of PurpleAir is not usable and there is no correction"])
    parts = [
        values(
            table,
            station_id=station_id,
            at=at,
            name="PM2.5",
            cell=shown,
            unit="ug/m3",
            number=rows.select(correct(pm25, humidity)).to_series(),
            reason=rows.select(reason).to_series(),
        )
    ] + [
        values(
            table,
            station_id=station_id,
            at=at,
            name="PM10",
            cell=table.column(name),
            unit="ug/m3",
            reason=unusable.new_from_index(0, table.frame.height),
        )
        for name in pm10
    ]
    place = stations(
        station_id,
        name=pl.select(pl.coalesce(table.words("name"), "PurpleAir " + station_id + " (corrected)")).to_series(),
        latitude=table.numbers("latitude"),
        longitude=table.numbers("longitude"),
    )
    notes = (
        f"{table.file}: PM2.5 is corrected from the field {kind}",
        "humidity and temperature are those inside the sensor; they correct PM2.5 and are not taken as weather",
    )
    return Reading(pl.concat(parts), place, notes)


FORMAT = Format(
    "purpleair",
    (
        Layout(
            "history CSV of PurpleAir",
            Shape(("time_stamp", "sensor_index")),
            _read,
            "beginning of the average, UTC",
        ),
    ),
    credit=f"PurpleAir; {CORRECTED}",
    licence="PurpleAir data licence",
)
