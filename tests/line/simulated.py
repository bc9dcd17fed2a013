"""The whole line in one process over a synthetic market: what the wiring tests look at."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from mmpipe import config as configuration
from mmpipe.clock import NS_PER_S, VirtualClock
from mmpipe.enums import EventFlag, EventKind
from mmpipe.models.model_set import load_model_set, paths_by_kind
from mmpipe.replay.engine import ReplayEngine
from mmpipe.replay.timeline import timeline
from mmpipe.venue.sim.latency_model import latency_settings
from mmpipe.venue.sim.replay_exchange import ReplayExchange
from stages.context import Context
from stages.local_line import LocalLine
from tests.line.synthetic import COIN, LEAD, synthetic_market

ROOT = Path(__file__).resolve().parents[2]


class SimulatedRun:
    """One simulated run; `line` and `exchange` are as it left them, `snapshots` and `forecasts` samples."""

    def __init__(
        self, folder: Path, scenario: str, seed: int, seconds: float, models: Sequence[Path] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        maker, lead, self.instrument = synthetic_market(scenario, seed, seconds)
        tree = msgspec.to_builtins(
            configuration.load(
                ROOT / "pipeline.toml",
                # Edges judged after 1 s are many enough to learn from in a run that is not much longer than
                # the minute their fills wait.
                {
                    "instance.run_dir": str(folder),
                    "instance.name": "sim",
                    "labels.horizon_s": 1.0,
                    **paths_by_kind(models),
                },
            )
        )
        tree["symbol"] = [{"coin": COIN, "lead": LEAD}]
        self.context = context = Context(
            config_tree=tree, instruments_hex=self.instrument.tobytes().hex(), venue_url="", feed_url="",
            lead_public_url="", lead_market_url="", lead_rest_url="",
            execution_key_hex="", risk_key_hex="", account="",
            run_dir=str(folder), runtime_dir=str(folder), started_wall_ns=0, digest="",
            models_sha256=load_model_set(configuration.check(tree, "test").models).sha256,
        )  # fmt: skip
        config = context.config
        clock = VirtualClock(int(maker["local_ts_ns"][0]))
        self.exchange = ReplayExchange(
            config, self.instrument, clock, latency_settings(20_000_000, 20_000_000, 20_000_000), 3.0
        )
        self.line = LocalLine(context, clock, self.exchange.execution_port, self.exchange.risk_port)
        self.snapshots = _Tap(self.line, "snapshot")
        self.forecasts = _Tap(self.line, "forecast")
        stages = [
            self.line.stages[0],
            self.line.stages[1],
            self.snapshots,
            self.line.stages[2],
            self.forecasts,
        ]
        stages += self.line.stages[3:]
        engine = ReplayEngine(clock, self.exchange, self.line.publish, stages)
        engine.run(timeline([maker, np.concatenate([lead, crossed(lead)])], config.feed), 2.0)


def crossed(lead: np.ndarray) -> np.ndarray:
    """Two seconds of a lead whose quotes have ended and whose depth says what cannot be."""
    rows = np.repeat(lead[-1:], 4)
    rows["kind"] = [EventKind.BOOK_CLEAR, EventKind.BOOK_DELTA, EventKind.BOOK_DELTA, EventKind.BOOK_DELTA]
    rows["side"], rows["flags"] = [0, 1, -1, 1], [0, 0, EventFlag.LAST, EventFlag.LAST]
    rows["px_tick"] += [0, 2, -2, 3]
    rows["px"], rows["qty"] = rows["px_tick"] * (lead["px"][-1] / lead["px_tick"][-1]), 1.0
    rows["remote_seq"] += 10**9
    rows["local_ts_ns"] += np.array([1, 1, 1, 2 * NS_PER_S])
    return rows


class _Tap:
    # Copies what passes through a ring, as an observer: nobody waits for it.
    def __init__(self, line: LocalLine, ring: str) -> None:
        from ringbuf import Observer

        self._observer = Observer(line.segments[ring])
        self._parts: list[np.ndarray] = []

    def poll(self) -> int:
        rows, lapped = self._observer.poll(4096)
        assert lapped == 0
        if len(rows):
            self._parts.append(rows)
        return 0

    def rows(self) -> np.ndarray:
        return np.concatenate(self._parts)
