"""`mmpipe replay`: a recorded market through the same stages, in one process, on a virtual clock."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from loguru import logger

from mmpipe import config as configuration
from mmpipe.clock import VirtualClock
from mmpipe.config import Config
from mmpipe.enums import Counter, StageId, Venue
from mmpipe.errors import DataError
from mmpipe.provenance import provenance
from mmpipe.recording.npz import load
from mmpipe.recording.raw_frames import load_frames
from mmpipe.recording.recorded import Recording
from mmpipe.replay.engine import ReplayEngine
from mmpipe.replay.report import mode_occupancy, replay_report, state_sha256
from mmpipe.replay.timeline import timeline
from mmpipe.units import usdc
from mmpipe.venue.sim.latency_model import latency_settings
from mmpipe.venue.sim.replay_exchange import ReplayExchange
from ringbuf.jit import SOURCE_DIGEST, warm
from stages.context import Context
from stages.local_line import LocalLine

PLACE_NS = CANCEL_NS = 50_000_000  # request to market and back: a block and the way, not yet fitted
ANSWER_NS = 50_000_000
QUEUE_POWER = 3.0  # of the queue model; customary
SETTLE_S = 2.0


def replay_file(path: Path, config_path: Path, as_json: bool) -> None:
    """Replay one file and print what happened.

    Parameters
    ----------
    path : Path
        Normalised or hftbacktest .npz, or raw Binance frames .gz.
    config_path : Path
        Configuration; its symbols are replaced by the market of the file.
    as_json : bool
        Print `replay/1` instead of a line.

    Raises
    ------
    DataError
        The file cannot be used; the message names row and cause.
    """
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{level}: {message}")  # a replay has no log file
    recording = read_recording(path)
    config = configuration.load(config_path)
    report = replay_recording(recording, config)
    if as_json:
        print(json.dumps(report, indent=1))
    else:
        print(
            f"{recording.name}: {report['rows']:,} rows in {report['wall_s']:.1f} s "
            f"({report['rows_per_s']:,.0f} rows/s), {report['orders']} orders, {report['fills']} fills, "
            f"position {report['position']:g}, balance {report['balance']:.2f}, "
            f"fees {report['fee']:.2f}, equity {report['equity']:+.2f}, "
            f"modes {report['mode_occupancy']}"
        )


def read_recording(path: Path) -> Recording:
    """Any recording as EVENT rows of the maker's market.

    Raises
    ------
    DataError
        The file is missing, of an unknown kind, or damaged.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if path.suffix == ".npz":
        return load(path, 0, Venue.MAKER)
    if path.suffix == ".gz":
        return load_frames([path], 0, Venue.MAKER)
    raise DataError(f"{path}: neither .npz nor raw frames .gz")


def replay_recording(recording: Recording, config: Config) -> dict[str, Any]:
    """Run a recording through the line and return `replay/1`."""
    with tempfile.TemporaryDirectory(prefix="mmpipe-replay-", dir=_memory_folder()) as folder:
        context = _context(recording, config, folder)
        clock = VirtualClock(int(recording.events["local_ts_ns"][0]))
        latency = latency_settings(PLACE_NS, CANCEL_NS, ANSWER_NS)
        exchange = ReplayExchange(context.config, recording.instruments, clock, latency, QUEUE_POWER)
        line = LocalLine(context, clock, exchange.execution_port, exchange.risk_port)
        compiled = warm(freeze=False)
        engine = ReplayEngine(clock, exchange, line.publish, line.stages)
        run = engine.run(timeline([recording.events], config.feed), SETTLE_S)
        board, counters = line.cell("board.0"), line.counters()
        facts = {
            **provenance(),
            "compile_s": compiled.wall_s,
            "state_sha256": state_sha256(line.state()),
            "mode_occupancy": mode_occupancy(board["mode_ns"][0]),
            "crossed_books": int(counters[StageId.FEATURES, Counter.CROSSED_BOOKS]),
            "equity": usdc(int(board["equity_cash"][0])),
            "orders": int(counters[StageId.EXECUTION, Counter.ORDERS]),
            "labels": int(counters[StageId.FEATURES, Counter.LABELS]),
        }
        return replay_report(run, exchange, recording.instruments, facts)


def _context(recording: Recording, config: Config, folder: str) -> Context:
    tree = msgspec.to_builtins(config)
    tree["symbol"] = [{"coin": "REPLAY", "lead": "NONE"}]
    tree["instance"] = {"name": "replay", "run_dir": folder}
    return Context(
        config_tree=tree,
        instruments_hex=recording.instruments.tobytes().hex(),
        venue_url="",
        lead_public_url="",
        lead_market_url="",
        lead_rest_url="",
        execution_key_hex="",
        risk_key_hex="",
        account="",
        run_dir=folder,
        runtime_dir=folder,
        started_wall_ns=int(recording.events["local_ts_ns"][0]),
        digest=SOURCE_DIGEST,
    )


def _memory_folder() -> str | None:
    # The journal of a replay is thrown away; in memory its commits cost nothing.
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
