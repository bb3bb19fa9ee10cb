"""Translations: messages, numbers and dates of each language, read from the .toml file of each language."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

LANGUAGES = {"en": "English", "fi": "Suomi", "sv": "Svenska"}
UNIT = "µg/m³"
NO_VALUE = "–"

_FOLDER = Path(__file__).parent
_DECIMALS_BELOW_UGM3 = 100
_DAYS_FROM_HOURS = 72


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        code: a key of LANGUAGES.
        messages: the texts of the dashboard by "table.key".
        translations: texts of the API (band names as "fi-hsy/Fair", advice, labels of limits) in this language; a text
            without a translation is shown in English.
        weekdays: short names, Monday first.
        months: short names.
    """

    code: str
    messages: Mapping[str, str]
    translations: Mapping[str, str]
    weekdays: tuple[str, ...]
    months: tuple[str, ...]

    def t(self, key: str, **values: object) -> str:
        """The message `key` with its values filled in.

        Raises:
            KeyError: no such message, or a value is missing; a test compares the keys of all languages.
        """
        return self.messages[key].format(**values)

    def translate(self, text: str) -> str:
        """An English text of the API in this language, unchanged where there is no translation."""
        return self.translations.get(text, text)

    def band(self, index: str, name: str) -> str:
        """The name of a band of an index."""
        return self.translations.get(f"{index}/{name}", name)

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with this language's decimal mark and thousands separator."""
        formatted = f"{value:,.{decimals}f}"
        return formatted.translate(str.maketrans(",.", self.t("number.thousands") + self.t("number.decimal")))

    def concentration(self, value_ugm3: float) -> str:
        """A concentration with its unit; one decimal below 100 µg/m³."""
        decimals = 1 if abs(value_ugm3) < _DECIMALS_BELOW_UGM3 else 0
        return f"{self.number(value_ugm3, decimals)} {UNIT}"

    def limit(self, value_ugm3: float) -> str:
        """The value of a limit with its unit; a decimal only if it has one."""
        return f"{self.number(value_ugm3, 0 if value_ugm3 == round(value_ugm3) else 1)} {UNIT}"

    def age(self, hours: float) -> str:
        """A duration in minutes, hours or days."""
        if hours < 1:
            return self.t("age.minutes", n=f"{max(hours, 0) * 60:.0f}")
        if hours < _DAYS_FROM_HOURS:
            return self.t("age.hours", n=f"{hours:.0f}")
        return self.t("age.days", n=f"{hours / 24:.0f}")

    def percent(self, share: float | None) -> str:
        """A share in percent; a dash for None."""
        return NO_VALUE if share is None else f"{share * 100:.0f} %"

    def probability(self, probability: float) -> str:
        """A probability in percent, never rounded to 0 or 100 %."""
        percent = round(probability * 100)
        return {0: "< 1 %", 100: "> 99 %"}.get(percent, f"{percent} %")

    def weekday(self, moment: datetime) -> str:
        """The short name of its weekday ("Sun")."""
        return self.weekdays[moment.weekday()]

    def day(self, moment: datetime) -> str:
        """Day and month ("29 Mar")."""
        return self.t("date.day", day=moment.day, month=self.months[moment.month - 1], month_number=moment.month)

    def time(self, moment: datetime, zone: ZoneInfo) -> str:
        """Date and time in `zone` ("Sun 29 Mar 12:30")."""
        local = moment.astimezone(zone)
        return f"{self.weekday(local)} {self.day(local)} {local:%H:%M}"

    def hour(self, moment: datetime, zone: ZoneInfo) -> str:
        """Weekday and time in `zone` ("Sun 12:30"), for moments within a few days."""
        local = moment.astimezone(zone)
        return f"{self.weekday(local)} {local:%H:%M}"

    def date(self, moment: datetime) -> str:
        """Day, month and year ("29 Mar 2026")."""
        return self.t("date.full", date=self.day(moment), year=moment.year)


@cache
def read_language(code: str) -> Language:
    """The language with this code (a key of LANGUAGES)."""
    tables = tomllib.loads((_FOLDER / f"{code}.toml").read_text(encoding="utf-8"))
    translations = tables.pop("translations", {})
    weekdays, months = tables["date"].pop("weekdays"), tables["date"].pop("months")
    messages = {f"{table}.{key}": text for table, texts in tables.items() for key, text in texts.items()}
    return Language(code, messages, translations, tuple(weekdays), tuple(months))


def match_locale(locale: str | None) -> str:
    """The code of the language of a browser's locale ("sv-FI"); English if there is no translation."""
    code = (locale or "").split("-")[0].lower()
    return code if code in LANGUAGES else "en"
