"""What the pages say in each language: phrases, numbers and dates, kept as data in languages/*.toml."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

LANGUAGES = {"en": "English", "fi": "Suomi", "sv": "Svenska"}
UNIT = "µg/m³"
NOTHING = "–"

_FOLDER = Path(__file__).with_name("languages")


@dataclass(frozen=True)
class Language:
    """One language: its phrases by "table.key", and the API's English words in its own.

    `translations` holds band names ("fi-hsy/Fair") and advice; what is not in it is shown as the API says it.
    """

    code: str
    phrases: Mapping[str, str]
    translations: Mapping[str, str]
    weekdays: tuple[str, ...]
    months: tuple[str, ...]

    def say(self, key: str, **values: object) -> str:
        """The phrase `key` with its values filled in.

        Raises:
            KeyError: no such phrase, or a value it needs is missing; a test keeps the languages complete.
        """
        return self.phrases[key].format(**values)

    def translated(self, text: str) -> str:
        """What the API says in English, in this language where it is known."""
        return self.translations.get(text, text)

    def band(self, index: str, name: str) -> str:
        """The name of an index's band."""
        return self.translations.get(f"{index}/{name}", name)

    def number(self, value: float, decimals: int = 0) -> str:
        """With this language's decimal mark and thousands."""
        written = f"{value:,.{decimals}f}"
        return written.translate(str.maketrans(",.", self.say("number.thousands") + self.say("number.decimal")))

    def concentration(self, value_ugm3: float) -> str:
        """With its unit; decimals only where they say something."""
        decimals = 1 if abs(value_ugm3) < 100 else 0  # noqa: PLR2004 - a matter of reading
        return f"{self.number(value_ugm3, decimals)} {UNIT}"

    def limit(self, value_ugm3: float) -> str:
        """A limit's value, which is a round number, with its unit."""
        return f"{self.number(value_ugm3, 0 if value_ugm3 == round(value_ugm3) else 1)} {UNIT}"

    def age(self, hours: float) -> str:
        """An age in the unit people would use."""
        if hours < 1:
            return self.say("age.minutes", n=f"{max(hours, 0) * 60:.0f}")
        if hours < 72:  # noqa: PLR2004 - a matter of reading
            return self.say("age.hours", n=f"{hours:.0f}")
        return self.say("age.days", n=f"{hours / 24:.0f}")

    def percent(self, share: float | None) -> str:
        """A share in percent; nothing where there is none."""
        return NOTHING if share is None else f"{share * 100:.0f} %"

    def chance(self, probability: float) -> str:
        """A probability in percent that never claims certainty."""
        percent = round(probability * 100)
        return {0: "< 1 %", 100: "> 99 %"}.get(percent, f"{percent} %")

    def weekday(self, moment: datetime) -> str:
        """Its short name ("Sun")."""
        return self.weekdays[moment.weekday()]

    def day(self, moment: datetime) -> str:
        """Day and month ("29 Mar")."""
        return self.say("date.day", day=moment.day, month=self.months[moment.month - 1], month_number=moment.month)

    def time(self, moment: datetime, zone: ZoneInfo) -> str:
        """Day and hour in `zone` ("Sun 29 Mar 12:30")."""
        there = moment.astimezone(zone)
        return f"{self.weekday(there)} {self.day(there)} {there:%H:%M}"

    def hour(self, moment: datetime, zone: ZoneInfo) -> str:
        """Weekday and hour in `zone` ("Sun 12:30"), for moments within a few days."""
        there = moment.astimezone(zone)
        return f"{self.weekday(there)} {there:%H:%M}"

    def date(self, moment: datetime) -> str:
        """Day, month and year ("29 Mar 2026")."""
        return self.say("date.full", date=self.day(moment), year=moment.year)


@cache
def read_language(code: str) -> Language:
    """The language called `code` (a key of LANGUAGES)."""
    tables = tomllib.loads((_FOLDER / f"{code}.toml").read_text(encoding="utf-8"))
    translations = tables.pop("translations", {})
    weekdays, months = tables["date"].pop("weekdays"), tables["date"].pop("months")
    phrases = {f"{table}.{key}": text for table, texts in tables.items() for key, text in texts.items()}
    return Language(code, phrases, translations, tuple(weekdays), tuple(months))


def spoken(locale: str | None) -> str:
    """The code of the language a browser asks for ("sv-FI"); English where we do not speak it."""
    code = (locale or "").split("-")[0].lower()
    return code if code in LANGUAGES else "en"
