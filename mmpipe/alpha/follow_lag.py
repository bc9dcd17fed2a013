"""How long the maker takes to follow the lead, kept up online.

Both mids are step functions of time. Over cells of CELL_MS the returns of the maker are correlated with
those of the lead LAGS cells before; the lag is the centre of what is well above nothing, since a maker
follows in several steps. A cell in which the maker did not move adds nothing and costs nothing.

References
----------
Hayashi, Yoshida, Bernoulli 2005 and Huth, Abergel, Journal of Empirical Finance 2014, for cross-products of
returns as a measure of lead and lag.
"""

from typing import Final

import numpy as np

from ringbuf.jit import kernel

CELL_MS: Final = 20
CELL_NS: Final = CELL_MS * 1_000_000
LAGS: Final = 50  # a second
WELL_ABOVE: Final = 0.3  # of the greatest cross-product
KEEP_PER_CELL: Final = 0.99993  # half in 200 s
EVIDENCE_MIN: Final = 30  # cells in which the maker followed something

LAG = np.dtype(
    [
        ("cell", "i8"),  # number of the open cell; 0: none yet
        ("lead_px", "f8"),  # at the end of the cell before
        ("mid_px", "f8"),
        ("lead_now_px", "f8"),  # newest
        ("mid_now_px", "f8"),
        ("lead_bps", "f8", (LAGS,)),  # returns of the lead by cell
        ("products", "f8", (LAGS,)),  # bps^2, by lag
        ("moves", "i8"),  # cells in which the maker moved after a lead that had
        ("lag_ms", "f8"),
    ],
    align=True,
)


@kernel
def observe(lag: np.void, lead_px: float, mid_px: float, ts_ns: int, usual_ms: float) -> None:
    """Take both mids as they are from `ts_ns` on.

    Parameters
    ----------
    lag : LAG record
        Changed in place.
    lead_px, mid_px : float
        > 0.
    ts_ns : int
        Not before the last one.
    usual_ms : float
        What is believed without evidence.
    """
    cell = ts_ns // CELL_NS
    if lag["cell"] == 0 or cell - lag["cell"] > LAGS:
        # The beginning, or a gap longer than all lags: what came before explains nothing after.
        lag["lead_px"], lag["mid_px"], lag["cell"] = lead_px, mid_px, cell
        lag["lead_bps"][:] = 0.0
        if lag["lag_ms"] == 0.0:
            lag["lag_ms"] = usual_ms
    elif cell > lag["cell"]:
        _close(lag)
        for empty in range(lag["cell"] + 1, cell):
            lag["lead_bps"][empty % LAGS] = 0.0
        lag["cell"] = cell
    lag["lead_now_px"], lag["mid_now_px"] = lead_px, mid_px


@kernel
def _close(lag: np.void) -> None:
    cell = lag["cell"]
    lag["lead_bps"][cell % LAGS] = (lag["lead_now_px"] - lag["lead_px"]) / lag["lead_px"] * 1e4
    move_bps = (lag["mid_now_px"] - lag["mid_px"]) / lag["mid_px"] * 1e4
    lag["lead_px"], lag["mid_px"] = lag["lead_now_px"], lag["mid_now_px"]
    if move_bps == 0.0:
        return
    followed = False
    for back in range(LAGS):
        product = move_bps * lag["lead_bps"][(cell - back) % LAGS]
        followed = followed or product != 0.0
        lag["products"][back] = lag["products"][back] * KEEP_PER_CELL + product
    if followed:
        lag["moves"] += 1
        _estimate(lag)


@kernel
def _estimate(lag: np.void) -> None:
    greatest = 0.0
    for back in range(LAGS):
        greatest = max(greatest, lag["products"][back])
    if not (greatest > 0.0 and lag["moves"] >= EVIDENCE_MIN):
        return
    weight, moment = 0.0, 0.0
    for back in range(LAGS):
        product = lag["products"][back]
        if product >= WELL_ABOVE * greatest:
            weight += product
            moment += product * back
    lag["lag_ms"] = max(moment / weight, 0.5) * CELL_MS  # within one cell nothing is told apart
