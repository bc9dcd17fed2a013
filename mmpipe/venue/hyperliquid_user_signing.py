"""Signatures of the actions an account signs itself: approvals of API wallets, and transfers.

They are EIP-712 messages of the domain HyperliquidSignTransaction on whatever chain the wallet was on, with
their fields in the open, while orders are signed as one hash (`hyperliquid_signing`).

References
----------
Hyperliquid, "Exchange endpoint"; Bloemen, Logvinov, Evans (2017), EIP-712.
"""

from collections.abc import Mapping
from typing import Any, Final

from mmpipe.errors import VenueError
from mmpipe.venue.hyperliquid_signing import eip712_prefix, keccak_256, recover_address

_WORD_BYTES: Final = 32
_HEX: Final = 16

# Wire type of an action: primary type of the message, and its fields in order.
_MESSAGES: Final = {
    "approveAgent": (
        "HyperliquidTransaction:ApproveAgent",
        (
            ("hyperliquidChain", "string"),
            ("agentAddress", "address"),
            ("agentName", "string"),
            ("nonce", "uint64"),
        ),
    ),
    "approveBuilderFee": (
        "HyperliquidTransaction:ApproveBuilderFee",
        (
            ("hyperliquidChain", "string"),
            ("maxFeeRate", "string"),
            ("builder", "address"),
            ("nonce", "uint64"),
        ),
    ),
    "usdClassTransfer": (
        "HyperliquidTransaction:UsdClassTransfer",
        (("hyperliquidChain", "string"), ("amount", "string"), ("toPerp", "bool"), ("nonce", "uint64")),
    ),
}
USER_SIGNED: Final = frozenset(_MESSAGES)


def user_signed_digest(action: Mapping[str, Any]) -> bytes:
    """The 32 bytes an account signs for one action of `USER_SIGNED`.

    Parameters
    ----------
    action : mapping
        As sent; an approval without a name is signed with an empty one.
    """
    name, fields = _MESSAGES[action["type"]]
    signature = f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})"
    words = b"".join(_word(kind, action.get(field) or "" if kind == "string" else action[field])
                     for field, kind in fields)  # fmt: skip
    prefix = eip712_prefix(b"HyperliquidSignTransaction", int(action["signatureChainId"], _HEX))
    return keccak_256(prefix + keccak_256(keccak_256(signature.encode()) + words))


def recover_user_signed(signature: Mapping[str, Any], action: Mapping[str, Any]) -> str:
    """Lower-case address that signed a user-signed action.

    Raises
    ------
    VenueError
        If it is no signature of such an action.
    """
    try:
        digest = user_signed_digest(action)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise VenueError(f"Unable to recover signer: {error!r}; sign the fields as sent") from error
    return recover_address(signature, digest)


def _word(kind: str, value: Any) -> bytes:
    if kind == "string":
        return keccak_256(value.encode())
    number = int(value, _HEX) if kind == "address" else int(value)
    return number.to_bytes(_WORD_BYTES, "big")
