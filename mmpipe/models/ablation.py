"""What a line without a part of its judgement believes instead, so that the part's worth can be measured.

Nothing is switched in the kernels that judge: they are handed what says nothing. A signal has weight 0; flow
is Benign and the regime NORMAL in every SNAPSHOT; adverse selection and its correction are 0 bps, which
leaves the distance less the fee of a queue value; fills have one hazard, the same everywhere. Artefacts of a
removed part do not decide, and parameters it would learn stay as they are set here.
"""

from typing import Final

import numpy as np

from mmpipe.enums import ModelKind, Param, Part, Regime, Toxicity
from mmpipe.models.model_set import ModelSet
from mmpipe.models.weights import BUILT_IN, HAZARDS
from ringbuf.jit import kernel

NOTHING: Final = Part(0)  # is removed
HELD_PARAMS: Final = {
    Part.QUEUE_VALUE: (
        Param.ADVERSE_SELECTION_BENIGN_BPS,
        Param.ADVERSE_SELECTION_NORMAL_BPS,
        Param.ADVERSE_SELECTION_TOXIC_BPS,
        Param.QUEUE_VALUE_BIAS_BPS,
    ),
    Part.LEAD_LAG: (Param.SIGNAL_WEIGHT_LEAD_LAG,),
    Part.MICROPRICE: (Param.SIGNAL_WEIGHT_MICROPRICE,),
    Part.ORDER_FLOW: (Param.SIGNAL_WEIGHT_ORDER_FLOW,),
    Part.CROSS_ASSET: (Param.SIGNAL_WEIGHT_CROSS_ASSET,),
    Part.FUNDING: (Param.SIGNAL_WEIGHT_FUNDING,),
    Part.STAT_ARB: (Param.SIGNAL_WEIGHT_STAT_ARB,),
}  # parameters that are 0 without the part
_KINDS: Final = {
    Part.TOXICITY: ModelKind.TOXICITY,
    Part.QUEUE_VALUE: ModelKind.QUEUE_VALUE,
    Part.FILL_SURVIVAL: ModelKind.FILL_SURVIVAL,
    Part.REGIME: ModelKind.REGIME,
}  # whose artefact decides nothing without the part
FILLS_PER_S: Final = 0.5  # everywhere, before FILL_PROB_SCALE is learned
_TOXICITY: Final = int(Part.TOXICITY)
_REGIME: Final = int(Part.REGIME)
_BENIGN: Final = int(Toxicity.BENIGN)
_NORMAL: Final = int(Regime.NORMAL)
_STATES: Final = len(Regime)


def less(chosen: ModelSet, without: Part) -> ModelSet:
    """The models in force, less what is to be removed.

    Parameters
    ----------
    chosen : ModelSet
        Left as it is.
    without : Part
        Parts of the judgement, for a comparison.

    Returns
    -------
    ModelSet
        With `without`; toxicity and regime are taken out of what they say (`forget`), not of the models.
    """
    models = chosen.models.copy()
    gone = {kind for part, kind in _KINDS.items() if part & without}
    models["artefact_ids"][0, list(gone)] = 0
    if without & Part.QUEUE_VALUE:
        models["value_form"] = BUILT_IN
    if without & Part.FILL_SURVIVAL:
        models["survival_form"], models["pieces"] = HAZARDS, 1
        models["hazard_ends_s"], models["hazard_adverse"] = np.inf, 0.0
        models["hazard_fill"] = FILLS_PER_S
        models["hazard_fill_coefs"] = models["hazard_adverse_coefs"] = 0.0
        models["hazard_low"], models["hazard_high"] = -np.inf, np.inf
    artefacts = {kind: artefact for kind, artefact in chosen.artefacts.items() if kind not in gone}
    return ModelSet(models, artefacts, without)


def hold_params(values: np.ndarray, without: Part) -> None:
    """Set the parameters of removed parts to nothing, whatever was learned.

    Parameters
    ----------
    values : ndarray of float64, shape (symbols, PARAMS_COUNT)
        Changed in place.
    without : Part
        What is removed.
    """
    for part, params in HELD_PARAMS.items():
        if part & without:
            values[:, list(params)] = 0.0


@kernel
def forget(snapshot: np.void, without: int) -> None:
    """Take what removed parts say out of a SNAPSHOT, before anything is valued by it.

    Parameters
    ----------
    snapshot : SNAPSHOT record
        Flow and regime are written; changed in place.
    without : int
        Bits of Part.
    """
    if without & _TOXICITY != 0:
        snapshot["toxic_buy_prob"], snapshot["toxic_sell_prob"] = 0.0, 0.0
        snapshot["toxicity"] = _BENIGN
    if without & _REGIME != 0:
        for index in range(_STATES):
            snapshot["regime_probs"][index] = 1.0 if index == _NORMAL else 0.0
        snapshot["regime"] = _NORMAL
