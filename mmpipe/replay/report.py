"""`replay --json`: what a replay did, in the fixed keys of `replay/1`.

The two digests make runs comparable at a glance: equal fills, equal final state.
"""

import hashlib
import resource
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from mmpipe.enums import Mode
from mmpipe.replay.engine import ReplayRun
from mmpipe.units import usdc
from mmpipe.venue.sim.replay_exchange import ReplayExchange

SCHEMA: Final = "replay/1"
DIGEST_CHARS: Final = 16


def fills_sha256(fills: np.ndarray) -> str:
    """Digest of fills, independent of the order they were delivered in.

    Parameters
    ----------
    fills : ndarray of ANSWER, shape (n,)
        FILL rows.

    Returns
    -------
    str
        First 16 hexadecimal digits of the SHA-256 over little-endian int64 rows (order id, side, tick,
        lots, venue time) sorted by venue time, then order id.
    """
    names = ("order_id", "side", "px_tick", "qty_lots", "exch_ts_ns")
    rows = np.stack([fills[name].astype("<i8") for name in names], axis=1) if len(fills) else np.zeros((0, 5))
    order = np.lexsort((rows[:, 0], rows[:, 4]))
    return hashlib.sha256(np.ascontiguousarray(rows[order]).tobytes()).hexdigest()[:DIGEST_CHARS]


def state_sha256(parts: Iterable[np.ndarray]) -> str:
    """Digest of the arrays that make up a line's final state, in the order given."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.dtype.itemsize} {part.shape}".encode())
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def mode_occupancy(mode_ns: np.ndarray) -> dict[str, float]:
    """Share of time in each mode.

    Parameters
    ----------
    mode_ns : ndarray of int64, shape (modes,)
        Time spent, BOARD's `mode_ns` summed over symbols.
    """
    total = int(mode_ns.sum())
    names = {mode: "".join(word.title() for word in mode.name.split("_")) for mode in Mode}
    return {names[mode]: int(mode_ns[mode]) / total if total else 0.0 for mode in Mode}


def replay_report(
    run: ReplayRun,
    exchange: ReplayExchange,
    instruments: np.ndarray,
    line: Mapping[str, Any],
) -> dict[str, Any]:
    """The report of one replay.

    Parameters
    ----------
    run : ReplayRun
        What the engine did.
    exchange : ReplayExchange
        The venue after it.
    instruments : ndarray of INSTRUMENT, shape (symbols,)
        Grid of each symbol.
    line : mapping
        What only the caller knows: `state_sha256`, `mode_occupancy`, `crossed_books`, `compile_s`, and
        the provenance every output carries (`version`, `git`, `machine`).

    Returns
    -------
    dict
        JSON values; position in base units, balance and fee in USDC, summed over symbols.
    """
    fills = exchange.fills()
    position = float((exchange.position_lots * instruments["lot_qty"]).sum())
    return {
        "schema": SCHEMA,
        "rows": run.rows,
        "messages": run.messages,
        "span_s": (run.last_ts_ns - run.first_ts_ns) / 1e9,
        "wall_s": run.wall_s,
        "rows_per_s": run.rows / run.wall_s if run.wall_s > 0.0 else 0.0,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "fills": len(fills),
        "fills_sha256": fills_sha256(fills),
        "position": position,
        "balance": usdc(exchange.cash),
        "fee": usdc(exchange.fees_cash),
        "num_trades": len(fills),
        "parity": None,
        **line,
    }
