"""What an account signs itself: equal to the venue's own SDK, and refused when anything was changed."""

from collections.abc import Callable
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.utils.signing import sign_agent, sign_approve_builder_fee, sign_usd_class_transfer_action

from mmpipe.errors import VenueError
from mmpipe.venue.hyperliquid_user_signing import USER_SIGNED, recover_user_signed

WALLET = Account.from_key("0x" + "01" * 32)
OTHER = "0x" + "aB" * 20
CASES: list[tuple[Callable[[Any, Any, bool], Any], dict[str, Any]]] = [
    (sign_agent, {"type": "approveAgent", "agentAddress": OTHER, "agentName": "bot", "nonce": 7}),
    (
        sign_approve_builder_fee,
        {"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": OTHER, "nonce": 8},
    ),
    (
        sign_usd_class_transfer_action,
        {"type": "usdClassTransfer", "amount": "1.5", "toPerp": True, "nonce": 9},
    ),
]


@pytest.mark.parametrize("mainnet", [True, False])
@pytest.mark.parametrize(("sign", "action"), CASES)
def test_signer_of_the_sdks_signature(sign: Any, action: dict[str, Any], mainnet: bool) -> None:
    action = dict(action)
    signature = sign(WALLET, action, mainnet)
    assert recover_user_signed(signature, action) == WALLET.address.lower()
    for change in ({"nonce": 1}, {"hyperliquidChain": "Else"}, {"signatureChainId": "0x1"}):
        assert recover_user_signed(signature, action | change) != WALLET.address.lower()


def test_every_kind_is_covered() -> None:
    assert {action["type"] for _, action in CASES} == USER_SIGNED


def test_unnamed_agent_signs_an_empty_name_that_is_not_sent() -> None:
    action = {"type": "approveAgent", "agentAddress": OTHER, "agentName": "", "nonce": 7}
    signature = sign_agent(WALLET, action, False)
    del action["agentName"]
    assert recover_user_signed(signature, action) == WALLET.address.lower()


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": -1},
        {"nonce": "x"},
        {"agentAddress": "zz"},
        {"agentAddress": None},
        {"agentName": 7},
        {"signatureChainId": "no"},
        {"signatureChainId": None},
        {"type": "order"},
    ],
)
def test_what_cannot_be_hashed_is_refused(change: dict[str, Any]) -> None:
    sign, action = CASES[0]
    action = dict(action)
    signature = sign(WALLET, action, False)
    with pytest.raises(VenueError, match="Unable to recover signer"):
        recover_user_signed(signature, action | change)


@pytest.mark.parametrize("signature", [{}, {"r": "0x0", "s": "0x0", "v": 27}, {"r": "1", "s": "1", "v": 99}])
def test_what_is_no_signature_is_refused(signature: dict[str, Any]) -> None:
    _, action = CASES[0]
    action = action | {"signatureChainId": "0x1", "hyperliquidChain": "Testnet"}
    with pytest.raises(VenueError, match="Unable to recover signer"):
        recover_user_signed(signature, action)
