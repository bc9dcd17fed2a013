"""Where a process of the line gets its venue session from: key, address, instruments, journal file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from mmpipe.clock import NS_PER_MS, NS_PER_S, Clock
from mmpipe.enums import AnswerKind, StageId
from mmpipe.store.journal import JournalKind, read
from mmpipe.venue.hyperliquid_signing import Signer, load_key_file
from mmpipe.venue.orders import HyperliquidOrders
from stages.context import Context

EPOCH_ORIGIN_S = 1_704_067_200  # 2024-01-01: order ids keep 31 bits for the epoch
MAINNET_URL = "https://api.hyperliquid.xyz"


def journal_path(run_dir: Path) -> Path:
    """The journal of execution in the folder of a run."""
    return run_dir / "execution.journal"


def next_epoch(journal_file: Path, clock: Clock) -> int:
    """An epoch no earlier life of execution has used: order ids are unique for ever."""
    used = 0
    for kind, rows in _entries(journal_file):
        if kind == JournalKind.INTENT:
            used = max(used, int((rows["order_id"] >> 32).max()))
    return max(used + 1, clock.wall_ns() // NS_PER_S - EPOCH_ORIGIN_S)


def last_fill_wall_ms(journal_file: Path) -> int:
    """Venue time of the newest journalled fill, Unix ms; 0 when there is none."""
    newest_ns = 0
    for kind, rows in _entries(journal_file):
        if kind == JournalKind.ANSWER:
            fills = rows[rows["kind"] == int(AnswerKind.FILL)]
            newest_ns = max(newest_ns, int(fills["exch_ts_ns"].max(initial=0)))
    return newest_ns // NS_PER_MS


def order_port(context: Context, stage: StageId, clock: Clock, wake: Callable[[], None]) -> HyperliquidOrders:
    """A venue session of `stage` with a key of its own: nonces are counted per key."""
    config = context.config
    if stage == StageId.RISK:
        key_hex, key_file = context.risk_key_hex, config.venue.risk_key_file
    else:
        key_hex, key_file = context.execution_key_hex, config.venue.execution_key_file
    key = bytes.fromhex(key_hex) if key_hex else load_key_file(Path(key_file))
    signer = Signer(key, mainnet=context.venue_url == MAINNET_URL)
    port = HyperliquidOrders(
        url=context.venue_url,
        signer=signer,
        account=context.account,
        instruments=context.instruments,
        coins=[symbol.coin for symbol in config.symbol],
        config=config,
        clock=clock,
        wake=wake,
    )
    if stage == StageId.EXECUTION:
        port.fills_known_until(last_fill_wall_ms(journal_path(Path(context.run_dir))))
    return port


def _entries(journal_file: Path) -> Iterator[tuple[JournalKind, np.ndarray]]:
    return read(journal_file) if journal_file.exists() else iter(())
