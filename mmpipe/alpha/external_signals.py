"""What a user's own models say: checked, numbered, rate-limited; then faded into one expected move.

    move = direction * (confidence - threshold) / (1 - threshold) * E|move over the horizon| * time left

averaged over the models that are not over. A model has one signal per symbol in force, its newest.
`ExternalDesk` judges requests in the thread of the socket; what it accepts becomes EXTERNAL_SIGNAL records
that alpha takes at the boundary of a batch, so that a recording holds all that was decided by.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta

from mmpipe.clock import NS_PER_MS, NS_PER_S
from mmpipe.enums import SignalRefusal
from mmpipe.records import EXTERNAL_SIGNAL
from ringbuf.jit import kernel

MODELS_MAX: Final = 16
KEPT_NS: Final = 60 * NS_PER_S  # after its last signal is over, in which a model keeps its place
ROOT_2_OVER_PI: Final = 0.7978845608028654  # E|x| of a normal x in standard deviations


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a user's model."""

    model_id: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+\Z")]
    symbol: Annotated[str, Meta(min_length=1, max_length=16)]
    direction: Annotated[float, Meta(ge=-1.0, le=1.0)]
    confidence: Annotated[float, Meta(ge=0.0, le=1.0)]
    horizon_ms: Annotated[int, Meta(ge=10, le=3_600_000)]
    prediction_id: Annotated[int, Meta(ge=1, le=1 << 62)] | None = None


class ExternalDesk:
    """Judges requests one by one; bounded in models, symbols and rate.

    Parameters
    ----------
    coins : sequence of str
        Names of the symbols, in their order.
    per_s_max : float
        Signals a model may send per second; a second's worth may come at once.

    Attributes
    ----------
    accepted_count : int
    refused : ndarray of int64, shape (SignalRefusal,)
        By reason.
    """

    def __init__(self, coins: Sequence[str], per_s_max: float) -> None:
        self._symbols = {coin: index for index, coin in enumerate(coins)}
        self._per_s_max = per_s_max
        self._models: dict[str, int] = {}
        self._budgets = np.zeros((MODELS_MAX, 2))  # signals left, when that was so (s)
        self._over_ns = np.zeros(MODELS_MAX, np.int64)  # when the last signal of each is over
        self._next_id = 1
        self._decoder = msgspec.json.Decoder(Request)
        self.accepted_count = 0
        self.refused = np.zeros(len(SignalRefusal), np.int64)

    def judge(self, line: bytes, now_ns: int) -> tuple[dict[str, Any], np.ndarray | None]:
        """One request.

        Parameters
        ----------
        line : bytes
            A JSON object.
        now_ns : int
            Monotonic time.

        Returns
        -------
        tuple of dict and (ndarray of EXTERNAL_SIGNAL, shape (1,)) or None
            The answer, and the signal if it was accepted.
        """
        try:
            request = self._decoder.decode(line)
        except msgspec.ValidationError as error:
            return self.refuse(SignalRefusal.BAD_FIELD, f"not a signal: {error}"), None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return self.refuse(SignalRefusal.MALFORMED, f"not a signal: {error}"), None
        symbol = self._symbols.get(request.symbol)
        if symbol is None:
            text = f"symbol '{request.symbol}' is not traded; known: {[*self._symbols]}"
            return self.refuse(SignalRefusal.UNKNOWN_SYMBOL, text), None
        model = self._place_of(request.model_id, now_ns)
        if model is None:
            text = f"{MODELS_MAX} models are known already; use one of their model_ids"
            return self.refuse(SignalRefusal.TOO_MANY_MODELS, text), None
        if not self._within_rate(model, now_ns / NS_PER_S):
            text = f"more than {self._per_s_max:g} signals a second; send less often"
            return self.refuse(SignalRefusal.TOO_OFTEN, text), None
        row = np.zeros(1, EXTERNAL_SIGNAL)
        row["seq"] = self.accepted_count = self.accepted_count + 1
        row["ts_ns"], row["model"], row["symbol"] = now_ns, model, symbol
        row["direction"], row["confidence"] = request.direction, request.confidence
        row["horizon_ns"] = request.horizon_ms * NS_PER_MS
        self._over_ns[model] = max(self._over_ns[model], now_ns + request.horizon_ms * NS_PER_MS)
        row["prediction_id"] = request.prediction_id or self._next_id
        self._next_id = max(self._next_id, int(row["prediction_id"][0])) + 1
        return {"ok": True, "prediction_id": int(row["prediction_id"][0])}, row

    def refuse(self, reason: SignalRefusal, detail: str) -> dict[str, Any]:
        """The answer to what is not a signal, counted by its reason."""
        self.refused[reason] += 1
        return {"ok": False, "reason": reason.name.lower(), "detail": detail}

    def _place_of(self, model_id: str, now_ns: int) -> int | None:
        # A known model has its own; a new one gets a free place, or that of a model long over, or none.
        if model_id in self._models:
            return self._models[model_id]
        place = len(self._models)
        if place >= MODELS_MAX:
            place = int(np.argmin(self._over_ns))
            if now_ns < self._over_ns[place] + KEPT_NS:
                return None
            del self._models[next(name for name, index in self._models.items() if index == place)]
        self._models[model_id] = place
        self._over_ns[place] = now_ns
        self._budgets[place] = max(self._per_s_max, 1.0), now_ns / NS_PER_S
        return place

    def _within_rate(self, model: int, now_s: float) -> bool:
        left, since_s = self._budgets[model]
        left = min(left + (now_s - since_s) * self._per_s_max, max(self._per_s_max, 1.0))
        allowed = left >= 1.0
        self._budgets[model] = left - float(allowed), now_s
        return allowed


def take(table: np.ndarray, rows: np.ndarray) -> None:
    """Put signals in force; a model's newest replaces its last.

    Parameters
    ----------
    table : (symbols, MODELS_MAX) EXTERNAL_SIGNAL
        Changed in place.
    rows : (n,) EXTERNAL_SIGNAL
        In order.
    """
    for row in rows:
        table[int(row["symbol"]), int(row["model"])] = row


@kernel
def move_bps(signals: np.ndarray, ts_ns: int, horizon_s: float, sigma_bps: float, threshold: float) -> float:
    """Expected move of the mid that the signals in force speak of, bps.

    Parameters
    ----------
    signals : (MODELS_MAX,) EXTERNAL_SIGNAL
        Of one symbol.
    ts_ns : int
        Now.
    horizon_s : float
        Over which a move is predicted.
    sigma_bps : float
        Volatility of the mid per root second, >= 0.
    threshold : float
        Confidence that says nothing, in [0.5, 1).
    """
    total, active = 0.0, 0
    for model in range(len(signals)):
        signal = signals[model]
        # A signal may be younger than the event that is judged.
        age_ns = max(ts_ns - signal["ts_ns"], 0)
        if signal["prediction_id"] == 0 or age_ns >= signal["horizon_ns"]:
            continue
        active += 1
        trust = max(signal["confidence"] - threshold, 0.0) / (1.0 - threshold)
        total += signal["direction"] * trust * (1.0 - age_ns / signal["horizon_ns"])
    if active == 0:
        return 0.0
    return total / active * ROOT_2_OVER_PI * sigma_bps * np.sqrt(horizon_s)
