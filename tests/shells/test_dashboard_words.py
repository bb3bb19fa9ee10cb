"""Every language says everything, with the same values in it."""

from string import Formatter

import pytest

from hazecast.air import advice
from hazecast.air.indices import INDICES
from hazecast.air.limits import LIMITS
from hazecast.dashboard.language import LANGUAGES, read_language, spoken

OTHERS = [code for code in LANGUAGES if code != "en"]
NUMBERED_MONTHS = {"date.day"}


def blanks(phrase):
    return {name for _, name, _, _ in Formatter().parse(phrase) if name}


@pytest.mark.parametrize("code", OTHERS)
def test_every_phrase_is_there_with_its_values(code):
    english, other = read_language("en").phrases, read_language(code).phrases
    assert english.keys() == other.keys()
    for key in english.keys() - NUMBERED_MONTHS:
        assert blanks(english[key]) == blanks(other[key]), key


@pytest.mark.parametrize("code", OTHERS)
def test_advice_limits_and_bands_are_translated(code):
    words = read_language(code)
    for level in (*advice.LEVELS, advice.UNKNOWN):
        assert words.translated(level.everyone) != level.everyone
        assert words.translated(level.sensitive) != level.sensitive
    assert all(words.translated(limit.label) != limit.label for limit in LIMITS)
    for name in ("fi-hsy", "eu-eaqi", "us-epa"):
        assert all(f"{name}/{band.name}" in words.translations for band in INDICES[name].bands)


def test_numbers_follow_the_language():
    assert read_language("en").number(1234.5, 1) == "1,234.5"
    assert read_language("fi").number(1234.5, 1) == "1\u00a0234,5"


@pytest.mark.parametrize(("locale", "code"), [("fi-FI", "fi"), ("sv", "sv"), ("de-AT", "en"), (None, "en")])
def test_the_browsers_language_is_spoken_where_we_can(locale, code):
    assert spoken(locale) == code
