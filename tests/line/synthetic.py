"""A market that travels with the project: the embedded exchange in-process, through the real decoders."""

from functools import lru_cache

import numpy as np

from mmpipe.training.scenario_events import scenario_market

COIN, LEAD = "BTC", "BTCUSDT"


@lru_cache(maxsize=4)
def synthetic_market(scenario: str, seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """EVENT rows of maker and lead, and the INSTRUMENT row, of `seconds` of one scenario."""
    market = scenario_market(scenario, seed, seconds, (COIN,), (LEAD,))
    maker, lead = market.streams
    return maker, lead, market.instruments
