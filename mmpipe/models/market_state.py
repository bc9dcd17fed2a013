"""All that is known of a market as one record, so that a kernel is handed all markets in one argument."""

from typing import NamedTuple

import numpy as np

from mmpipe.book.l2 import BOOK
from mmpipe.book.queue_rank import QUEUE
from mmpipe.config import Config, settings_row
from mmpipe.enums import ModelKind
from mmpipe.features import microprice, regime
from mmpipe.features.flow import FLOW
from mmpipe.features.hawkes import HAWKES
from mmpipe.features.lead import LEAD
from mmpipe.features.markouts import FILL, FILL_ENDS, FILLS_MAX
from mmpipe.features.microprice import MICROPRICE
from mmpipe.features.mid_path import MID_PATH
from mmpipe.features.ofi import OFI
from mmpipe.features.pending_labels import PENDING, PENDING_MAX, QUEUE_ENDS
from mmpipe.features.regime import REGIME
from mmpipe.features.shadow_quotes import SHADOW, SHADOW_ENDS, SHADOWS_MAX
from mmpipe.features.volatility import VOLATILITY
from mmpipe.features.vpin import VPIN
from mmpipe.models.model_inputs import INPUTS
from mmpipe.models.model_set import ModelSet
from mmpipe.models.toxic_labels import DETECTION, TRADE_PENDING
from mmpipe.models.toxic_labels import PENDING_MAX as TRADES_MAX
from mmpipe.models.toxicity import TOXICITY, built_in_weights, pack_weights
from mmpipe.models.trade_features import AGGRESSORS
from mmpipe.records import INSTRUMENT, PARAMS_COUNT
from ringbuf.jit import example

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
        ("models_id", "i8"),  # of the artefacts in force; 0: all built in
    ],
    align=True,
)


# What an event touches most comes first, long rings last.
MARKET = np.dtype(
    [
        ("own", SYMBOL),
        ("book", BOOK),
        ("ofi", OFI),
        ("flow", FLOW),
        ("hawkes", HAWKES),
        ("vpin", VPIN),
        ("volatility", VOLATILITY),
        ("regime", REGIME),
        ("lead", LEAD),
        ("toxicity", TOXICITY),
        ("queues", QUEUE, (2,)),  # of our bid and ask
        ("sent", QUEUE, (2,)),  # of the newest bid and ask that were sent and are not answered yet
        ("shadow_ends", SHADOW_ENDS),
        ("fill_ends", FILL_ENDS),
        ("pending_ends", QUEUE_ENDS),
        ("params", "f8", (PARAMS_COUNT,)),  # learned, index Param
        ("instrument", INSTRUMENT),
        ("inputs", "f8", (2, INPUTS)),  # of our bid and ask, as last asked of the models
        ("aggressor", AGGRESSORS),
        ("detection", DETECTION),
        ("microprice", MICROPRICE),
        ("mid_path", MID_PATH),
        ("lead_book", BOOK),
        ("shadows", SHADOW, (SHADOWS_MAX,)),
        ("fills", FILL, (FILLS_MAX,)),  # virtual and our own, waiting for markouts
        ("pendings", PENDING, (PENDING_MAX,)),
        ("trade_pendings", TRADE_PENDING, (TRADES_MAX,)),
    ],
    align=True,
)


class Settings(NamedTuple):
    """Configuration the kernels read, one settings row each."""

    features: np.ndarray
    toxicity: np.ndarray
    execution: np.ndarray
    feed: np.ndarray
    labels: np.ndarray
    regime: np.ndarray  # (1,) REGIME_MODEL, configured or trained
    toxicity_weights: np.ndarray  # (toxicity.WEIGHTS,) float64, no settings row
    models: np.ndarray  # (1,) MODELS; its scratch is overwritten
    without: np.ndarray  # (1,) int64, bits of Part: what does not decide


def new_state(prior_values: np.ndarray, instruments: np.ndarray) -> np.ndarray:
    """State before the first event; parameters at their priors.

    Parameters
    ----------
    prior_values : ndarray of float64, shape (PARAMS_COUNT,)
        Value of each learned parameter before there is evidence, index Param.
    instruments : ndarray of INSTRUMENT, shape (n,)
        Grid of each symbol.

    Returns
    -------
    ndarray of MARKET, shape (n,)
        One array: handing over 27 of them took 2 us of each call.
    """
    state = np.zeros(len(instruments), MARKET)
    state["params"] = prior_values
    state["instrument"] = instruments
    state["regime"]["probs"] = regime.PRIOR
    return state


def new_settings(config: Config, chosen: ModelSet) -> Settings:
    """Settings rows of the kernels, and the models in force.

    Parameters
    ----------
    config : Config
        Also holds the built-in models.
    chosen : ModelSet
        Artefacts that replace them.
    """
    return Settings(
        settings_row(config.features),
        settings_row(config.toxicity),
        settings_row(config.execution),
        settings_row(config.feed),
        settings_row(config.labels),
        _regime_model(config, chosen),
        _toxicity_weights(config, chosen),
        chosen.models,
        np.array([int(chosen.without)]),
    )


def preset_microprice(state: np.ndarray, chosen: ModelSet) -> None:
    """Begin the first symbol with the table of an artefact, where there is one.

    A table is in ticks of one market, the first of what it was trained on; any other estimates its own.
    """
    artefact = chosen.artefacts.get(ModelKind.MICROPRICE)
    if artefact is not None:
        table, step_tick = artefact.arrays["table_tick"], int(artefact.arrays["step_tick"][0])
        microprice.preset(state["microprice"][0], table, step_tick)


def _regime_model(config: Config, chosen: ModelSet) -> np.ndarray:
    artefact = chosen.artefacts.get(ModelKind.REGIME)
    if artefact is None:
        return regime.built_in_model(config.features)
    model = np.zeros(1, regime.REGIME_MODEL)
    for name in ("means", "scales", "dwell_s", "jump"):
        model[name] = artefact.arrays[name]
    model["degrees"] = artefact.arrays["degrees"][0]
    return model


def _toxicity_weights(config: Config, chosen: ModelSet) -> np.ndarray:
    artefact = chosen.artefacts.get(ModelKind.TOXICITY)
    if artefact is None:
        return built_in_weights(config.toxicity)
    arrays = artefact.arrays
    bias, prior, against = (float(arrays[name][0]) for name in ("bias", "prior_log_odds", "llr_against"))
    return pack_weights(arrays["weights"], arrays["means"], arrays["scales"], bias, prior, against, 0.0)


@example(microprice.preset)
def _preset_example() -> tuple[object, ...]:
    return np.zeros(1, MICROPRICE)[0], np.zeros(microprice.STATES), 1
