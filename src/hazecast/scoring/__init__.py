"""Verification of forecasts by pollutant and lead block, and probabilities of exceeding a limit."""

from hazecast.scoring.fairmode import model_quality, mqi
from hazecast.scoring.pairs import pair
from hazecast.scoring.probability import crps, p_exceed
from hazecast.scoring.significance import Significance, diebold_mariano
from hazecast.scoring.skill import lead_block, score
from hazecast.scoring.tally import summarize, tally

__all__ = [
    "Significance",
    "crps",
    "diebold_mariano",
    "lead_block",
    "model_quality",
    "mqi",
    "p_exceed",
    "pair",
    "score",
    "summarize",
    "tally",
]
