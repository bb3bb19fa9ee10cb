"""Health advice in six levels, for everyone and for sensitive groups, in our own words.

Sensitive: children, older people, pregnancy, heart or lung disease, people who work outdoors.
"""

from dataclasses import dataclass

from hazecast.air.pollutants import Pollutant

NOT_MEDICAL = "This is not medical advice; the authority's own words: "


@dataclass(frozen=True)
class Advice:
    """One level's advice; `note`: the time of day it applies to and the official source."""

    everyone: str
    sensitive: str
    note: str = ""


LEVELS: tuple[Advice, ...] = (
    Advice("Normal outdoor life.", "Normal outdoor life; keep prescribed medication with you."),
    Advice(
        "Fine for most.",
        "If you are unusually sensitive, watch for cough or breathlessness and ease off when they appear.",
    ),
    Advice(
        "Fine for most; ease off if you notice symptoms.",
        "Shorten or lighten long, hard effort outdoors and follow your action plan.",
    ),
    Advice("Shorten hard effort outdoors.", "Avoid hard effort; move activity indoors or to cleaner hours."),
    Advice(
        "Avoid hard effort; prefer to be indoors with windows closed.", "Stay inside, with filtered air if you can."
    ),
    Advice(
        "Stay indoors; wear a mask (FFP2 or N95) if you must go out.",
        "Remain indoors and seek medical help for symptoms.",
    ),
)
UNKNOWN = Advice("No advice without enough data.", "No advice without enough data.")
_CAUTION_LEVEL = 3


def advise(level: int, pollutant: Pollutant | None, authority: str) -> Advice:
    """Advice of `level` (1 good … 6 hazardous) for the dominant pollutant.

    Args:
        level: severity of the band.
        pollutant: for ozone the better hours are added; None adds nothing.
        authority: link to the official advice of the index.
    """
    hours = "Ozone is lowest in the morning. " if pollutant is Pollutant.O3 and level >= _CAUTION_LEVEL else ""
    chosen = LEVELS[level - 1]
    return Advice(chosen.everyone, chosen.sensitive, f"{hours}{NOT_MEDICAL}{authority}")
