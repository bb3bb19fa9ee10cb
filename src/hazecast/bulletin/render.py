"""A bulletin in each format and language: text, one HTML page without other files, or a CAP message."""

from datetime import date, datetime, time
from html import escape
from zoneinfo import ZoneInfo

import polars as pl

from hazecast import html
from hazecast.air.limits import LIMIT_KEYS, day_limits, limits_of
from hazecast.air.pollutants import Pollutant
from hazecast.air.tables import STATION
from hazecast.bulletin import BulletinFormat
from hazecast.bulletin.cap import as_cap
from hazecast.bulletin.content import Bulletin
from hazecast.i18n import NO_VALUE, Language
from hazecast.steps.alert import exceedance_reason, exceedance_summary

# More rows than a page holds; the likeliest exceedances come first.
MAX_STATION_ROWS = 40
_MAP_WIDTH, _MAP_HEIGHT, _MARGIN = 640, 420, 40
_MAX_LABELS = 25
# Sequential, legible for colour-blind readers (viridis, reversed): up to 10, 25, 50, 75, 100 %.
_COLOURS = ((0.10, "#FDE725"), (0.25, "#5EC962"), (0.50, "#21918C"), (0.75, "#3B528B"), (1.01, "#440154"))
# The largest probability of exceeding a limit.
_CHANCE = pl.max_horizontal(f"p_exceed_{key}" for key in LIMIT_KEYS)

# Heading, rows, and the number of leading columns of text.
Table = tuple[list[str], list[list[str]], int]


def render(bulletin: Bulletin, form: BulletinFormat, language: Language, *, sender: str) -> str:
    """The bulletin in one format and language; `sender` is that of a CAP message."""
    if form is BulletinFormat.CAP:
        return as_cap(bulletin, [language], sender=sender)
    return as_html(bulletin, language) if form is BulletinFormat.HTML else as_text(bulletin, language)


def as_text(bulletin: Bulletin, language: Language) -> str:
    """Plain text, at most 100 characters wide except for long names."""
    sections = [_title(bulletin, language), "\n".join([*_notes(bulletin, language), _issued(bulletin, language)])]
    sections.append(_heading(language.t("bulletin.warnings")) + "\n".join(_warnings(bulletin, language)))
    for key, (head, rows, n_text) in _tables(bulletin, language).items():
        sections.append(_heading(language.t(f"bulletin.{key}")) + _aligned(head, rows, n_text=n_text))
    sections.append("\n".join(_credits(bulletin, language)))
    return "\n\n".join(sections) + "\n"


def as_html(bulletin: Bulletin, language: Language) -> str:
    """One page: warnings, map, tables; its style and map are inside."""
    parts = [html.banner(note) for note in _notes(bulletin, language)]
    parts.append(f'<p class="note">{escape(_issued(bulletin, language))}</p>')
    parts.append(f"<h2>{escape(language.t('bulletin.warnings'))}</h2>")
    parts.extend(f"<p>{escape(line)}</p>" for line in _warnings(bulletin, language))
    parts.append(_map(bulletin, language))
    for key, (head, rows, n_text) in _tables(bulletin, language).items():
        title = language.t(f"bulletin.{key}")
        parts.append(f"<h2>{escape(title)}</h2>{html.table(head, rows, n_text=n_text, label=title)}")
    parts.extend(f'<p class="note">{escape(line)}</p>' for line in _credits(bulletin, language))
    return html.document(_title(bulletin, language), "".join(parts), language=language.code)


def _title(bulletin: Bulletin, language: Language) -> str:
    return language.t("bulletin.title", place=bulletin.place, day=_day(bulletin.day, language))


def _day(day: date, language: Language) -> str:
    noon = datetime.combine(day, time(12))
    return f"{language.weekday(noon)} {language.date(noon)}"


def _issued(bulletin: Bulletin, language: Language) -> str:
    zone = ZoneInfo(bulletin.timezone)
    return language.t("bulletin.issued", when=language.time(bulletin.issued_at, zone), zone=bulletin.timezone)


def _notes(bulletin: Bulletin, language: Language) -> list[str]:
    flags = {
        "simulated": bulletin.is_simulated,
        "replayed": bulletin.is_replayed,
        bulletin.status: bulletin.status != "ok",
    }
    return [language.t(f"bulletin.note_{name}") for name, applies in flags.items() if applies]


