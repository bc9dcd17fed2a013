"""The embedded exchange measured: matching, a market in-process, its likeness to a real one, the server.

    python bench/venue.py [--json FILE] [--fit]

Engine and market are compiled kernels in one process; the server is a process of its own, asked by one
client over 127.0.0.1. `--fit` prints the numbers that stand in the scenario `quiet`.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import harness, venue_server
from bench.venue_calibration import CAPTURE, FITTED_BY_HAND, fit, load_capture, measure, simulate
from bench.venue_engine import EVENTS, new_storm, storm
from mmpipe.venue.sim.block import run_blocks, simulated
from mmpipe.venue.sim.instruments import coins_of, start_table
from mmpipe.venue.sim.ledger import is_conserved
from mmpipe.venue.sim.scenarios import load_scenario

EVENTS_PER_S_MIN = 1e6
REAL_TIME_MIN = 1_000.0
BLOCK_MS = 70
MARKET_S = 3_600.0
CALIBRATION_S = 2_088.0  # as long as the recording
ROUNDS = 5
SEED = 7


def engine_rate() -> float:
    """Order events (places, cancels, fills) per second of the matching kernel, median of some rounds."""
    rates = []
    for seed in range(ROUNDS):
        market, chance, oids = new_storm(seed)
        storm(market, chance, oids, EVENTS // 10)
        begun = time.perf_counter()
        events = storm(market, chance, oids, EVENTS)
        rates.append(events / (time.perf_counter() - begun))
        assert is_conserved(market), "money was made or lost"
    return float(np.median(rates))


def real_time_factor(name: str, coins: tuple[str, ...]) -> float:
    """How many times as fast as real time a scenario runs in-process."""
    table = start_table(coins_of(coins, tuple(f"{coin}USDT" for coin in coins)))
    market, crowd, worth = simulated(SEED, BLOCK_MS, load_scenario(name).phases, table)
    run_blocks(market, crowd, worth, 100, BLOCK_MS * 1_000_000)
    blocks = int(MARKET_S * 1e3 / BLOCK_MS)
    begun = time.perf_counter()
    fills = run_blocks(market, crowd, worth, blocks, BLOCK_MS * 1_000_000)
    spent_s = time.perf_counter() - begun
    assert fills > 0, "a market trades"
    assert is_conserved(market), "money was made or lost"
    return MARKET_S / spent_s


def calibration() -> dict[str, dict[str, float]]:
    """Statistic by statistic: recorded, simulated, ratio; empty without the recording."""
    if not CAPTURE.is_file():
        return {}
    recorded = measure(load_capture())
    made = measure(simulate(load_scenario("quiet").phases, CALIBRATION_S, SEED))
    return {
        name: {"recorded": value, "simulated": made[name], "ratio": made[name] / value}
        for name, value in recorded.items()
    }


def budget(case: str, value: float, wanted: float) -> dict[str, Any]:
    """One row of the contract: at least so much."""
    return {"case": case, "value": value, "wanted": wanted, "ok": bool(value >= wanted)}


def rate(case: str, value: float, unit: str) -> dict[str, Any]:
    """One measured rate."""
    return harness.row(case, harness.percentiles([value], unit), {})


def show(
    rows: list[dict[str, Any]], budgets: list[dict[str, Any]], likeness: dict[str, dict[str, float]]
) -> None:
    """Print the report for people."""
    console = Console(width=110)
    table = Table("statistic", "recorded", "simulated", "ratio", title="quiet against hl_ETH_20250904")
    for name, numbers in likeness.items():
        table.add_row(
            name, f"{numbers['recorded']:.4g}", f"{numbers['simulated']:.4g}", f"{numbers['ratio']:.2f}"
        )
    console.print(table if likeness else f"no recording at {CAPTURE}: likeness not measured")
    speeds = Table("case", "p50", "p99", "unit")
    for row in rows:
        speeds.add_row(row["case"], *(f"{row['ours'][k]:,.4g}" for k in ("p50", "p99")), row["ours"]["unit"])
    console.print(speeds)
    for each in budgets:
        sign = "ok" if each["ok"] else "MISSED"
        console.print(f"{each['case']}: {each['value']:,.4g} (wanted {each['wanted']:,.4g}) {sign}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the report here")
    parser.add_argument("--fit", action="store_true", help="fit the scenario quiet to the recording")
    options = parser.parse_args()
    if options.fit:
        wanted = measure(load_capture())
        for key, value in fit(wanted, load_scenario("quiet").phases.copy(), 6, CALIBRATION_S).items():
            print(f"{key} = {value:.4g}")
        print(f"by hand: {FITTED_BY_HAND}")
        return 0
    events_per_s = engine_rate()
    factors = {name: real_time_factor(name, ("ETH",)) for name in ("quiet", "cascade")}
    two_coins = real_time_factor("quiet", ("BTC", "ETH"))
    rows = [
        rate("engine/order_events", events_per_s, "events/s"),
        *(rate(f"market/{name}/one_coin", factor, "x real time/s") for name, factor in factors.items()),
        rate("market/quiet/two_coins", two_coins, "x real time/s"),
        *venue_server.rows(),
    ]
    budgets = [
        budget("engine/order_events", events_per_s, EVENTS_PER_S_MIN),
        budget("market/quiet/one_coin", factors["quiet"], REAL_TIME_MIN),
    ]
    likeness = calibration()
    show(rows, budgets, likeness)
    harness.report("venue", ROUNDS, rows, options.json, calibration=likeness, budget=budgets)
    return 0 if all(row["ok"] for row in budgets) else 1


if __name__ == "__main__":
    sys.exit(main())
