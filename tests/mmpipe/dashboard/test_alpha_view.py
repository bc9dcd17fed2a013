"""The board of alpha by name: what is gated shows as nothing."""

import json

import numpy as np

from mmpipe.boards import ALPHA_BOARD
from mmpipe.dashboard.alpha_view import alpha_view
from mmpipe.enums import Signal, SignalRefusal


def test_every_signal_is_shown_with_its_weight() -> None:
    board = np.zeros(1, ALPHA_BOARD)
    board["signal_weights"][0, Signal.STAT_ARB] = 0.25
    board["lead_beta"], board["lead_beta_std"], board["lead_lag_ms"] = 0.8, 0.1, 140.0
    board["change_bps"], board["changes"], board["run_length_s"] = -3.5, 4, 61.0
    board["external_accepted"] = 7
    board["external_refused"][0, SignalRefusal.TOO_OFTEN] = 2
    shown = alpha_view(board[0])
    json.dumps(shown, allow_nan=False)
    assert shown["signal_weights"] == {
        signal.name.lower(): 0.25 if signal is Signal.STAT_ARB else 0.0 for signal in Signal
    }
    assert shown["lead"] == {"beta": 0.8, "beta_std": 0.1, "lag_ms": 140.0}
    assert (shown["change_bps"], shown["changes"], shown["level_age_s"]) == (-3.5, 4, 61.0)
    assert (shown["external"]["accepted"], shown["external"]["refused"]) == (7, 2)
    assert shown["external"]["refused_by"] == {"too_often": 2}
