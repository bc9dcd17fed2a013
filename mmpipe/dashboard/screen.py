"""The live screen of `mmpipe run`: what is quoted, what it earns, and why it does not quote."""

from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

MODE_STYLE = {
    "Maker": "bold green",
    "Flat": "dim",
    "InventoryReduce": "yellow",
    "TakerExit": "red",
    "TakerEntry": "cyan",
}
FEED_STYLE = {"live": "green", "stale": "red", "gapped": "red", "syncing": "yellow", "never": "dim"}


def render(status: dict[str, Any]) -> RenderableType:
    """A `run/1` dictionary as one screen."""
    return Group(
        _headline(status),
        _symbols(status),
        _stages(status),
        _clocks(status),
        _rings(status),
        _models(status),
        _loops(status),
    )


def _headline(status: dict[str, Any]) -> RenderableType:
    counters, risk = status["counters"], status["risk"]
    text = Text()
    text.append(f" {status['instance']} ", style="reverse")
    text.append(f"  {status['mode']} on {status['venue']}   {status['duration_s']:.0f} s   ")
    names = ("events", "snapshots", "forecasts", "orders", "fills", "labels", "restarts")
    text.append("   ".join(f"{name} {counters[name]:,}" for name in names))
    if risk["kill"]:
        text.append(f"   KILL: {risk['kill']['reason']}", style="bold red")
    elif risk["paused"]:
        text.append("   paused by risk", style="bold yellow")
    else:
        text.append(f"   lease {risk['lease_ms']:.0f} ms", style="green" if risk["lease_ms"] > 0 else "red")
    return Panel(text)


def _symbols(status: dict[str, Any]) -> RenderableType:
    table = Table(expand=True, title="symbols", title_justify="left")
    columns = ("", "mode", "toxicity", "bid", "ask", "inventory", "target", "equity", "spread", "adverse",
               "inventory PnL", "fees", "maker feed", "lead feed", "why not")  # fmt: skip
    for column in columns:
        table.add_column(column, overflow="fold")
    for coin, symbol in status["symbols"].items():
        pnl, feeds = symbol["pnl"], symbol["feeds"]
        table.add_row(
            coin,
            Text(symbol["mode"], style=MODE_STYLE[symbol["mode"]]),
            _toxicity(symbol["toxicity"], symbol["toxicity_detection"]),
            _quote(symbol["bid"]),
            _quote(symbol["ask"]),
            f"{symbol['position']['fills']:+g}",
            f"{symbol['target']:+g}",
            *(
                f"{pnl[part]:+.2f}"
                for part in ("equity_change", "spread", "adverse_selection", "inventory", "fees")
            ),
            _feed(feeds["maker"]),
            _feed(feeds["lead"]),
            _why_not(symbol["why_not"]),
        )
    return table


def _stages(status: dict[str, Any]) -> RenderableType:
    table = Table(expand=True, title="stages (µs)", title_justify="left")
    columns = (
        "",
        "pid",
        "core",
        "in",
        "out",
        "work p50",
        "p99",
        "p99.9",
        "wait p50",
        "p99",
        "p99.9",
        "beat ms",
        "MB",
    )
    for column in columns:
        table.add_column(column)
    for name, stage in status["stages"].items():
        latencies = [
            stage[kind][q] for kind in ("work_us", "wait_us") if kind in stage for q in ("p50", "p99", "p999")
        ]
        table.add_row(
            name,
            str(stage["pid"]),
            str(stage["core"]),
            f"{stage['records_in']:,}",
            f"{stage['records_out']:,}",
            *([f"{latency:g}" for latency in latencies] or [""] * 6),
            f"{stage['heartbeat_age_ms']:g}",
            f"{stage['rss_mb']:.0f}",
        )
    order = status["tick_to_order_us"]
    table.add_row("tick to order", "", "", "", "", *(f"{order[q]:g}" for q in ("p50", "p99", "p999")))
    return table


def _rings(status: dict[str, Any]) -> RenderableType:
    waiting = [f"{name} {ring['backlog']}" for name, ring in status["rings"].items() if ring["backlog"]]
    return Text("records waiting in rings  " + ("   ".join(waiting) or "none"), style="dim")


def _clocks(status: dict[str, Any]) -> RenderableType:
    # The same for every symbol: a venue has one clock.
    feeds = next(iter(status["symbols"].values()))["feeds"]
    parts = []
    for venue, feed in feeds.items():
        low, high = (f"{bound:+.1f}" if bound is not None else "?" for bound in feed["skew_ms"])
        missed = sum(stream["missed"] for stream in feed["streams"].values())
        parts.append(f"{venue}: ahead of it by {low} to {high} ms, {missed} messages missed")
    return Text("clock and streams  " + "   ".join(parts), style="dim")


def _models(status: dict[str, Any]) -> RenderableType:
    parts = []
    for name, model in status["models"].items():
        said = [model["decides"][stage] for stage in ("features", "execution")]
        decides = all(answer is not False for answer in said)
        artefact = (
            f"{model['sha256'][:12]}{'' if decides else ' NOT IN FORCE'}" if model["sha256"] else "built in"
        )
        parts.append(f"{name} {artefact}")
    return Text("models  " + "   ".join(parts), style="dim")


def _loops(status: dict[str, Any]) -> RenderableType:
    parts = [
        f"{name}: {loop['updates']} updates of {loop['inputs']} → {loop['consumer']}"
        for name, loop in status["loops"].items()
    ]
    return Text("learning  " + "   ".join(parts), style="dim")


def _quote(side: dict[str, float]) -> str:
    return f"{side['qty']:g} @ {side['px']:g}" if side["qty"] else "–"


def _feed(feed: dict[str, Any]) -> Text:
    age = "" if feed["age_ms"] is None else f" {feed['age_ms']:.0f} of {feed['limit_ms']:.0f} ms"
    return Text(feed["state"] + age, style=FEED_STYLE[feed["state"]])


def _toxicity(verdict: str, detection: dict[str, Any]) -> str:
    if detection["delay_trades"] is None or detection["delay_trades"]["p50"] is None:
        return verdict
    return f"{verdict} (known after {detection['delay_trades']['p50']:.0f} trades)"


def _why_not(why_not: dict[str, dict[str, str]]) -> str:
    parts = []
    for side, reasons in why_not.items():
        parts += [
            f"{side}: {name.lower().replace('_', ' ')}" for name in reasons if name not in ("QUOTING", "NONE")
        ]
    return ", ".join(parts) or "quoting"
