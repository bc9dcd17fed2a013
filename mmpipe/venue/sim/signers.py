"""Who may sign for whom: accounts, their API wallets, and the nonces each key has used.

References
----------
Hyperliquid, "Nonces and API wallets".
"""

import heapq
from dataclasses import dataclass, field
from typing import Final

from mmpipe.venue.sim.accounts import Account

NONCES_KEPT: Final = 100
NAMED_AGENTS_MAX: Final = 3
AGENT_DAYS_MAX: Final = 180
DAY_MS: Final = 86_400_000
_UNTIL: Final = " valid_until "


class NonceWindow:
    """The highest nonces of one signer: a new one must be above the smallest kept, and unused."""

    def __init__(self) -> None:
        self._kept: list[int] = []
        self._used: set[int] = set()

    def refuse(self, nonce: int, wall_ms: int) -> str | None:
        """Text of the refusal, or None after the nonce was taken."""
        if nonce in self._used:
            return f"Invalid nonce: duplicate nonce {nonce}"
        if nonce <= wall_ms - 2 * DAY_MS:
            return f"Invalid nonce: nonce too low {nonce} < {wall_ms - 2 * DAY_MS}"
        if nonce >= wall_ms + DAY_MS:
            return f"Invalid nonce: nonce too high {nonce} > {wall_ms + DAY_MS}"
        if len(self._kept) == NONCES_KEPT:
            if nonce < self._kept[0]:
                return f"Invalid nonce: nonce too low {nonce} < {self._kept[0]}"
            self._used.discard(heapq.heappop(self._kept))
        heapq.heappush(self._kept, nonce)
        self._used.add(nonce)
        return None


@dataclass(slots=True)
class Signer:
    """One key: the account it acts for, and until when."""

    account: Account
    agent: bool
    name: str = ""
    until_ms: int = 0  # 0: without end
    nonces: NonceWindow = field(default_factory=NonceWindow)


class Signers:
    """Every key that may sign, by lower-case address."""

    def __init__(self) -> None:
        self._signers: dict[str, Signer] = {}
        self._retired: set[str] = set()

    def add_master(self, account: Account) -> None:
        """Let an account sign for itself."""
        self._signers[account.address] = Signer(account, agent=False)

    def add_agent(self, account: Account, agent: str, name: str) -> None:
        """Let another key act for an account, whatever it was before."""
        self._signers[agent] = Signer(account, agent=True, name=name)

    def find(self, address: str, wall_ms: int) -> Signer | None:
        """The signer of an address; an API wallet whose time is over is none."""
        signer = self._signers.get(address)
        if signer is not None and signer.until_ms and wall_ms > signer.until_ms:
            del self._signers[address]
            self._retired.add(address)
            return None
        return signer

    def approve(self, account: Account, agent: str, text: str, wall_ms: int) -> str | None:
        """Register an API wallet; returns the text of a refusal.

        An unnamed one replaces the unnamed one before it, a named one that of the same name. The name may
        end with " valid_until " and milliseconds.
        """
        name, _, until = text.partition(_UNTIL)
        known = self._signers.get(agent)
        if agent in self._retired or known is not None:
            return f"Extra agent already used: {agent}."
        if until and not (until.isdigit() and wall_ms < int(until) <= wall_ms + AGENT_DAYS_MAX * DAY_MS):
            return "Invalid agent expiry."
        agents = self.agents(account)
        same = [address for address, signer in agents.items() if signer.name == name]
        named = sum(1 for signer in agents.values() if signer.name)
        if name and not same and named >= NAMED_AGENTS_MAX:
            return "Too many extra agents."
        for address in same:
            del self._signers[address]
            self._retired.add(address)
        end_ms = int(until) if until else wall_ms + AGENT_DAYS_MAX * DAY_MS
        self._signers[agent] = Signer(account, True, name, end_ms)
        return None

    def agents(self, account: Account) -> dict[str, Signer]:
        """API wallets of one account, by address."""
        return {a: s for a, s in self._signers.items() if s.agent and s.account is account}
