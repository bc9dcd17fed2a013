"""What alpha believes, as `status` shows it: signals in force, how the maker follows the lead, changes."""

from typing import Any

import numpy as np

from mmpipe.enums import Signal, SignalRefusal


def alpha_view(board: np.void) -> dict[str, Any]:
    """One ALPHA_BOARD record by name.

    Parameters
    ----------
    board : ALPHA_BOARD record
        Zeros before the first snapshot.

    Returns
    -------
    dict
        `signal_weights` by signal (0: gated), `lead` with the tracked coefficient, its standard deviation
        and the lag, `change_bps` under way and `changes` so far, `level_age_s`, `external` signals.
    """
    return {
        "signal_weights": {
            signal.name.lower(): round(float(board["signal_weights"][signal]), 4) for signal in Signal
        },
        "lead": {
            "beta": round(float(board["lead_beta"]), 4),
            "beta_std": round(float(board["lead_beta_std"]), 4),
            "lag_ms": round(float(board["lead_lag_ms"]), 1),
        },
        "change_bps": round(float(board["change_bps"]), 3),
        "changes": int(board["changes"]),
        "level_age_s": float(board["run_length_s"]),
        "external": {
            "accepted": int(board["external_accepted"]),
            "refused": int(board["external_refused"].sum()),
            "refused_by": {
                reason.name.lower(): int(count)
                for reason, count in zip(SignalRefusal, board["external_refused"], strict=True)
                if count
            },
        },
    }
