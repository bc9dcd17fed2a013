"""`mmpipe run`: start the line, show it, stop it, and say what happened."""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.live import Live

from mmpipe import config as configuration
from mmpipe import interrupts
from mmpipe.config import Config
from mmpipe.dashboard.screen import render
from mmpipe.dashboard.status import LineReader
from mmpipe.errors import DeadlineError, PreflightError, RiskHaltedError, UsageError, VenueError
from mmpipe.models.model_set import paths_by_kind
from mmpipe.replay.scratch import remove_orphans
from mmpipe.store.journal import positions_of
from mmpipe.venue.rest import fetch_info
from stages.order_port import journal_path
from stages.runner import wait_until
from stages.supervisor import Supervisor

SCREEN_INTERVAL_S = 0.25
HEADLESS_LINE_S = 10.0
SETTLE_TIMEOUT_S = 5.0
INFO_TIMEOUT_S = 5.0


class RunOptions(NamedTuple):
    """The command line of `mmpipe run`."""

    config: Path
    instance: str
    duration_s: float
    headless: bool
    scenario: str
    profile: str
    seed: int
    port: int
    live: bool
    json: Path | None
    models: tuple[Path, ...] = ()


def run_line(options: RunOptions) -> None:
    """Run until the duration is over, Ctrl-C, or a halt; exits with 0, 1 or 6.

    Raises
    ------
    Interrupted
        A signal came before the line was up; nothing was sent, nothing is left.
    MmpipeError
        Whatever keeps the line from starting, or from ending with nothing open.
    """
    config = load_config(options)
    remove_orphans()
    console = Console(stderr=True)
    supervisor = Supervisor(config)
    console.print(f"starting '{config.instance.name}' ({config.venue.mode} on {config.venue.kind}) …")
    try:
        supervisor.start()
    except interrupts.Interrupted as end:
        raise interrupts.Interrupted(f"{end} before the line was up: no order was sent") from None
    try:
        reader = LineReader(supervisor.context)
        started_s = time.monotonic()
        console.print(
            f"venue {supervisor.context.venue_url}   run {supervisor.context.run_dir}   Ctrl-C stops",
            soft_wrap=True,  # scripts look for these words, whatever the width and the length of the path
        )
        _watch(supervisor, reader, options, console)
        status = _close(supervisor, reader, time.monotonic() - started_s)
    finally:
        supervisor.stop()
    _add_journal(status, supervisor, reader)
    _report(status, console)
    if options.json is not None:
        options.json.write_text(json.dumps(status, indent=1) + "\n", encoding="utf-8")
    _judge(status)


def load_config(options: RunOptions) -> Config:
    """The configuration with what the command line overrides, live trading only after two acts."""
    overrides: dict[str, Any] = {**paths_by_kind(options.models)}
    for key, value, given in (
        ("instance.name", options.instance, options.instance != ""),
        ("venue.scenario", options.scenario, options.scenario != ""),
        ("venue.profile", options.profile, options.profile != ""),
        ("venue.seed", options.seed, options.seed >= 0),
        ("venue.port", options.port, options.port >= 0),
    ):
        if given:
            overrides[key] = value
    if not options.duration_s >= 0.0:
        raise UsageError(f"--duration {options.duration_s}: must be seconds >= 0")
    config = configuration.load(options.config, overrides)
    if (config.venue.mode == "live") != options.live:
        raise PreflightError(
            "live trading takes two acts: venue.mode = 'live' in the configuration "
            "and --live on the command line"
        )
    if config.venue.kind == "hyperliquid" and config.venue.mode == "paper":
        raise PreflightError(
            "paper on a live feed needs the shadow exchange, which this version does not have; "
            "use venue.kind = 'embedded', or 'live'"
        )
    return config


def _watch(supervisor: Supervisor, reader: LineReader, options: RunOptions, console: Console) -> None:
    # Ctrl-C and SIGTERM end the run in order; a second Ctrl-C does not hurry it: orders come first.
    deadline_s = time.monotonic() + options.duration_s if options.duration_s else float("inf")
    screen = None if options.headless else Live(console=console, screen=False, auto_refresh=False)
    next_s = 0.0

    def goes_on() -> bool:
        return not interrupts.asked() and time.monotonic() < deadline_s

    if screen:
        screen.start()
    try:
        while goes_on() and supervisor.watch(SCREEN_INTERVAL_S):
            if time.monotonic() < next_s:
                continue
            next_s = time.monotonic() + (SCREEN_INTERVAL_S if screen else HEADLESS_LINE_S)
            status = reader.status(sum(supervisor.restarts.values()), supervisor.counters_before)
            if screen:
                screen.update(render(status), refresh=True)
            else:
                console.print(_line(status), highlight=False)
    finally:
        if screen:
            screen.stop()