def _credits(bulletin: Bulletin, language: Language) -> list[str]:
    observations = language.t("credits.observations", attribution="; ".join(bulletin.attributions))
    return [observations, language.t("credits.preliminary"), language.t("credits.forecasts")]


def _warnings(bulletin: Bulletin, language: Language) -> list[str]:
    lines = [f"{exceedance_summary(one, language)}. {exceedance_reason(one, language)}" for one in bulletin.exceedances]
    return lines or [language.t("bulletin.no_warnings")]


def _tables(bulletin: Bulletin, language: Language) -> dict[str, Table]:
    found = {
        "place": _place(bulletin, language),
        "stations": _stations(bulletin, language),
        "drivers": _drivers(bulletin, language),
        "yesterday": _yesterday(bulletin, language),
    }
    return {key: table for key, table in found.items() if table[1]}


def _limit_headings(language: Language, key: str = "p_above") -> list[str]:
    """A column per limit, with its name but not its averaging time, which the statistic states."""
    labels = {limit.key: limit.label for pollutant in reversed(Pollutant) for limit in limits_of(pollutant)}
    names = [language.translate(labels[limit]).rpartition(",")[0] for limit in LIMIT_KEYS]
    return [language.t(f"bulletin.{key}", limit=name) for name in names]


def _what(row: dict[str, str], language: Language) -> str:
    return f"{Pollutant(row['pollutant']).label}, {language.t('statistic.' + row['statistic'])}"


def _numbers(row: dict[str, float], language: Language) -> list[str]:
    return [language.number(row["q50"]), f"{language.number(row['q10'])}–{language.number(row['q90'])}"]


def _chances(row: dict[str, float | None], limits: dict[str, float | None], language: Language) -> list[str]:
    """The probability with the value in brackets, per limit."""
    cells = []
    for key in LIMIT_KEYS:
        chance, value = row[f"p_exceed_{key}"], limits[key]
        cells.append(
            NO_VALUE
            if chance is None or value is None
            else f"{language.probability(chance)} ({language.number(value)})"
        )
    return cells


def _limits_by_series() -> dict[tuple[str, str], dict[str, float | None]]:
    return {(row.pop("pollutant"), row.pop("statistic")): row for row in day_limits().iter_rows(named=True)}


def _place(bulletin: Bulletin, language: Language) -> Table:
    limits = _limits_by_series()
    head = [language.t(f"bulletin.{name}") for name in ("what", "scope", "median", "interval")]
    rows = []
    chance = _CHANCE.max().over("pollutant", "statistic")
    found = bulletin.days.filter(pl.col("scope") != STATION)
    ranked = found.sort(-chance, "pollutant", "statistic", "scope", nulls_last=True)
    for row in ranked.to_dicts():
        scope = language.t(f"bulletin.{row['scope']}")
        series = (row["pollutant"], row["statistic"])
        rows.append([_what(row, language), scope, *_numbers(row, language), *_chances(row, limits[series], language)])
    return [*head, *_limit_headings(language)], rows, 2


def _stations(bulletin: Bulletin, language: Language) -> Table:
    limits = _limits_by_series()
    head = [language.t(f"bulletin.{name}") for name in ("station", "what", "median", "interval")]
    found = bulletin.days.filter(pl.col("scope") == STATION).sort(_CHANCE, descending=True, nulls_last=True)
    rows = [
        [
            row["name"] or row["station_id"],
            _what(row, language),
            *_numbers(row, language),
            *_chances(row, limits[(row["pollutant"], row["statistic"])], language),
        ]
        for row in found.head(MAX_STATION_ROWS).to_dicts()
    ]
    return [*head, *_limit_headings(language)], rows, 2


def _drivers(bulletin: Bulletin, language: Language) -> Table:
    head = [language.t("bulletin.pollutant"), language.t("bulletin.driver"), language.t("bulletin.effect")]
    rows = [
        [
            Pollutant(row["pollutant"]).label,
            language.t(f"drivers.{row['driver']}"),
            _signed(row["effect_ugm3"], language),
        ]
        for row in bulletin.drivers.to_dicts()
    ]
    return head, rows, 2


def _signed(effect_ugm3: float, language: Language) -> str:
    rounded = round(effect_ugm3, 1)
    return ("+" if rounded > 0 else "−" if rounded < 0 else "") + language.number(abs(rounded), 1)


