"""Every language has every message, with the same placeholders."""

from string import Formatter

import pytest

from hazecast.air import advice
from hazecast.air.indices import INDICES
from hazecast.air.limits import LIMITS
from hazecast.i18n import LANGUAGES, match_locale, read_language

TRANSLATED = [code for code in LANGUAGES if code != "en"]
NUMBERED_MONTHS = {"date.day"}


def placeholders(message):
    return {name for _, name, _, _ in Formatter().parse(message) if name}


@pytest.mark.parametrize("code", TRANSLATED)
def test_messages_and_placeholders_are_the_same_in_every_language(code):
    english, other = read_language("en").messages, read_language(code).messages
    assert english.keys() == other.keys()
    for key in english.keys() - NUMBERED_MONTHS:
        assert placeholders(english[key]) == placeholders(other[key]), key


@pytest.mark.parametrize("code", TRANSLATED)
def test_advice_limits_and_bands_are_translated(code):
    language = read_language(code)
    for level in (*advice.LEVELS, advice.UNKNOWN):
        assert language.translate(level.everyone) != level.everyone
        assert language.translate(level.sensitive) != level.sensitive
    assert all(language.translate(limit.label) != limit.label for limit in LIMITS)
    for name in ("fi-hsy", "eu-eaqi", "us-epa"):
        assert all(f"{name}/{band.name}" in language.translations for band in INDICES[name].bands)


def test_numbers_follow_the_language():
    assert read_language("en").number(1234.5, 1) == "1,234.5"
    assert read_language("fi").number(1234.5, 1) == "1\u00a0234,5"


@pytest.mark.parametrize(("locale", "code"), [("fi-FI", "fi"), ("sv", "sv"), ("de-AT", "en"), (None, "en")])
def test_the_language_of_the_browser_is_used_if_translated(locale, code):
    assert match_locale(locale) == code
