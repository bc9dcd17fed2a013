"""The kernels of the decision path over many rows: models are judged by what they would have said live."""

import numpy as np

from mmpipe.models.fill_survival import fill_probs_standard
from mmpipe.models.model_inputs import INPUTS
from mmpipe.models.queue_value import loss_bps_of, queue_value
from mmpipe.models.toxicity import calibrated
from mmpipe.models.weights import built_in_models
from mmpipe.records import PARAMS_COUNT
from ringbuf.jit import example, kernel


@kernel
def value_all(
    models: np.ndarray,
    inputs: np.ndarray,
    toxicity: np.ndarray,
    maker_fee_bps: float,
    params: np.ndarray,
    out: np.ndarray,
) -> None:
    """Queue value of many places.

    Parameters
    ----------
    models : (1,) MODELS
        Scratch is overwritten.
    inputs : (n, INPUTS) float64
    toxicity : (n,) int64
        Verdict at each moment.
    maker_fee_bps : float
    params : (n, PARAMS_COUNT) float64
        In force at each moment.
    out : (n, 2) float64
        Mean and uncertainty, bps.
    """
    for row in range(len(inputs)):
        mean_bps, std_bps = queue_value(models, inputs[row], toxicity[row], maker_fee_bps, params[row])
        out[row, 0], out[row, 1] = mean_bps, std_bps


@kernel
def fill_probs_all(models: np.ndarray, inputs: np.ndarray, params: np.ndarray, out: np.ndarray) -> None:
    """Fill probabilities at the standard horizons of many places; params one row each, out (n, 3) float64."""
    for row in range(len(inputs)):
        fill_probs_standard(models, inputs[row], params[row], out[row])


@kernel
def calibrated_all(said: np.ndarray, slopes: np.ndarray, intercepts: np.ndarray, out: np.ndarray) -> None:
    """Forecasts of toxicity as they are published, all of shape (n,) float64."""
    for row in range(len(said)):
        out[row] = calibrated(said[row], slopes[row], intercepts[row])


@kernel
def losses_all(models: np.ndarray, inputs: np.ndarray, out: np.ndarray) -> None:
    """Loss and its uncertainty, bps, of many places by the fitted model in force, out (n, 2) float64."""
    for row in range(len(inputs)):
        out[row, 0], out[row, 1] = loss_bps_of(models, inputs[row])


@example(losses_all)
def _losses_all_example() -> tuple[object, ...]:
    return built_in_models(), np.zeros((1, INPUTS)), np.zeros((1, 2))


@example(value_all)
def _value_all_example() -> tuple[object, ...]:
    one = np.zeros((1, INPUTS))
    return built_in_models(), one, np.zeros(1, np.int64), 1.5, np.ones((1, PARAMS_COUNT)), np.zeros((1, 2))


@example(fill_probs_all)
def _fill_probs_all_example() -> tuple[object, ...]:
    return built_in_models(), np.zeros((1, INPUTS)), np.ones((1, PARAMS_COUNT)), np.zeros((1, 3))


@example(calibrated_all)
def _calibrated_all_example() -> tuple[object, ...]:
    return (np.zeros(1), np.ones(1), np.zeros(1), np.zeros(1))
