"""What people see of the models of one symbol: detection, calibration and slow features, as a MODEL_BOARD."""

import numpy as np

from mmpipe.boards import MODEL_BOARD
from mmpipe.enums import Param
from mmpipe.features.markouts import LAST
from mmpipe.models.toxic_labels import DELAYS_MAX

NS_PER_MS = 1e6


def row(state: np.ndarray, symbol: int) -> np.ndarray:
    """The board of one symbol.

    Parameters
    ----------
    state : (symbols,) MARKET
        Read only.
    symbol : int
        Index.

    Returns
    -------
    ndarray of MODEL_BOARD, shape (1,)
        `seq` and `ts_ns` are left to the writer.
    """
    board = np.zeros(1, MODEL_BOARD)
    detection = state[symbol]["detection"]
    judged = int(detection["judged"])
    board["symbol"] = symbol
    board["trades_judged"], board["trades_toxic"] = judged, detection["toxic"]
    board["episodes"], board["episodes_seen"] = detection["episodes"], detection["episodes_seen"]
    board["false_alarms"] = detection["false_alarms"]
    known = min(int(detection["episodes"]), DELAYS_MAX)
    if known > 0:
        for name, delays in (
            ("delay_trades", detection["delay_trades"][:known]),
            ("delay_ms", detection["delay_ns"][:known] / NS_PER_MS),
        ):
            # Of the episodes themselves: there is nothing between a delay and never.
            board[f"{name}_p50"], board[f"{name}_p95"] = np.quantile(
                delays, (0.5, 0.95), method="inverted_cdf"
            )
    if judged > 0:
        board["brier"] = detection["brier_sum"] / judged
        board["brier_base"] = detection["brier_base_sum"] / judged
    board["calibration_slope"] = state[symbol]["params"][Param.TOXICITY_SLOPE]
    board["calibration_intercept"] = state[symbol]["params"][Param.TOXICITY_INTERCEPT]
    board["vpin"] = state[symbol]["vpin"]["vpin"]
    board["microprice_updates"] = state[symbol]["microprice"]["updates"]
    board["regime_probs"] = state["regime"]["probs"][symbol]
    shadows, fills = state[symbol]["shadow_ends"], state[symbol]["fill_ends"]
    board["shadows_resting"] = shadows["resting"]
    board["markouts_waiting"] = fills["head"] - fills["next"][LAST]
    board["markouts_lost"] = shadows["lost"] + fills["lost"]
    return board
