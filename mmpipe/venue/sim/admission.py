"""The door: who signed an action, whether the nonce is new, and whether the account may still ask.

request ─▶ known action? ─▶ signer ─▶ vault ─▶ size ─▶ nonce ─▶ budget ─▶ pending
A refusal never changes the market; a nonce is used up only by an action of a known signer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mmpipe.errors import VenueError
from mmpipe.venue.hyperliquid_signing import recover_l1
from mmpipe.venue.hyperliquid_user_signing import recover_user_signed
from mmpipe.venue.sim.accounts import Account, Answer
from mmpipe.venue.sim.limits import STALE_COST, spend_requests
from mmpipe.venue.sim.signers import Signer, Signers
from mmpipe.venue.sim.wire import (
    Action,
    CancelActions,
    Envelope,
    UserSignedAction,
    action_of,
    canonical,
    items_of,
    takes,
)

ITEMS_MAX: Final = 200
PENDING_MAX: Final = 4_096
UNKNOWN_SIGNER: Final = "Unable to recover signer."

Done = Callable[[Answer], None]


@dataclass(slots=True)
class Pending:
    """An admitted action that waits for its block."""

    account: Account
    action: Action
    expires_ms: int | None
    done: Done
    due_ms: int  # earliest time of the block that may hold it


class Admission:
    """Checks requests and keeps what waits for a block.

    Parameters
    ----------
    signers : Signers
        Who may sign.
    accounts : dict
        Accounts by address.
    limited : bool
        Whether the request budget of an address holds.
    place_ms, take_extra_ms : int
        How long an action waits, and how much longer one that may trade at once.
    """

    def __init__(
        self, signers: Signers, accounts: dict[str, Account], limited: bool, place_ms: int, take_extra_ms: int
    ) -> None:
        self._signers = signers
        self._accounts = accounts
        self._limited = limited
        self._place_ms = place_ms
        self._take_extra_ms = take_extra_ms
        self._pending: list[Pending] = []

    def admit(self, envelope: Envelope, wall_ms: int, done: Done) -> Answer | None:
        """Queue an action for a block, or answer why not.

        Parameters
        ----------
        envelope : Envelope
            The request as sent.
        wall_ms : int
            Venue time.
        done : callable
            Called with the answer after the block.

        Raises
        ------
        msgspec.ValidationError
            If the action is none this exchange knows.
        """
        action = action_of(envelope.action)
        found = self._signer(envelope, action, wall_ms)
        if isinstance(found, str):
            return refusal(found)
        account = self._trades_for(found, envelope, action)
        if isinstance(account, str):
            return refusal(account)
        if items_of(action) > ITEMS_MAX:
            return refusal(f"Signed action over weight limit of {ITEMS_MAX}.")
        if len(self._pending) >= PENDING_MAX:
            return refusal("Too many requests in one block.")
        refused = found.nonces.refuse(envelope.nonce, wall_ms) or self._budget(
            account, action, envelope, wall_ms
        )
        if refused is not None:
            return refusal(refused)
        wait_ms = self._place_ms + (self._take_extra_ms if takes(action) else 0)
        self._pending.append(Pending(account, action, envelope.expiresAfter, done, wall_ms + wait_ms))
        return None

    def take_due(self, ts_ms: int) -> list[Pending]:
        """Everything whose time has come, in order of arrival."""
        due = [pending for pending in self._pending if pending.due_ms <= ts_ms]
        if due:
            self._pending = [pending for pending in self._pending if pending.due_ms > ts_ms]
        return due

    def _signer(self, envelope: Envelope, action: Action, wall_ms: int) -> Signer | str:
        candidates: tuple[str, ...]
        try:
            if isinstance(action, UserSignedAction):
                candidates = (recover_user_signed(envelope.signature, envelope.action),)
            else:
                candidates = self._recover(envelope, envelope.action)
                if self._known(candidates, wall_ms) is None:
                    rewritten = canonical(envelope.action)
                    if list(_flat(rewritten)) != list(_flat(envelope.action)):
                        candidates += self._recover(envelope, rewritten)
        except VenueError:
            return UNKNOWN_SIGNER
        signer = self._known(candidates, wall_ms)
        if signer is None and isinstance(action, UserSignedAction):
            return f"Must deposit before performing actions. User: {candidates[0]}"
        return signer or f"User or API Wallet {candidates[min(1, len(candidates) - 1)]} does not exist."

    def _known(self, candidates: tuple[str, ...], wall_ms: int) -> Signer | None:
        found = (self._signers.find(address, wall_ms) for address in candidates)
        return next((signer for signer in found if signer is not None), None)

    @staticmethod
    def _recover(envelope: Envelope, action: dict[str, Any]) -> tuple[str, ...]:
        return recover_l1(
            envelope.signature, action, envelope.nonce, envelope.vaultAddress, envelope.expiresAfter
        )

    def _trades_for(self, signer: Signer, envelope: Envelope, action: Action) -> Account | str:
        vault = envelope.vaultAddress
        if isinstance(action, UserSignedAction):
            if signer.agent:
                return f"User or API Wallet {signer.account.address} may not be acted for by an agent."
            return signer.account
        if vault is None:
            return signer.account
        address = "0x" + vault.lower().removeprefix("0x")
        account = self._accounts.get(address)
        if account is signer.account or (account is not None and account.leader == signer.account.address):
            return account
        return f"Vault not registered: {address}"

    def _budget(self, account: Account, action: Action, envelope: Envelope, wall_ms: int) -> str | None:
        expired = envelope.expiresAfter is not None and wall_ms > envelope.expiresAfter
        count = items_of(action) * (STALE_COST if expired else 1)
        if self._limited:
            refused = spend_requests(account, count, isinstance(action, CancelActions), wall_ms)
            if refused is not None:
                return refused
        else:
            account.requests += count
        return "Action already expired" if expired else None


def refusal(text: str) -> Answer:
    """Answer to an action that was refused as a whole."""
    return {"status": "err", "response": text}


def success(kind: str, statuses: list[Any]) -> Answer:
    """Answer to an action with one status per order or cancel."""
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}}


def done() -> Answer:
    """Answer to an action that has nothing to say."""
    return {"status": "ok", "response": {"type": "default"}}


def _flat(value: Any) -> Any:
    # Keys and leaves in order: dicts compare equal whatever the order of their keys, hashes do not.
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _flat(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner)
    else:
        yield value
