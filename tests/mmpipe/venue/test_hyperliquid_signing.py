"""Signing against the venue's published vectors and, under Hypothesis, against its own SDK."""

import os
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from hyperliquid.utils.signing import (
    order_request_to_order_wire,
    order_wires_to_order_action,
)
from hyperliquid.utils.signing import sign_l1_action as sdk_sign
from hypothesis import given
from hypothesis import strategies as st

from mmpipe.errors import PreflightError, VenueError
from mmpipe.venue.hyperliquid_signing import (
    Signer,
    action_hash,
    address_of,
    load_key_file,
    next_nonce,
    recover_l1,
    sign_l1_action,
)

KEY = bytes.fromhex("0123456789012345678901234567890123456789012345678901234567890123")
ORDER = {
    "type": "order",
    "orders": [{"a": 1, "b": True, "p": "100", "s": "100", "r": False, "t": {"limit": {"tif": "Gtc"}}}],
    "grouping": "na",
}
CLOID_ORDER = {**ORDER, "orders": [{**ORDER["orders"][0], "c": "0x00000000000000000000000000000001"}]}  # type: ignore[dict-item]  # literal above
TRIGGER = {
    "type": "order",
    "orders": [
        {
            "a": 1,
            "b": True,
            "p": "100",
            "s": "100",
            "r": False,
            "t": {"trigger": {"isMarket": True, "triggerPx": "103", "tpsl": "sl"}},
        }
    ],
    "grouping": "na",
}
VAULT = "0x1719884eb866cb12b2287399b15f7db5e7d775ea"

VECTORS = [
    (ORDER, None, True,
     "0xd65369825a9df5d80099e513cce430311d7d26ddf477f5b3a33d2806b100d78e",
     "0x2b54116ff64054968aa237c20ca9ff68000f977c93289157748a3162b6ea940e", 28),
    (ORDER, None, False,
     "0x82b2ba28e76b3d761093aaded1b1cdad4960b3af30212b343fb2e6cdfa4e3d54",
     "0x6b53878fc99d26047f4d7e8c90eb98955a109f44209163f52d8dc4278cbbd9f5", 27),
    (CLOID_ORDER, None, True,
     "0x41ae18e8239a56cacbc5dad94d45d0b747e5da11ad564077fcac71277a946e3",
     "0x3c61f667e747404fe7eea8f90ab0e76cc12ce60270438b2058324681a00116da", 27),
    (TRIGGER, None, True,
     "0x98343f2b5ae8e26bb2587daad3863bc70d8792b09af1841b6fdd530a2065a3f9",
     "0x6b5bb6bb0633b710aa22b721dd9dee6d083646a5f8e581a20b545be6c1feb405", 27),
    ({"type": "dummy", "num": 100000000000}, VAULT, True,
     "0x3c548db75e479f8012acf3000ca3a6b05606bc2ec0c29c50c515066a326239",
     "0x4d402be7396ce74fbba3795769cda45aec00dc3125a984f2a9f23177b190da2c", 28),
    ({"type": "scheduleCancel"}, None, True,
     "0x6cdfb286702f5917e76cd9b3b8bf678fcc49aec194c02a73e6d4f16891195df9",
     "0x6557ac307fa05d25b8d61f21fb8a938e703b3d9bf575f6717ba21ec61261b2a0", 27),
    ({"type": "scheduleCancel", "time": 123456789}, None, True,
     "0x609cb20c737945d070716dcc696ba030e9976fcf5edad87afa7d877493109d55",
     "0x16c685d63b5c7a04512d73f183b3d7a00da5406ff1f8aad33f8ae2163bab758b", 28),
]  # fmt: skip


@pytest.mark.parametrize(("action", "vault", "mainnet", "r", "s", "v"), VECTORS)
def test_published_vectors(
    action: dict[str, Any], vault: str | None, mainnet: bool, r: str, s: str, v: int
) -> None:
    signature = sign_l1_action(KEY, action, 0, vault, None, mainnet)
    assert signature == {"r": r, "s": s, "v": v}
    recovered = recover_l1(signature, action, 0, vault, None)
    assert recovered[0 if mainnet else 1] == address_of(KEY)
    assert recovered[1 if mainnet else 0] != address_of(KEY)


