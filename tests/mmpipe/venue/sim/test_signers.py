"""Nonces of a key, and who may sign for whom."""

from mmpipe.venue.sim.accounts import Account
from mmpipe.venue.sim.signers import DAY_MS, NONCES_KEPT, NonceWindow, Signers

NOW_MS = 1_800_000_000_000
AGENT = "0x" + "a" * 40


def test_nonce_above_the_smallest_of_the_highest_hundred() -> None:
    window = NonceWindow()
    for i in range(NONCES_KEPT):
        assert window.refuse(NOW_MS + 2 * i, NOW_MS) is None
    assert window.refuse(NOW_MS + 1, NOW_MS) is None  # drops NOW_MS
    assert window.refuse(NOW_MS, NOW_MS) == f"Invalid nonce: nonce too low {NOW_MS} < {NOW_MS + 1}"
    assert window.refuse(NOW_MS + 2, NOW_MS) == f"Invalid nonce: duplicate nonce {NOW_MS + 2}"


def test_nonce_far_from_the_wall_clock_is_refused() -> None:
    window = NonceWindow()
    assert "too low" in str(window.refuse(NOW_MS - 3 * 86_400_000, NOW_MS))
    assert "too high" in str(window.refuse(NOW_MS + 2 * 86_400_000, NOW_MS))
    assert window.refuse(NOW_MS, NOW_MS) is None


def registry() -> tuple[Signers, Account]:
    signers, account = Signers(), Account(3, "0x" + "1" * 40)
    signers.add_master(account)
    return signers, account


def test_unnamed_agent_replaces_the_one_before_it() -> None:
    signers, account = registry()
    assert signers.approve(account, AGENT, "", NOW_MS) is None
    other = "0x" + "b" * 40
    assert signers.approve(account, other, "", NOW_MS) is None
    assert signers.find(AGENT, NOW_MS) is None
    found = signers.find(other, NOW_MS)
    assert found is not None
    assert (found.account, found.agent) == (account, True)


def test_three_named_agents_and_no_more() -> None:
    signers, account = registry()
    for i in range(3):
        assert signers.approve(account, f"0x{i + 10:040x}", f"n{i}", NOW_MS) is None
    assert signers.approve(account, AGENT, "n3", NOW_MS) == "Too many extra agents."
    assert signers.approve(account, AGENT, "n1", NOW_MS) is None  # takes the place of the one so named
    assert sorted(signer.name for signer in signers.agents(account).values()) == ["n0", "n1", "n2"]


def test_address_is_never_used_twice_and_ends_when_it_says() -> None:
    signers, account = registry()
    end_ms = NOW_MS + DAY_MS
    assert signers.approve(account, AGENT, f"bot valid_until {end_ms}", NOW_MS) is None
    assert signers.find(AGENT, end_ms) is not None
    assert signers.find(AGENT, end_ms + 1) is None
    assert "already used" in str(signers.approve(account, AGENT, "bot", end_ms + 1))
    too_long = f"bot valid_until {NOW_MS + 200 * DAY_MS}"
    assert signers.approve(account, "0x" + "c" * 40, too_long, NOW_MS) == "Invalid agent expiry."
    assert (
        signers.approve(account, "0x" + "c" * 40, "bot valid_until soon", NOW_MS) == "Invalid agent expiry."
    )
