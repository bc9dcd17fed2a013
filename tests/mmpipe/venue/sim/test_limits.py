"""Budgets of addresses and clients."""

import pytest

from mmpipe.venue.sim.accounts import Account
from mmpipe.venue.sim.limits import (
    CONNECTIONS_MAX,
    CONNECTIONS_PER_MIN,
    PACE_MS,
    REQUESTS_FREE,
    USERS_MAX,
    WEIGHT_PER_MIN,
    Client,
    Clients,
    Window,
    action_weight,
    info_weight,
    request_limits,
    spend_requests,
)

NOW_MS = 1_800_000_000_000


@pytest.mark.parametrize(
    ("kind", "rows", "weight"),
    [
        ("l2Book", 0, 2),
        ("clearinghouseState", 0, 2),
        ("userRole", 0, 60),
        ("meta", 0, 20),
        ("userFills", 100, 25),
        ("candleSnapshot", 120, 22),
        ("openOrders", 100, 20),
    ],
)
def test_weights_of_information(kind: str, rows: int, weight: int) -> None:
    assert info_weight(kind, [0] * rows) == weight


def test_weight_of_an_action_grows_by_forty() -> None:
    assert [action_weight(n) for n in (1, 39, 40, 79, 80)] == [1, 1, 2, 2, 3]


def test_window_forgets_after_a_minute() -> None:
    window = Window(10)
    assert window.spend(NOW_MS, 6)
    assert window.spend(NOW_MS + 1_000, 4)
    assert not window.spend(NOW_MS + 59_999, 1)
    assert window.spend(NOW_MS + 60_000, 6)
    assert not window.spend(NOW_MS + 60_000, 1)


def test_a_hundredth_of_the_budget_per_volume() -> None:
    account = Account(3, "0x")
    account.volume_notional = 4_643 * 10**6
    account.requests = REQUESTS_FREE + 4_643
    text = spend_requests(account, 1, False, NOW_MS)
    assert text is None  # paced: one request every ten seconds
    assert spend_requests(account, 1, False, NOW_MS + PACE_MS - 1) == (
        "Too many cumulative requests sent (14644 > 14643) for cumulative volume traded $4643. "
        "Place taker orders to free up 1 request per USDC traded."
    )
    assert account.requests == 14_644  # a refusal costs nothing
    assert spend_requests(account, 1, False, NOW_MS + PACE_MS) is None
    assert request_limits(account) == {"usdc": 4_643, "used": 14_645, "cap": 14_643}


def test_a_spent_account_can_still_cancel() -> None:
    account = Account(3, "0x")
    account.requests = REQUESTS_FREE
    account.paced_ms = NOW_MS
    assert spend_requests(account, 1, False, NOW_MS) is not None
    assert spend_requests(account, 200, True, NOW_MS) is None
    account.requests = 2 * REQUESTS_FREE
    assert spend_requests(account, 1, True, NOW_MS) is not None


def test_sockets_of_one_client() -> None:
    clients, client = Clients(True), Client()
    assert all(clients.allows_connection(client, NOW_MS) for _ in range(CONNECTIONS_MAX))
    assert not clients.allows_connection(client, NOW_MS)
    for _ in range(CONNECTIONS_PER_MIN - CONNECTIONS_MAX):
        client.connections -= 1
        assert clients.allows_connection(client, NOW_MS)
    client.connections = 0
    assert not clients.allows_connection(client, NOW_MS + 59_999)
    assert clients.allows_connection(client, NOW_MS + 60_000)


def test_users_of_one_client() -> None:
    clients, client = Clients(True), Client()
    for i in range(USERS_MAX):
        client.users[str(i)] = 1
    assert clients.allows_user(client, "3")
    assert not clients.allows_user(client, "other")
    assert Clients(False).allows_user(client, "other")


def test_weight_of_one_client() -> None:
    clients = Clients(True)
    assert clients.allows_weight(clients.of("1.2.3.4"), NOW_MS, WEIGHT_PER_MIN)
    assert not clients.allows_weight(clients.of("1.2.3.4"), NOW_MS, 1)
    assert clients.allows_weight(clients.of("1.2.3.5"), NOW_MS, 1)
    assert clients.allows_weight(clients.of("1.2.3.4"), NOW_MS + 60_000, 1)
