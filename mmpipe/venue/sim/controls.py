"""What an operator, or a scenario, may make the running exchange do.

fault KIND …     switch a fault on          clear [KIND]    switch it off
post_only        nothing but post-only      delist COIN     close a market
book_interval    another cadence of books   deposit A USDC  money on an account
status, ledger   what is on; what really happened
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mmpipe.errors import ConfigError, MmpipeError, UsageError
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.faults import FAULTS, MS_PER_S, Faults, checked_fault

CADENCE_MIN_MS: Final = 10
CADENCE_MAX_MS: Final = 3_600_000
LEDGER_ROWS: Final = 200
EVENTS: Final = ("post_only", "delist", "book_interval")


@dataclass(slots=True)
class Cadence:
    """Milliseconds between books; changed while the exchange runs."""

    fast_ms: int
    full_ms: int


class Controls:
    """The levers of one running exchange.

    Parameters
    ----------
    exchange : Exchange
        Its state of trading is changed.
    faults : Faults
        Switched on and off.
    cadence : Cadence
        Changed in place.
    """

    def __init__(self, exchange: Exchange, faults: Faults, cadence: Cadence) -> None:
        self._exchange = exchange
        self._faults = faults
        self._cadence = cadence
        self._usual = Cadence(cadence.fast_ms, cadence.full_ms)
        self._ends: list[tuple[int, Callable[[], None]]] = []
        self._begun_ms = 0
        self._script = sorted(exchange.state.scenario.events, key=lambda event: float(str(event["at_s"])))
        check_script(exchange.state.scenario.name, self._script, exchange.state.symbol_of)

    def tick(self, now_ms: int, attended: bool) -> None:
        """Do what the scenario has for this moment, and end what is over.

        Parameters
        ----------
        now_ms : int
            Venue time.
        attended : bool
            Whether a client has opened a socket yet; the script begins with the first one.
        """
        self._faults.tick(now_ms)
        if attended and not self._begun_ms:
            self._begun_ms = now_ms
        while (
            self._begun_ms
            and self._script
            and now_ms - self._begun_ms >= float(str(self._script[0]["at_s"])) * MS_PER_S
        ):
            event = dict(self._script.pop(0))
            event.pop("at_s")
            self._do(str(event.pop("do")), event)
        for end in [end for end in self._ends if end[0] <= now_ms]:
            self._ends.remove(end)
            end[1]()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what an operator asks; never raises for a wrong request.

        Parameters
        ----------
        request : dict
            `do` and its parameters; numbers may come as text.
        """
        parameters = {key: _read(value) for key, value in request.items() if key != "do"}
        what = str(request.get("do", ""))
        try:
            if what == "status":
                return {"ok": True, **self._status()}
            if what == "ledger":
                return {"ok": True, "ledger": list(self._faults.ledger)[-LEDGER_ROWS:]}
            if what == "clear":
                return {"ok": True, "ended": self._faults.stop(str(parameters.get("kind", "")))}
            if what == "deposit":
                usdc = parameters.get("usdc")
                if isinstance(usdc, bool) or not isinstance(usdc, int | float):
                    raise UsageError(f"deposit: usdc = {usdc!r}: must be a number")
                self._exchange.deposit(str(request.get("address", "")), float(usdc))
                return {"ok": True}
            self._do(what, parameters)
        except MmpipeError as error:
            return {"ok": False, "detail": str(error)}
        return {"ok": True}

    def _do(self, what: str, parameters: dict[str, Any]) -> None:
        if what in FAULTS:
            self._faults.start(what, parameters)
            return
        _check_event(what, parameters, self._exchange.state.symbol_of)
        state = self._exchange.state
        self._faults.note(what, {"on": True, **parameters})
        if what == "post_only":
            state.post_only = bool(parameters.get("on", True))
            self._until(what, parameters, lambda: setattr(state, "post_only", False))
        elif what == "delist":
            self._exchange.delist(str(parameters["coin"]))
        else:
            self._cadence.fast_ms = int(parameters.get("fast_ms", self._usual.fast_ms))
            self._cadence.full_ms = int(parameters.get("full_ms", self._usual.full_ms))
            self._until(what, parameters, self._restore_cadence)

    def _until(self, what: str, parameters: dict[str, Any], end: Callable[[], None]) -> None:
        def finish() -> None:
            end()
            self._faults.note(what, {"on": False})

        if "for_s" in parameters:
            self._ends.append((self._faults.now_ms + int(float(parameters["for_s"]) * MS_PER_S), finish))

    def _restore_cadence(self) -> None:
        self._cadence.fast_ms, self._cadence.full_ms = self._usual.fast_ms, self._usual.full_ms

    def _status(self) -> dict[str, Any]:
        state = self._exchange.state
        return {
            "scenario": state.scenario.name,
            "seed": state.settings.seed,
            "time": state.ts_ms,
            "post_only": state.post_only,
            "delisted": [c.name for s, c in enumerate(state.coins) if state.market.prices[s]["delisted"]],
            "book_fast_ms": self._cadence.fast_ms,
            "book_full_ms": self._cadence.full_ms,
            "faults": self._faults.view(),
            "phases": state.phase_log[-3:],
            "accounts": list(state.accounts),
        }


def check_script(name: str, script: list[dict[str, Any]], coins: dict[str, int]) -> None:
    """Refuse a scenario whose events this exchange cannot do.

    Raises
    ------
    ConfigError
        With scenario, event and reason.
    """
    for event in script:
        what = str(event["do"])
        parameters = {key: value for key, value in event.items() if key not in ("do", "at_s")}
        try:
            if what in FAULTS:
                checked_fault(what, parameters, 0)
            else:
                _check_event(what, parameters, coins)
        except UsageError as error:
            raise ConfigError(f"scenario {name}, event at {event['at_s']} s: {error}") from error


def _check_event(what: str, parameters: dict[str, Any], coins: dict[str, int]) -> None:
    allowed = {"post_only": {"on"}, "delist": {"coin"}, "book_interval": {"fast_ms", "full_ms"}}
    if what not in allowed:
        raise UsageError(f"{what!r} does not exist; choose one of: {', '.join((*EVENTS, *FAULTS))}")
    unknown = set(parameters) - allowed[what] - {"for_s"}
    if unknown:
        raise UsageError(f"{what}: {', '.join(sorted(unknown))} unknown; it takes {sorted(allowed[what])}")
    if what == "delist" and parameters.get("coin") not in coins:
        raise UsageError(f"delist: coin = {parameters.get('coin')!r}: choose one of: {', '.join(coins)}")
    cadences = [(key, CADENCE_MIN_MS, CADENCE_MAX_MS) for key in ("fast_ms", "full_ms")]
    for key, low, high in (*cadences, ("for_s", 0, 1e9)):
        value = parameters.get(key, low)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise UsageError(f"{what}: {key} = {value!r}: must be a number within {low} and {high:g}")


def _read(value: Any) -> Any:
    # The control socket carries texts.
    if not isinstance(value, str):
        return value
    if value in ("true", "false"):
        return value == "true"
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number