def _yesterday(bulletin: Bulletin, language: Language) -> Table:
    head = [
        language.t(f"bulletin.{name}") for name in ("what", "n_stations", "forecast_mean", "observed_mean", "inside")
    ]
    rows = []
    for row in bulletin.review.to_dicts():
        counts = [
            NO_VALUE
            if row[f"observed_{key}"] is None
            else f"{language.number(row[f'expected_{key}'], 1)} / {row[f'observed_{key}']}"
            for key in LIMIT_KEYS
        ]
        rows.append(
            [
                _what(row, language),
                str(row["n"]),
                language.number(row["forecast_ugm3"], 1),
                language.number(row["observed_ugm3"], 1),
                language.percent(row["inside_80"]),
                *counts,
            ]
        )
    return [*head, *_limit_headings(language, "expected_observed")], rows, 1


def _map(bulletin: Bulletin, language: Language) -> str:
    """Stations by their coordinates, coloured by the largest probability of exceeding a limit; an inline SVG."""
    located = (
        bulletin.days.filter(pl.col("scope") == STATION)
        .drop_nulls(["latitude", "longitude"])
        .with_columns(chance=_CHANCE)
        .drop_nulls("chance")
        .group_by("station_id", "name", "latitude", "longitude")
        .agg(pl.col("chance").max(), pl.col("pollutant").sort_by("chance").last())
        .sort("chance", "station_id")
    )
    if located.is_empty():
        return ""
    marks = [
        _mark(row, x, y, language, is_labelled=located.height <= _MAX_LABELS)
        for row, (x, y) in zip(located.to_dicts(), _positions(located), strict=True)
    ]
    title = escape(language.t("bulletin.map"))
    return (
        f"<h2>{title}</h2>"
        f'<svg viewBox="0 0 {_MAP_WIDTH} {_MAP_HEIGHT}" role="img" aria-label="{title}" style="max-width:100%">'
        f'<rect width="{_MAP_WIDTH}" height="{_MAP_HEIGHT}" fill="#f4f6f8"/>{"".join(marks)}</svg>'
        f'<p class="note">{_legend()}</p>'
    )


def _positions(located: pl.DataFrame) -> list[tuple[float, float]]:
    """Equirectangular positions in the picture, true to shape at the middle latitude."""
    middle = located["latitude"].mean()
    assert isinstance(middle, float)
    flat = located.select(
        x=pl.col("longitude") * pl.lit(middle).radians().cos(),
        y=-pl.col("latitude"),
    )
    low = flat.min().row(0)
    span = [upper - lower for lower, upper in zip(low, flat.max().row(0), strict=True)]
    inside = (_MAP_WIDTH - 2 * _MARGIN, _MAP_HEIGHT - 2 * _MARGIN)
    scale = min(size / extent if extent > 0 else float("inf") for size, extent in zip(inside, span, strict=True))
    scale = scale if scale != float("inf") else 1.0
    offset = [_MARGIN + (size - scale * extent) / 2 for size, extent in zip(inside, span, strict=True)]
    return [(offset[0] + scale * (x - low[0]), offset[1] + scale * (y - low[1])) for x, y in flat.iter_rows()]


def _mark(row: dict[str, object], x: float, y: float, language: Language, *, is_labelled: bool) -> str:
    chance, name = float(str(row["chance"])), str(row["name"] or row["station_id"])
    colour = next(colour for upper, colour in _COLOURS if chance < upper)
    text = f"{name}: {Pollutant(str(row['pollutant'])).label} {language.probability(chance)}"
    anchor, dx = ("end", -11) if x > _MAP_WIDTH / 2 else ("start", 11)
    label = (
        f'<text x="{x + dx:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}" font-size="12" font-family="sans-serif">'
        f"{escape(name)} {escape(language.probability(chance))}</text>"
    )
    circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{colour}" stroke="#1b1f24"/>'
    return f"<g><title>{escape(text)}</title>{circle}{label if is_labelled else ''}</g>"


def _legend() -> str:
    names = ("< 10 %", "10–25 %", "25–50 %", "50–75 %", "≥ 75 %")
    return " ".join(
        f'<span style="white-space:nowrap"><span style="display:inline-block;width:.9em;height:.9em;'
        f'border:1px solid #1b1f24;background:{colour}"></span> {escape(name)}</span>'
        for (_, colour), name in zip(_COLOURS, names, strict=True)
    )


def _heading(text: str) -> str:
    return f"{text}\n{'-' * len(text)}\n"


def _aligned(head: list[str], rows: list[list[str]], *, n_text: int) -> str:
    """Columns of equal width, those of text left-aligned."""
    lines = [head, *rows]
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k < n_text else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
