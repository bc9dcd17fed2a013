"""What an info request is answered from, and how its fields are read."""

from typing import Any, NamedTuple

from mmpipe.venue.sim.accounts import Account
from mmpipe.venue.sim.history import History
from mmpipe.venue.sim.state import VenueState
from mmpipe.venue.sim.wire import ADDRESS

Request = dict[str, Any]


class UnreadableRequestError(Exception):
    """The request is none this exchange can read; answered by 422."""


class Desk(NamedTuple):
    """Everything that can be asked about."""

    state: VenueState
    history: History


def user_of(request: Request) -> str:
    """Lower-case address in a request.

    Raises
    ------
    UnreadableRequestError
        If there is none.
    """
    user = request.get("user")
    if not isinstance(user, str) or ADDRESS.fullmatch(user.lower()) is None:
        raise UnreadableRequestError("user")
    return user.lower()


def account_of(desk: Desk, request: Request) -> Account | None:
    """The account a request asks about; None for an address that has none."""
    return desk.state.accounts.get(user_of(request))


def symbol_of(desk: Desk, request: Request) -> int:
    """Symbol of the coin in a request; raises `UnreadableRequestError` if there is none."""
    symbol = desk.state.symbol_of.get(str(request.get("coin")))
    if symbol is None:
        raise UnreadableRequestError("coin")
    return symbol


def time_of(request: Request, key: str, default: int | None) -> int:
    """A time in milliseconds; without a default it must be there."""
    value = request.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise UnreadableRequestError(key)
    return value