def test_published_connection_id() -> None:
    wire = order_request_to_order_wire(
        {
            "coin": "ETH",
            "is_buy": True,
            "sz": 0.0147,
            "limit_px": 1670.1,
            "reduce_only": False,
            "order_type": {"limit": {"tif": "Ioc"}},
            "cloid": None,
        },
        4,
    )
    digest = action_hash(order_wires_to_order_action([wire]), 1677777606040, None, None)
    assert digest.hex() == "0fcbeda5ae3c4950a548021552a4fea2226858c4453571bf3f24ba017eac2908"


LEAVES = st.one_of(st.booleans(), st.none(), st.integers(0, 2**63), st.text(max_size=40))
ACTIONS = st.dictionaries(
    st.text(max_size=10),
    st.recursive(
        LEAVES, lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=5), x, max_size=4)
    ),
    min_size=1,
    max_size=5,
)


@given(
    action=ACTIONS,
    nonce=st.integers(0, 2**63),
    vault=st.none() | st.binary(min_size=20, max_size=20),
    expires=st.none() | st.integers(0, 2**63),
    mainnet=st.booleans(),
    key=st.binary(min_size=32, max_size=32).filter(lambda b: 0 < int.from_bytes(b, "big") < 2**255),
)
def test_equals_the_sdk_and_recovers(
    action: dict[str, Any], nonce: int, vault: bytes | None, expires: int | None, mainnet: bool, key: bytes
) -> None:
    vault_text = None if vault is None else "0x" + vault.hex()
    wallet = Account.from_key(key)
    ours = sign_l1_action(key, action, nonce, vault_text, expires, mainnet)
    assert ours == sdk_sign(wallet, action, vault_text, nonce, expires, mainnet)
    bare = None if vault_text is None else vault_text[2:]
    assert recover_l1(ours, action, nonce, bare, expires)[not mainnet] == wallet.address.lower()


def test_signer_signs_for_its_address() -> None:
    signer = Signer(KEY, False)
    signature = signer.sign(ORDER, 7, 99)
    assert signature == sign_l1_action(KEY, ORDER, 7, None, 99, False)
    assert recover_l1(signature, ORDER, 7, None, 99)[1] == signer.address == address_of(KEY)


def test_key_order_is_part_of_what_is_signed() -> None:
    swapped = {"grouping": "na", "type": "order", "orders": ORDER["orders"]}
    assert action_hash(swapped, 0, None, None) != action_hash(ORDER, 0, None, None)


@pytest.mark.parametrize(
    "signature",
    [
        {},
        {"r": "0x", "s": "0x1", "v": 27},
        {"r": "0x1", "s": "0x1", "v": 99},
        {"r": "0x1", "s": "0x1", "v": None},
        {"r": 1, "s": 1, "v": 27},
        {"r": "0x" + "f" * 65, "s": "0x1", "v": 27},
        {"r": "0x0", "s": "0x0", "v": 27},
        {"r": "-0x1", "s": "0x1", "v": 27},
    ],
)
def test_what_is_not_a_signature_is_refused(signature: dict[str, Any]) -> None:
    with pytest.raises(VenueError, match="Unable to recover signer"):
        recover_l1(signature, ORDER, 0, None, None)


def test_what_cannot_be_packed_is_refused() -> None:
    deep: Any = []
    for _ in range(3000):
        deep = [deep]
    good = {"r": "0x1", "s": "0x1", "v": 27}
    for action, nonce, vault in (
        ({"x": deep}, 0, None),
        ({"x": 2**70}, 0, None),
        ({}, -1, None),
        ({}, 0, "0x12"),
    ):
        with pytest.raises(VenueError, match="Unable to recover signer"):
            recover_l1(good, action, nonce, vault, None)


def test_nonce_grows_when_the_clock_does_not() -> None:
    assert next_nonce(0, 1000) == 1000
    assert next_nonce(1000, 1000) == 1001
    assert next_nonce(1000, 900) == 1001


def test_key_file_is_read_only_when_private(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("0x" + KEY.hex() + "\n")
    path.chmod(0o600)
    assert load_key_file(path) == KEY
    path.chmod(0o644)
    with pytest.raises(PreflightError, match="chmod 600") as caught:
        load_key_file(path)
    assert KEY.hex() not in str(caught.value)


@pytest.mark.parametrize("text", ["", "0x12", "zz" * 32, "00" * 32, "ff" * 32, "é" * 32])
def test_key_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    os.chmod(path, 0o600)
    with pytest.raises(PreflightError, match="not 64 hexadecimal"):
        load_key_file(path)


def test_missing_key_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="create it with mode 600"):
        load_key_file(tmp_path / "none")
