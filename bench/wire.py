"""What the wire costs: messages of both venues into EVENT rows, beside json and orjson; floods over a socket.

    wire/KIND        decode and normalise, from Python, one message per call; peers: parsing alone, and
                     parsing with the same rows made in plain Python
    wire/KIND/ring   the same and published into a ring that is drained
    wire/flood       20,000 messages a second through sockets, receiver on one core; nothing may be lost
    wire/burst       three recorded markets at fifty times their speed, likewise

Messages are recorded ones where MMPIPE_DATA has them; what they are is said with each kind. Before anything
is timed, the rows of every message are compared with those of both peers.

    python bench/wire.py [--json FILE] [--rounds N] [--frames N] [--seconds S] [--only decode|flood|burst]
"""

import argparse
import json
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import orjson

from bench import harness, wire_flood
from bench.wire_messages import Corpus, corpora
from bench.wire_peers import FIELDS
from mmpipe.records import EVENT
from mmpipe.venue.port import DEPTH_ROWS_MAX
from ringbuf import Consumer, Producer, Segment

BUDGETS = Path(__file__).with_name("budgets.toml")
RING_SLOTS = 8_192
NS_PER_US = 1e3
PARSERS: dict[str, Callable[[bytes], Any]] = {"json": json.loads, "orjson": orjson.loads}
Times = dict[str, list[int]]  # kind -> ns per message


class WrongAnswer(Exception):
    """Our rows are not the peers' rows."""


def check(corpus: Corpus) -> None:
    """Compare the rows of every message with what both peers make of it.

    Raises
    ------
    WrongAnswer
        They differ, or a message that is measured gave none.
    """
    out = np.zeros(DEPTH_ROWS_MAX, EVENT)
    for name, parse in PARSERS.items():
        decoder, plain = corpus.decoder(), corpus.plain()
        for number, (kind, frame) in enumerate(corpus.frames):
            rows = out[: decoder.decode(frame, number, out)]
            ours = list(zip(*(rows[field].tolist() for field in FIELDS), strict=True))
            if ours != plain.rows(parse(frame)) or (kind and not ours):
                raise WrongAnswer(
                    f"{corpus.name}, message {number}: ours and {name}'s rows differ: {frame[:200]!r}"
                )


def ours(corpus: Corpus) -> Times:
    """ns of decoding each message."""
    times: Times = defaultdict(list)
    out, clock = np.zeros(DEPTH_ROWS_MAX, EVENT), time.perf_counter_ns
    for _ in range(corpus.repeats):
        decode = corpus.decoder().decode
        for number, (kind, frame) in enumerate(corpus.frames):
            begin_ns = clock()
            decode(frame, number, out)
            times[kind].append(clock() - begin_ns)
    return times


def ours_ring(corpus: Corpus) -> Times:
    """ns of decoding and publishing each message; the ring is drained between them.

    Raises
    ------
    WrongAnswer
        What was drained is not what was decoded.
    """
    times: Times = defaultdict(list)
    out, clock = np.zeros(DEPTH_ROWS_MAX, EVENT), time.perf_counter_ns
    segment = Segment.local(EVENT, RING_SLOTS)
    push, drain = Producer(segment).push, Consumer(segment).pop
    drained = np.zeros(RING_SLOTS, EVENT)
    for _ in range(corpus.repeats):
        decode = corpus.decoder().decode
        for number, (kind, frame) in enumerate(corpus.frames):
            begin_ns = clock()
            count = decode(frame, number, out)
            pushed = push(out[:count])
            times[kind].append(clock() - begin_ns)
            popped = drain(drained)
            if not (pushed == popped == count and (drained["px"][:count] == out["px"][:count]).all()):
                raise WrongAnswer(
                    f"{corpus.name}, message {number}: {count} rows in, {popped} out of the ring"
                )
    return times


def parsed(corpus: Corpus, parse: Callable[[bytes], Any]) -> Times:
    """ns of parsing alone."""
    times: Times = defaultdict(list)
    clock = time.perf_counter_ns
    for _ in range(corpus.repeats):
        for kind, frame in corpus.frames:
            begin_ns = clock()
            parse(frame)
            times[kind].append(clock() - begin_ns)
    return times


def parsed_rows(corpus: Corpus, parse: Callable[[bytes], Any]) -> Times:
    """ns of parsing and making the same rows in plain Python."""
    times: Times = defaultdict(list)
    clock = time.perf_counter_ns
    for _ in range(corpus.repeats):
        rows = corpus.plain().rows
        for kind, frame in corpus.frames:
            begin_ns = clock()
            rows(parse(frame))
            times[kind].append(clock() - begin_ns)
    return times