def _close(supervisor: Supervisor, reader: LineReader, duration_s: float) -> dict[str, Any]:
    # Quotes off, nothing open at the venue (by its own word), then a last look while risk still runs.
    supervisor.stop_quoting()
    if not supervisor.venue_lives():
        status = reader.status(sum(supervisor.restarts.values()), supervisor.counters_before)
        status["duration_s"], status["halt_reason"] = round(duration_s, 3), supervisor.halt_reason
        status["open_orders_at_exit"] = None  # nobody is left to ask
        return status
    open_orders = _open_orders(supervisor)
    if open_orders:
        supervisor.cancel_all_by_risk()
        wait_until(lambda: not _open_orders(supervisor), SETTLE_TIMEOUT_S, 0.1)
        open_orders = _open_orders(supervisor)
    venue = _venue_positions(supervisor)
    wait_until(lambda: _risk_positions(supervisor, reader) == venue, SETTLE_TIMEOUT_S, 0.05)
    status = reader.status(sum(supervisor.restarts.values()), supervisor.counters_before)
    status["duration_s"] = round(duration_s, 3)
    status["open_orders_at_exit"] = len(open_orders)
    for coin, position in _venue_positions(supervisor).items():
        status["symbols"][coin]["position"]["venue"] = position
    kill = status["risk"]["kill"]
    status["halt_reason"] = supervisor.halt_reason or (f"KILL: {kill['reason']}" if kill else "")
    return status


def _open_orders(supervisor: Supervisor) -> list[Any]:
    context = supervisor.context
    answer = fetch_info(context.venue_url, {"type": "openOrders", "user": context.account}, INFO_TIMEOUT_S)
    return list(answer) if isinstance(answer, list) else []


def _venue_positions(supervisor: Supervisor) -> dict[str, float]:
    context = supervisor.context
    body = {"type": "clearinghouseState", "user": context.account}
    positions = dict.fromkeys((symbol.coin for symbol in supervisor.config.symbol), 0.0)
    for entry in fetch_info(context.venue_url, body, INFO_TIMEOUT_S)["assetPositions"]:
        coin = entry["position"]["coin"]
        if coin in positions:
            positions[coin] = float(entry["position"]["szi"])
    return positions


def _risk_positions(supervisor: Supervisor, reader: LineReader) -> dict[str, float]:
    symbols = reader.status()["symbols"]
    return {symbol.coin: symbols[symbol.coin]["position"]["risk"] for symbol in supervisor.config.symbol}


def _add_journal(status: dict[str, Any], supervisor: Supervisor, reader: LineReader) -> None:
    # What the file says, read after its writer is gone: the fold every restart would start from.
    lots = positions_of(journal_path(Path(supervisor.context.run_dir)))
    for index, symbol in enumerate(supervisor.config.symbol):
        journalled = round(lots.get(index, 0) * float(reader.instruments["lot_qty"][index]), 8)
        status["symbols"][symbol.coin]["position"]["journal"] = journalled


def _judge(status: dict[str, Any]) -> None:
    if status["open_orders_at_exit"] is None:
        raise VenueError(f"the line was stopped: {status['halt_reason']}; open orders are not known")
    disagree = [
        f"{coin} {symbol['position']}"
        for coin, symbol in status["symbols"].items()
        if len(set(symbol["position"].values())) != 1
    ]
    if status["open_orders_at_exit"]:
        raise VenueError(
            f"{status['open_orders_at_exit']} orders are still open at the venue: cancel them by hand"
        )
    if disagree:
        raise VenueError("positions disagree at exit: " + "; ".join(disagree))
    if status["risk"]["kill"]:
        raise RiskHaltedError(f"KILL is latched: {status['risk']['kill']['reason']}")
    if status["halt_reason"]:
        raise DeadlineError(f"the line was stopped: {status['halt_reason']}")


def _line(status: dict[str, Any]) -> str:
    counters = status["counters"]
    parts = [
        f"{status['duration_s']:7.1f} s",
        *(f"{name} {counters[name]}" for name in ("events", "orders", "fills")),
    ]
    for coin, symbol in status["symbols"].items():
        why = {side: next(iter(reasons)) for side, reasons in symbol["why_not"].items()}
        parts.append(
            f"{coin} {symbol['mode']} {symbol['position']['fills']:+g} "
            f"pnl {symbol['pnl']['equity_change']:+.2f} (bid {why['bid'].lower()}, ask {why['ask'].lower()})"
        )
    return "  ".join(parts)


def _report(status: dict[str, Any], console: Console) -> None:
    counters = status["counters"]
    status["exit"] = "halted" if status["halt_reason"] else "ok"
    if status["risk"]["kill"]:
        status["exit"] = "risk-halted"
    console.print(
        f"stopped after {status['duration_s']:.1f} s: {counters['orders']} orders, "
        f"{counters['fills']} fills, {counters['restarts']} restarts; "
        f"open orders at the venue: {status['open_orders_at_exit']}",
        highlight=False,
    )
    for coin, symbol in status["symbols"].items():
        pnl = symbol["pnl"]
        busy = {mode: share for mode, share in symbol["mode_occupancy"].items() if share > 0}
        console.print(
            f"  {coin}: position {symbol['position']}  equity {pnl['equity_change']:+.2f} = "
            f"spread {pnl['spread']:+.2f} adverse {pnl['adverse_selection']:+.2f} "
            f"inventory {pnl['inventory']:+.2f} fees {pnl['fees']:+.2f}  {busy}",
            highlight=False,
        )
