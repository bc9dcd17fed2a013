"""All that is known of the markets, symbol by symbol, as arrays a kernel can be handed in one argument."""

from typing import NamedTuple

import numpy as np

from mmpipe.book.l2 import BOOK
from mmpipe.book.queue_rank import QUEUE
from mmpipe.config import Config, settings_row
from mmpipe.features import regime
from mmpipe.features.flow import FLOW
from mmpipe.features.lead import LEAD
from mmpipe.features.ofi import OFI
from mmpipe.features.pending_labels import PENDING, PENDING_MAX, QUEUE_ENDS
from mmpipe.features.regime import REGIME
from mmpipe.features.shadow_quotes import SHADOW, SHADOWS_MAX
from mmpipe.features.volatility import VOLATILITY
from mmpipe.models.toxicity import TOXICITY

SYMBOL = np.dtype(
    [
        ("maker_feed", "i8"),  # FeedState
        ("book_limit_ns", "i8"),  # contract of the maker's touch, as feed says it
        ("crossed_ts_ns", "i8"),  # since when the maker's book is crossed; 0: it is not
        ("lead_crossed_ts_ns", "i8"),
        ("lead_tick_px", "f8"),  # grid of the lead's prices
        ("funding_rate_8h", "f8"),
        ("next_funding_ts_ns", "i8"),
        ("inventory_lots", "i8"),
        ("bid_tick", "i8"),  # touch of the last SNAPSHOT
        ("ask_tick", "i8"),
        ("bid_qty", "f8"),
        ("ask_qty", "f8"),
        ("next_shadow_ts_ns", "i8"),
    ],
    align=True,
)


class MarketState(NamedTuple):
    """State of all symbols; every array is indexed by symbol first."""

    symbols: np.ndarray  # (n,) SYMBOL
    books: np.ndarray  # (n,) BOOK
    ofis: np.ndarray  # (n,) OFI
    flows: np.ndarray  # (n,) FLOW
    volatilities: np.ndarray  # (n,) VOLATILITY
    regimes: np.ndarray  # (n,) REGIME
    leads: np.ndarray  # (n,) LEAD
    lead_books: np.ndarray  # (n,) BOOK
    toxicities: np.ndarray  # (n,) TOXICITY
    queues: np.ndarray  # (n, 2) QUEUE of our bid and ask
    shadows: np.ndarray  # (n, SHADOWS_MAX) SHADOW
    pendings: np.ndarray  # (n, PENDING_MAX) PENDING
    pending_ends: np.ndarray  # (n,) QUEUE_ENDS
    params: np.ndarray  # (n, PARAMS_COUNT) float64, learned, index Param
    instruments: np.ndarray  # (n,) INSTRUMENT


class Settings(NamedTuple):
    """Configuration the kernels read, one settings row each."""

    features: np.ndarray
    toxicity: np.ndarray
    execution: np.ndarray
    feed: np.ndarray


def new_state(prior_values: np.ndarray, instruments: np.ndarray) -> MarketState:
    """State before the first event; parameters at their priors.

    Parameters
    ----------
    prior_values : ndarray of float64, shape (PARAMS_COUNT,)
        Value of each learned parameter before there is evidence, index Param.
    instruments : ndarray of INSTRUMENT, shape (n,)
        Grid of each symbol.
    """
    count = len(instruments)
    params: np.ndarray = np.tile(prior_values, (count, 1))
    regimes = np.zeros(count, REGIME)
    regimes["probs"] = regime.PRIOR
    return MarketState(
        np.zeros(count, SYMBOL),
        np.zeros(count, BOOK),
        np.zeros(count, OFI),
        np.zeros(count, FLOW),
        np.zeros(count, VOLATILITY),
        regimes,
        np.zeros(count, LEAD),
        np.zeros(count, BOOK),
        np.zeros(count, TOXICITY),
        np.zeros((count, 2), QUEUE),
        np.zeros((count, SHADOWS_MAX), SHADOW),
        np.zeros((count, PENDING_MAX), PENDING),
        np.zeros(count, QUEUE_ENDS),
        params,
        instruments.copy(),
    )


def new_settings(config: Config) -> Settings:
    """Settings rows of the kernels."""
    return Settings(
        settings_row(config.features),
        settings_row(config.toxicity),
        settings_row(config.execution),
        settings_row(config.feed),
    )