def measure(found: list[Corpus], rounds: int) -> list[dict[str, Any]]:
    """Rows of the report: two per kind, medians over the rounds.

    Raises
    ------
    WrongAnswer
        Our rows are not the peers' rows.
    """
    rows = []
    for corpus in found:
        check(corpus)
        contestants: list[tuple[str, Callable[[], Times]]] = [
            ("ours", lambda c=corpus: ours(c)),
            ("ring", lambda c=corpus: ours_ring(c)),
        ]
        for name, parse in PARSERS.items():
            contestants.append((f"{name}_parse", lambda c=corpus, p=parse: parsed(c, p)))
            contestants.append((f"{name}_rows", lambda c=corpus, p=parse: parsed_rows(c, p)))
        for _, warm in contestants[:2]:
            warm()
        results = harness.interleave(contestants, rounds, lambda text, n=corpus.name: print(f"{n}: {text}"))
        for kind in dict.fromkeys(kind for kind, _ in corpus.frames if kind):
            rows += _rows_of(corpus, kind, results)
    return rows


def _rows_of(corpus: Corpus, kind: str, results: dict[str, list[Times]]) -> list[dict[str, Any]]:
    sizes = [len(frame) for each, frame in corpus.frames if each == kind]
    summary = {
        name: harness.median_over_rounds(
            [harness.percentiles(np.array(times[kind]) / NS_PER_US, "us") for times in rounds]
        )
        for name, rounds in results.items()
    }
    more = {"origin": corpus.origin, "messages": len(sizes), "bytes": int(np.median(sizes))}
    peers = {name: each for name, each in summary.items() if name not in ("ours", "ring")}
    return [
        {**harness.row(f"wire/{kind}", summary["ours"], peers), **more},
        {**harness.row(f"wire/{kind}/ring", summary["ring"], {}), **more},
    ]


def judge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each measured case beside its budget; NaN is over every budget."""
    budgets = tomllib.loads(BUDGETS.read_text(encoding="utf-8"))["wire"]
    judged = []
    for row in rows:
        limit = budgets.get(row["case"].removeprefix("wire/"))
        if limit is None:
            continue
        ok = row["ours"]["p50"] <= limit["p50_us"] and row["ours"]["p99"] <= limit["p99_us"]
        judged.append({"case": row["case"], **limit, "ok": bool(ok)})
    return judged


def show(rows: list[dict[str, Any]], judged: list[dict[str, Any]]) -> None:
    """Print the report for people."""
    verdicts = {item["case"]: item for item in judged}
    for row in rows:
        case, ours, item = row["case"], row["ours"], verdicts.get(row["case"])
        limit = (
            f"  ≤ {item['p50_us']:g} / {item['p99_us']:g} {'ok' if item['ok'] else 'OVER'}" if item else ""
        )
        print(f"{case:24s} p50 {ours['p50']:>9,.2f} µs  p99 {ours['p99']:>9,.2f} µs{limit}")
        if "sent" in row:
            print(
                f"{'':24s} lag from socket to reader; {row['sent']:,} sent, {row['received']:,} received, "
                f"{row['gaps']} gaps, {row['dropped']} dropped; {row['messages_per_s']:,.0f}/s, "
                f"peak {row['peak_per_s']:,.0f}/s; receiver {row['receiver_cpu']:.2f} of a core"
            )
        if row["peers"]:
            ratios = "  ".join(f"{name} × {ratio:.2f}" for name, ratio in row["ratio"].items())
            print(f"{'':24s} {ratios}  ({row['bytes']:,} bytes; {row['messages']:,} of {row['origin']})")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 if an answer was wrong, something was lost or a budget was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write bench-wire/1 to this file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=10_000, help="most messages of a recording in a round")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the flood lasts")
    parser.add_argument("--only", choices=("decode", "flood", "burst"), help="a part of it")
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    try:
        if options.only in (None, "decode"):
            rows += measure(corpora(options.frames), options.rounds)
        if options.only in (None, "flood"):
            rows.append(wire_flood.flood(options.seconds, wire_flood.RATE))
        if options.only in (None, "burst"):
            rows.append(wire_flood.burst(wire_flood.SPEED))
    except (WrongAnswer, wire_flood.Lost) as error:
        print(f"WRONG {error}")
        return 1
    judged = judge(rows)
    show(rows, judged)
    harness.report("wire", options.rounds, rows, options.json, budget=judged)
    return 0 if all(item["ok"] for item in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
