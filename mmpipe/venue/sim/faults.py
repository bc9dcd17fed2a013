"""Faults on demand: what the exchange is told to get wrong, and the ledger of what really happened.

A fault is active for a time, strikes with a probability, and at most so many times. Nothing here changes the
market: an order whose answer was lost is in the book, and the ledger says so.
"""

import random
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from mmpipe.errors import UsageError

LEDGER_MAX: Final = 20_000
MS_PER_S: Final = 1_000
_FOREVER: Final = 1 << 62

# Name of a fault: what it does, and the parameters it takes beside `for_s`, `probability` and `count`.
FAULTS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "error_executed": ("answers an error to an action that was executed", frozenset()),
    "answer_lost": ("executes an action and never answers it", frozenset()),
    "answer_late": ("answers `ms` later, so that fills and order updates come first", frozenset({"ms"})),
    "fills_late": ("tells of fills and order updates `ms` later than answers", frozenset({"ms"})),
    "fills_twice": ("sends every message of fills twice", frozenset()),
    "fills_shuffled": ("sends a message of fills after the next one, or a second late", frozenset()),
    "server_error": ("answers 502 to HTTP requests without executing them", frozenset()),
    "too_many_requests": ("answers 429 to HTTP requests without executing them", frozenset()),
    "drop_sockets": ("cuts every socket, and new ones, without a closing handshake", frozenset()),
    "half_open": ("leaves sockets open and neither reads nor writes them", frozenset()),
    "idle_close": ("cuts sockets it has sent nothing to for `ms`", frozenset({"ms"})),
    "silent": ("stops one `channel` (of one `coin`, if given)", frozenset({"channel", "coin"})),
    "garbage": (
        "replaces messages (of one `channel`, if given) by bytes that are none",
        frozenset({"channel"}),
    ),
    "ghost_levels": ("shows a bid and an ask in l2Book that are not there", frozenset({"coin"})),
    "clock_skew": ("runs the clock of the venue `ms` ahead, or behind when negative", frozenset({"ms"})),
    "lead_silent": ("stops the lead market's streams", frozenset()),
    "lead_drop": ("cuts the lead market's sockets, and new ones", frozenset()),
}
_REQUIRED: Final = {
    "answer_late": "ms",
    "fills_late": "ms",
    "clock_skew": "ms",
    "idle_close": "ms",
    "silent": "channel",
}
_MS_MAX: Final = 86_400_000


@dataclass(slots=True)
class Fault:
    """One fault that is on.

    Attributes
    ----------
    until_ms : int
        Venue time at which it ends.
    probability : float
        Of striking, per occasion.
    left : int
        Times it may still strike.
    ms : int
        Its duration or offset, where it has one.
    channel, coin : str
        What it is confined to; empty: everything.
    """

    kind: str
    until_ms: int
    probability: float
    left: int
    ms: int
    channel: str
    coin: str

    def concerns(self, channel: str, coin: str) -> bool:
        """Whether an occasion is within its bounds."""
        return self.channel in ("", channel) and self.coin in ("", coin)


class Faults:
    """Faults that are on, and the ledger.

    Parameters
    ----------
    seed : int
        Of the chances; the same seed and the same occasions strike alike.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._active: list[Fault] = []
        self.ledger: deque[dict[str, Any]] = deque(maxlen=LEDGER_MAX)
        self.now_ms = 0

    def start(self, kind: str, parameters: dict[str, Any]) -> None:
        """Switch a fault on.

        Parameters
        ----------
        kind : str
            A key of `FAULTS`.
        parameters : dict
            `for_s`, `probability`, `count`, and what the fault takes.

        Raises
        ------
        UsageError
            If there is no such fault, or a parameter is unknown, missing or out of range.
        """
        fault = checked_fault(kind, parameters, self.now_ms)
        self._active.append(fault)
        self.note(kind, {"on": True, **parameters})

    def stop(self, kind: str) -> int:
        """Switch off every fault of one kind, with an empty text all; returns how many there were."""
        ended = [fault for fault in self._active if kind in ("", fault.kind)]
        self._active = [fault for fault in self._active if fault not in ended]
        for fault in ended:
            self.note(fault.kind, {"on": False})
        return len(ended)

    def tick(self, now_ms: int) -> None:
        """Move time on and end what is over."""
        self.now_ms = now_ms
        if any(fault.until_ms <= now_ms or fault.left <= 0 for fault in self._active):
            for fault in [f for f in self._active if f.until_ms <= now_ms or f.left <= 0]:
                self._active.remove(fault)
                self.note(fault.kind, {"on": False})

    @property
    def any_on(self) -> bool:
        """Whether any fault is on."""
        return bool(self._active)

    def holds(self, kind: str) -> Fault | None:
        """The fault of a kind that is on all the time it is on, such as a skewed clock."""
        return next((fault for fault in self._active if fault.kind == kind), None)

    def strikes(self, kind: str, channel: str = "", coin: str = "") -> Fault | None:
        """Whether a fault strikes on this occasion; it is counted."""
        for fault in self._active:
            if fault.kind == kind and fault.left > 0 and fault.concerns(channel, coin):
                if self._chance.random() >= fault.probability:
                    continue
                fault.left -= 1
                return fault
        return None

    def note(self, kind: str, truth: dict[str, Any]) -> None:
        """Write into the ledger what really happened."""
        self.ledger.append({"time": self.now_ms, "fault": kind, **truth})

    def view(self) -> list[dict[str, Any]]:
        """What is on, for people."""
        return [
            {"fault": f.kind, "ends_in_s": min(f.until_ms - self.now_ms, _MS_MAX) / MS_PER_S,
             "probability": f.probability}
            for f in self._active
        ]  # fmt: skip


def checked_fault(kind: str, parameters: dict[str, Any], now_ms: int) -> Fault:
    """A fault from its parameters; raises `UsageError` as `Faults.start`."""
    if kind not in FAULTS:
        raise UsageError(f"fault {kind!r} does not exist; choose one of: {', '.join(FAULTS)}")
    allowed = FAULTS[kind][1] | {"for_s", "probability", "count"}
    unknown = sorted(set(parameters) - allowed)
    if unknown:
        raise UsageError(f"fault {kind}: {', '.join(unknown)} unknown; it takes {', '.join(sorted(allowed))}")
    if kind in _REQUIRED and _REQUIRED[kind] not in parameters:
        raise UsageError(f"fault {kind}: give {_REQUIRED[kind]}")
    for_s = _number(kind, parameters, "for_s", 0.0, 1e9, 1e9)
    channel, coin = (parameters.get(key, "") for key in ("channel", "coin"))
    if not isinstance(channel, str) or not isinstance(coin, str):
        raise UsageError(f"fault {kind}: channel and coin are texts")
    return Fault(
        kind,
        now_ms + int(for_s * MS_PER_S) if for_s < 1e9 else _FOREVER,  # the bound above
        _number(kind, parameters, "probability", 0.0, 1.0, 1.0),
        int(_number(kind, parameters, "count", 1.0, 1e9, 1e9)),
        int(_number(kind, parameters, "ms", -_MS_MAX, _MS_MAX, 0.0)),
        channel,
        coin,
    )


def _number(
    kind: str, parameters: dict[str, Any], key: str, low: float, high: float, default: float
) -> float:
    value = parameters.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"fault {kind}: {key} = {value!r}: must be a number within {low:g} and {high:g}")
    return float(value)
