"""Does a fitted queue value know more than what decides without it? Asked before it may become an artefact.

Along the training time, each piece judged by a fit to all before it: does what the fit says beyond the models
in force (with the parameters a line would have learned by then) go with what came beyond them?

    agreement = mean of (fit - in force) (came - in force),     slope = agreement / mean of (fit - in force)^2

A slope of 1: what came moved as far as the fit said; 0: what it says is noise. Means of each piece are taken
off, because the level of a queue value is the learner's business. A gain in squared error beyond doubt would
ask for more than half an hour holds: a few hundred independent fills, whose edge is mostly noise.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from mmpipe.enums import ModelKind
from mmpipe.models.model_inputs import DEPTH
from mmpipe.models.weights import built_in_models, with_arrays
from mmpipe.training import bootstrap
from mmpipe.training.fit_queue_value import LABELS_MIN, fit_queue_value
from mmpipe.training.live_models import losses_all
from mmpipe.training.quote_rows import QuoteRows

BLOCK_S: Final = 10.0  # stretches that are resampled: as in `judge`
CUTS: Final = (0.4, 0.55, 0.7, 0.85, 1.0)  # of the fills: ends of the pieces that are judged, the first fits
PIECE_MIN: Final = 20  # fills of a piece


class Gain(NamedTuple):
    """What a fit knows beyond the models in force: squared error saved, bps^2; slope and 95 % interval."""

    gain: float
    slope: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """It saves, and the interval of the slope excludes 0."""
        return self.gain > 0.0 and self.low > 0.0

    def __str__(self) -> str:
        return f"saves {self.gain:+.3g} bps^2, slope {self.slope:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


def gain_over_models_in_force(rows: QuoteRows, maker_fee_bps: float, seed: int) -> Gain:
    """What fits to the fills before each piece of the training time know of it.

    Parameters
    ----------
    rows : QuoteRows
        Judged fills of the training time, with what the models in force said of them.
    maker_fee_bps : float
        Fee that edges have off.
    seed : int
        Of the fits and the resampling.

    Raises
    ------
    ValueError
        Too few fills, or too short a time.
    """
    parts = [_piece(early, late, maker_fee_bps, seed) for early, late in _pieces(rows)]
    if not parts:
        raise ValueError(
            f"queue value: {len(rows)} fills are known, {LABELS_MIN} are needed before the first piece that "
            f"is judged and {PIECE_MIN} in it; record longer"
        )
    joined_ns, beyond, came = (np.concatenate(column) for column in zip(*parts, strict=True))
    scale = max(float(np.mean(beyond**2)), 1e-300)
    rng = np.random.default_rng(seed)
    low, high = bootstrap.gain_interval(joined_ns, beyond * came / scale, BLOCK_S, rng)
    gains = came**2 - (came - beyond) ** 2
    return Gain(float(gains.mean()), float(np.mean(beyond * came)) / scale, low, high)


def _pieces(rows: QuoteRows) -> Iterator[tuple[QuoteRows, QuoteRows]]:
    if not len(rows):
        return
    ends_ns = [int(rows.joined_ns[int(share * (len(rows) - 1))]) for share in CUTS]
    for cut_ns, end_ns in pairwise(ends_ns):
        early = rows.where(rows.judged_ns <= cut_ns)
        late = rows.where((rows.joined_ns >= cut_ns) & (rows.joined_ns < end_ns))
        if len(early) >= LABELS_MIN and len(late) >= PIECE_MIN:
            yield early, late


def _piece(early: QuoteRows, late: QuoteRows, maker_fee_bps: float, seed: int) -> tuple[np.ndarray, ...]:
    # Times, and what the fit said and what came beyond the models in force, bps.
    loss_bps = early.loss_bps(maker_fee_bps)
    fitted = fit_queue_value(early.inputs, loss_bps, early.joined_ns, early.judged_ns, seed)
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, fitted.form, fitted.arrays)
    said = np.zeros((len(late), 2))
    losses_all(models, np.ascontiguousarray(late.inputs), said)
    beyond = late.inputs[:, DEPTH] - said[:, 0] - maker_fee_bps - late.said_edge_bps
    came = late.edge_bps - late.said_edge_bps
    return late.joined_ns, beyond - beyond.mean(), came - came.mean()
