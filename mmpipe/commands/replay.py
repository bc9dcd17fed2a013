"""`mmpipe replay`: a recorded market through the same stages, in one process, on a virtual clock."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from loguru import logger

from mmpipe import config as configuration
from mmpipe.clock import VirtualClock
from mmpipe.commands.replay_compare import comparison, names_of, parts_of, print_comparison, tracked
from mmpipe.config import Config
from mmpipe.enums import Counter, Part, StageId, Venue
from mmpipe.errors import DataError
from mmpipe.models.ablation import NOTHING
from mmpipe.models.model_set import load_model_set, paths_by_kind
from mmpipe.provenance import provenance
from mmpipe.recording.event_hash import EventHash
from mmpipe.recording.recorded import Recording
from mmpipe.recording.sources import load_source, sources_of
from mmpipe.replay.engine import ReplayEngine
from mmpipe.replay.fill_markouts import MidTape, adverse_share, markouts_bps
from mmpipe.replay.report import mode_occupancy, replay_report, state_sha256
from mmpipe.replay.scratch import scratch_folder
from mmpipe.replay.timeline import timeline
from mmpipe.units import usdc
from mmpipe.venue.sim.latency_model import latency_settings
from mmpipe.venue.sim.replay_exchange import ReplayExchange
from ringbuf import Observer
from ringbuf.jit import SOURCE_DIGEST, warm
from stages.context import Context
from stages.local_line import LocalLine

PLACE_NS = CANCEL_NS = 50_000_000  # request to market and back: a block and the way, not yet fitted
ANSWER_NS = 50_000_000
QUEUE_POWER = 3.0  # of the queue model; customary
SETTLE_S = 2.0


def replay_file(
    path: Path,
    config_path: Path,
    as_json: bool,
    models: Sequence[Path] = (),
    without: str = "",
    compare: bool = False,
) -> None:
    """Replay one recording and print what happened.

    Parameters
    ----------
    path : Path
        A folder with a recording, or recorded data of any other format (see `mmpipe.recording.sources`).
    config_path : Path
        Configuration; its symbols are replaced by the markets of the recording.
    as_json : bool
        Print `replay/1` instead of a line.
    models : sequence of Path
        Artefacts that decide, each in place of what the configuration names.
    without : str
        Parts of the judgement to leave out, names of Part separated by commas.
    compare : bool
        Replay the whole line, and the line without each of them (none named: of all), and print what each
        is worth.

    Raises
    ------
    UsageError
        No part has such a name.
    DataError
        The data cannot be used; the message names row and cause.
    """
    parts = parts_of(without)
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{level}: {message}")  # a replay has no log file
    recording = read_recording(path)
    config = configuration.load(config_path, {**paths_by_kind(models)})
    if compare:
        reports = [replay_recording(recording, config, variant) for variant in tracked(parts)]
        report = comparison(recording.name, reports)
    else:
        report = replay_recording(recording, config, parts)
    if as_json:
        print(json.dumps(report, indent=1))
    elif compare:
        print_comparison(report)
    else:
        print(
            f"{recording.name}: {report['rows']:,} rows in {report['wall_s']:.1f} s "
            f"({report['rows_per_s']:,.0f} rows/s), {report['orders']} orders, {report['fills']} fills, "
            f"position {report['position']:g}, balance {report['balance']:.2f}, "
            f"fees {report['fee']:.2f}, equity {report['equity']:+.2f}, "
            f"modes {report['mode_occupancy']}, events {report['events_sha256'][:16]}"
        )


def read_recording(path: Path) -> Recording:
    """Any recording as EVENT rows of the maker's market; a folder of ours with all its markets.

    Raises
    ------
    DataError
        The path is missing, of an unknown kind, damaged, empty, or holds several recordings.
    """
    sources = sources_of([path])
    if len(sources) != 1:
        labels = ", ".join(source.label() for source in sources)
        raise DataError(
            f"{path}: holds several markets ({labels}); `mmpipe import` makes one recording of them"
        )
    recording = load_source(sources[0], 0, Venue.MAKER)
    if not len(recording.events):
        raise DataError(f"{path}: no events")
    return recording


def replay_recording(recording: Recording, config: Config, without: Part = NOTHING) -> dict[str, Any]:
    """Run a recording through the line, less what it is to be without, and return `replay/1`."""
    with scratch_folder() as folder:
        context = _context(recording, config, folder, without)
        clock = VirtualClock(int(recording.events["local_ts_ns"][0]))
        latency = latency_settings(PLACE_NS, CANCEL_NS, ANSWER_NS)
        exchange = ReplayExchange(context.config, recording.instruments, clock, latency, QUEUE_POWER)
        line = LocalLine(context, clock, exchange.execution_port, exchange.risk_port)
        compiled = warm(freeze=False)
        tape = MidTape(Observer(line.segments["snapshot"]).poll)
        engine = ReplayEngine(clock, exchange, line.publish, [*line.stages, tape])
        published = EventHash()
        run = engine.run(_hashed(_chunks(recording, config), published), SETTLE_S)
        line.finish()
        boards = [line.cell(f"board.{symbol}") for symbol in range(len(recording.instruments))]
        counters = line.counters()
        edges_bps = markouts_bps(exchange.fills(), tape.mids(), recording.instruments)
        facts = {
            **provenance(),
            "compile_s": compiled.wall_s,
            "events_sha256": published.hexdigest(),
            "models": context.models_sha256,
            "state_sha256": state_sha256(line.state()),
            "mode_occupancy": mode_occupancy(sum(board["mode_ns"][0] for board in boards)),
            "crossed_books": int(counters[StageId.FEATURES, Counter.CROSSED_BOOKS]),
            "equity": usdc(sum(int(board["equity_cash"][0]) for board in boards)),
            "orders": int(counters[StageId.EXECUTION, Counter.ORDERS]),
            "adverse_share": adverse_share(edges_bps),
            "markout_bps": float(np.nanmean(edges_bps)) if np.isfinite(edges_bps).any() else None,
            "without": names_of(without),
            "labels": int(counters[StageId.FEATURES, Counter.LABELS]),
        }
        return replay_report(run, exchange, recording.instruments, facts)


def _chunks(recording: Recording, config: Config) -> Iterable[np.ndarray]:
    if recording.numbered:
        return [recording.events]  # a line's own stream: TIMER and STATUS are in it
    symbols = range(len(recording.instruments))
    streams = [recording.events[recording.events["symbol"] == symbol] for symbol in symbols]
    return timeline(streams, config.feed)


def _hashed(chunks: Iterable[np.ndarray], digest: EventHash) -> Iterator[np.ndarray]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _context(recording: Recording, config: Config, folder: str, without: Part) -> Context:
    tree = msgspec.to_builtins(config)
    tree["symbol"] = [{"coin": "REPLAY", "lead": "NONE"}]
    if recording.numbered:
        tree["symbol"] = [{"coin": market.coin, "lead": market.lead} for market in recording.markets]
    elif len(recording.markets) > 1:
        tree["symbol"] = [{"coin": market.coin, "lead": "NONE"} for market in recording.markets]
    tree["instance"] = {"name": "replay", "run_dir": folder}
    return Context(
        config_tree=tree,
        instruments_hex=recording.instruments.tobytes().hex(),
        venue_url="",
        feed_url="",
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
        without=int(without),
        models_sha256=load_model_set(config.models).sha256,
    )
