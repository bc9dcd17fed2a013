"""Is a fitted queue value better than what decides without it? Asked before it may become an artefact.

On the last part of the training time, fitted to the part before: by how much the squared error of the models
in force (with the parameters a line would have learned by then) exceeds that of the fit. The mean error of
either is taken off, because the level of a queue value is the learner's business. Half an hour holds a few
hundred independent fills, whose edge is mostly noise of the next seconds, so that a fit may well be worse.
"""

from typing import Final, NamedTuple

import numpy as np

from mmpipe.enums import ModelKind
from mmpipe.models.model_inputs import DEPTH
from mmpipe.models.weights import built_in_models, with_arrays
from mmpipe.training import bootstrap
from mmpipe.training.fit_queue_value import INNER_SHARE, fit_queue_value
from mmpipe.training.live_models import losses_all
from mmpipe.training.quote_rows import QuoteRows

BLOCK_S: Final = 10.0  # stretches that are resampled: as in `judge`


class Gain(NamedTuple):
    """Squared error that a fit saves on the last part of the training time, bps^2, with its 95 % interval."""

    gain: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """The interval excludes 0."""
        return self.low > 0.0

    def __str__(self) -> str:
        return f"saves {self.gain:+.3g} bps^2 [{self.low:+.3g}, {self.high:+.3g}]"


def gain_over_models_in_force(rows: QuoteRows, maker_fee_bps: float, seed: int) -> Gain:
    """What a fit to the first INNER_SHARE of the fills saves on the rest.

    Parameters
    ----------
    rows : QuoteRows
        Judged fills of the training time, with what the models in force said of them.
    maker_fee_bps : float
        Fee that edges have off.
    seed : int
        Of the fit and the resampling.

    Raises
    ------
    ValueError
        Too few fills, or too short a time.
    """
    cut_ns = int(rows.joined_ns[int(INNER_SHARE * (len(rows) - 1))]) if len(rows) else 0
    early, late = rows.where(rows.judged_ns <= cut_ns), rows.where(rows.joined_ns >= cut_ns)
    fitted = fit_queue_value(
        early.inputs, early.loss_bps(maker_fee_bps), early.joined_ns, early.judged_ns, seed
    )
    models = with_arrays(built_in_models(), ModelKind.QUEUE_VALUE, fitted.form, fitted.arrays)
    said = np.zeros((len(late), 2))
    losses_all(models, np.ascontiguousarray(late.inputs), said)
    ours = late.edge_bps - (late.inputs[:, DEPTH] - said[:, 0] - maker_fee_bps)
    theirs = late.edge_bps - late.said_edge_bps
    gains = (theirs - theirs.mean()) ** 2 - (ours - ours.mean()) ** 2
    low, high = bootstrap.gain_interval(late.joined_ns, gains, BLOCK_S, np.random.default_rng(seed))
    return Gain(float(gains.mean()), low, high)
