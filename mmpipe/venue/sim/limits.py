"""How much one client may ask of the venue: weight per IP address, sockets, and requests per address.

References
----------
Hyperliquid, "Rate limits and user limits".
"""

from collections import deque
from typing import Any, Final

from mmpipe.venue.sim.accounts import Account

WEIGHT_PER_MIN: Final = 1_200
CONNECTIONS_MAX: Final = 10
CONNECTIONS_PER_MIN: Final = 30
SUBSCRIPTIONS_MAX: Final = 1_000
USERS_MAX: Final = 10  # different users in one client's user channels
MESSAGES_PER_MIN: Final = 2_000
POSTS_MAX: Final = 100  # in flight

REQUESTS_FREE: Final = 10_000  # of an address, before one per USDC traded
CANCELS_MORE: Final = 100_000
PACE_MS: Final = 10_000  # between requests of an address that has used everything up
STALE_COST: Final = 5  # times the requests an action that came too late would have cost
RESERVE_CASH: Final = 50_000  # 0.0005 USDC for one more request
_MINUTE_MS: Final = 60_000
_ORDERS_PER_WEIGHT: Final = 40
_NOTIONAL_PER_USDC: Final = 1_000_000
_LIGHT: Final = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
_WEIGHTS: Final = {"userRole": 60}
_LIGHT_WEIGHT: Final = 2
_OTHER_WEIGHT: Final = 20
_ROWS_PER_WEIGHT: Final = {"candleSnapshot": 60}
_ROWS_PER_WEIGHT_OTHER: Final = 20
_HISTORIES: Final = frozenset(
    {"candleSnapshot", "recentTrades", "historicalOrders", "userFills", "userFillsByTime", "fundingHistory",
     "userFunding", "userNonFundingLedgerUpdates"}
)  # fmt: skip


def info_weight(kind: object, answer: object) -> int:
    """What an info request costs its IP address; histories cost more with their length."""
    if kind in _LIGHT:
        return _LIGHT_WEIGHT
    weight = _WEIGHTS.get(kind, _OTHER_WEIGHT) if isinstance(kind, str) else _OTHER_WEIGHT
    if kind in _HISTORIES and isinstance(answer, list):
        weight += len(answer) // _ROWS_PER_WEIGHT.get(str(kind), _ROWS_PER_WEIGHT_OTHER)
    return weight


def action_weight(items: int) -> int:
    """What an action of so many orders or cancels costs its IP address."""
    return 1 + items // _ORDERS_PER_WEIGHT


class Window:
    """A sum over the last minute."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._spent: deque[tuple[int, int]] = deque()
        self._sum = 0

    def spend(self, now_ms: int, amount: int = 1) -> bool:
        """Count something; False, and nothing counted, if that is more than a minute allows."""
        while self._spent and now_ms - self._spent[0][0] >= _MINUTE_MS:
            self._sum -= self._spent.popleft()[1]
        if self._sum + amount > self._limit:
            return False
        self._spent.append((now_ms, amount))
        self._sum += amount
        return True


class Client:
    """What one IP address has used up."""

    def __init__(self) -> None:
        self.weight = Window(WEIGHT_PER_MIN)
        self.opened = Window(CONNECTIONS_PER_MIN)
        self.messages = Window(MESSAGES_PER_MIN)
        self.connections = 0
        self.posts = 0
        self.users: dict[str, int] = {}  # subscriptions by user


class Clients:
    """Clients by IP address; without limits everything is allowed."""

    def __init__(self, limited: bool) -> None:
        self.limited = limited
        self._clients: dict[str, Client] = {}

    def of(self, address: str) -> Client:
        """The client of an IP address."""
        return self._clients.setdefault(address, Client())

    def allows_weight(self, client: Client, now_ms: int, weight: int) -> bool:
        """Spend weight, or refuse."""
        return not self.limited or client.weight.spend(now_ms, weight)

    def allows_connection(self, client: Client, now_ms: int) -> bool:
        """Whether one more socket may be opened; counts it."""
        if self.limited and (client.connections >= CONNECTIONS_MAX or not client.opened.spend(now_ms)):
            return False
        client.connections += 1
        return True

    def allows_message(self, client: Client, now_ms: int) -> bool:
        """Whether one more message may come in; counts it."""
        return not self.limited or client.messages.spend(now_ms)

    def allows_user(self, client: Client, user: str) -> bool:
        """Whether a subscription may name this user."""
        return not self.limited or user in client.users or len(client.users) < USERS_MAX


def request_limits(account: Account) -> dict[str, Any]:
    """Answer to userRateLimit without its shape: volume in USDC, requests used, requests earned."""
    usdc = account.volume_notional // _NOTIONAL_PER_USDC
    return {"usdc": usdc, "used": account.requests, "cap": REQUESTS_FREE + usdc}


def spend_requests(account: Account, count: int, cancels: bool, now_ms: int) -> str | None:
    """Take requests of an address's budget; returns the text of a refusal.

    Parameters
    ----------
    count : int
        Orders or cancels of the action.
    cancels : bool
        Cancels have a budget of their own above that of orders, so that a spent account can still leave.
    now_ms : int
        Venue time.
    """
    limits = request_limits(account)
    cap = limits["cap"] + account.reserved_requests
    if cancels:
        cap = min(cap + CANCELS_MORE, 2 * cap)
    if account.requests + count > cap:
        if now_ms - account.paced_ms < PACE_MS:
            return (
                f"Too many cumulative requests sent ({account.requests} > {cap}) for cumulative volume "
                f"traded ${limits['usdc']}. Place taker orders to free up 1 request per USDC traded."
            )
        account.paced_ms = now_ms
    account.requests += count
    return None
