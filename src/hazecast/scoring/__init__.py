"""Verification: how good forecasts were, by pollutant and lead block, and what they say about a limit."""

from hazecast.scoring.pairs import pair
from hazecast.scoring.probability import crps, p_exceed
from hazecast.scoring.significance import Significance, diebold_mariano
from hazecast.scoring.skill import score

__all__ = ["Significance", "crps", "diebold_mariano", "p_exceed", "pair", "score"]
