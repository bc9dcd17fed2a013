"""Signatures of Hyperliquid's L1 actions: what the venue hashes, how it is signed, and whose it is.

    connectionId = keccak(msgpack(action) ‖ nonce u64 ‖ 00 | 01 ‖ vault ‖ [00 ‖ expiresAfter u64])
    digest       = EIP-712 of Agent(source, connectionId) in the domain Exchange/1/1337/0x0

`source` is "a" on the main net and "b" everywhere else. The action is packed with its keys in the order
of the wire, so a dict must be built (or parsed) in that order. Byte-equal to the official Python SDK and
about eight times as fast. It does not sign transfers and approvals, which use another EIP-712 domain.

References
----------
Hyperliquid, "Exchange endpoint"; Bloemen, Logvinov, Evans (2017), EIP-712; Pornin (2013), RFC 6979.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgpack
from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak

from mmpipe.errors import PreflightError, VenueError

KEY_BYTES: Final = 32
ADDRESS_BYTES: Final = 20
_WORD_BYTES: Final = 32
_U64_BYTES: Final = 8
_V_OFFSET: Final = 27  # Ethereum's v is the recovery id plus this
_SECRET_MODES: Final = (0o600, 0o400)


class Signer:
    """One API wallet: a private key and the net it signs for.

    Parameters
    ----------
    private_key : bytes
        32 bytes.
    mainnet : bool
        True only for the venue's main net; every other URL signs as a test net.
    """

    def __init__(self, private_key: bytes, mainnet: bool) -> None:
        self._key = _private_key(private_key)
        self._source_hash = _SOURCE_HASHES[0 if mainnet else 1]
        self.address = _address_of_public(self._key.public_key)

    def sign(self, action: Mapping[str, Any], nonce: int, expires_after: int | None) -> dict[str, Any]:
        """Signature of one action as it stands in the request, `{"r", "s", "v"}`.

        Parameters
        ----------
        action : mapping
            Keys in the order of the wire.
        nonce : int
            Milliseconds, larger than every earlier one of this key; see `next_nonce`.
        expires_after : int or None
            Wall clock in milliseconds after which the venue refuses the action.
        """
        digest = _digest(self._source_hash, action_hash(action, nonce, None, expires_after))
        return _signature(self._key, digest)


def sign_l1_action(
    private_key: bytes,
    action: Mapping[str, Any],
    nonce: int,
    vault: str | None,
    expires_after: int | None,
    mainnet: bool,
) -> dict[str, Any]:
    """Signature of one action, also for a vault or sub-account; otherwise as `Signer.sign`."""
    connection_id = action_hash(action, nonce, vault, expires_after)
    return _signature(_private_key(private_key), _digest(_SOURCE_HASHES[0 if mainnet else 1], connection_id))


def recover_l1(
    signature: Mapping[str, Any],
    action: Mapping[str, Any],
    nonce: int,
    vault: str | None,
    expires_after: int | None,
) -> tuple[str, str]:
    """Addresses that may have signed: as source "a" (main net) and as source "b".

    Parameters
    ----------
    signature : mapping
        `r` and `s` in hexadecimal without leading zeros being required, `v` 27 or 28.

    Returns
    -------
    tuple of str
        Two lower-case addresses; at most one of them is anybody's.

    Raises
    ------
    VenueError
        If the signature or the action is not one.
    """
    try:
        connection_id = action_hash(action, nonce, vault, expires_after)
    except Exception as error:  # msgpack and the address refuse with errors of many kinds
        raise VenueError(f"Unable to recover signer: {error!r}; sign the action as sent") from error
    a, b = (recover_address(signature, _digest(h, connection_id)) for h in _SOURCE_HASHES)
    return a, b


def recover_address(signature: Mapping[str, Any], digest: bytes) -> str:
    """Lower-case address of the key that made a signature over a 32-byte digest.

    Raises
    ------
    VenueError
        If it is no signature.
    """
    try:
        r = int(signature["r"], 16).to_bytes(_WORD_BYTES, "big")
        s = int(signature["s"], 16).to_bytes(_WORD_BYTES, "big")
        packed = r + s + bytes([signature["v"] - _V_OFFSET])
        return _address_of_public(PublicKey.from_signature_and_message(packed, digest, None))
    except Exception as error:  # coincurve raises bare Exception for a point off the curve
        raise VenueError(f"Unable to recover signer: {error!r}; r, s and v are needed") from error


def action_hash(action: Mapping[str, Any], nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """The 32-byte connectionId of an action.

    Parameters
    ----------
    action : mapping
        Keys in the order of the wire.
    nonce : int
        Milliseconds.
    vault : str or None
        Address of the vault or sub-account traded for, with or without 0x.
    expires_after : int or None
        Milliseconds.
    """
    packed = msgpack.packb(action) + nonce.to_bytes(_U64_BYTES, "big")
    packed += b"\x00" if vault is None else b"\x01" + _address_bytes(vault)
    if expires_after is not None:
        packed += b"\x00" + expires_after.to_bytes(_U64_BYTES, "big")
    return keccak_256(packed)


def address_of(private_key: bytes) -> str:
    """Lower-case 0x address of a private key."""
    return _address_of_public(_private_key(private_key).public_key)


def next_nonce(last: int, wall_ms: int) -> int:
    """Smallest nonce that is new and not older than the wall clock, both in milliseconds."""
    return max(wall_ms, last + 1)


def load_key_file(path: Path) -> bytes:
    """Private key from a file of one hexadecimal line that only its owner can read.

    Raises
    ------
    PreflightError
        If the file is missing, readable by others, not the user's own, or not a key. The message never
        contains what the file contains.
    """
    try:
        # Checked on the open file, so that it cannot be exchanged between the check and the reading.
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            mode = stat.S_IMODE(status.st_mode)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                raise PreflightError(f"key file {path}: not a regular file of this user; chown it")
            if mode not in _SECRET_MODES:
                raise PreflightError(
                    f"key file {path}: mode {mode:04o} lets others read it; run chmod 600 {path}"
                )
            text = file.read(1024)
    except OSError as error:
        raise PreflightError(f"key file {path}: {error.strerror}; create it with mode 600") from error
    try:
        key = bytes.fromhex(text.decode("ascii").strip().removeprefix("0x"))
        _private_key(key)
    except ValueError:
        raise PreflightError(f"key file {path}: not 64 hexadecimal digits of a valid private key") from None
    return key


def _private_key(key: bytes) -> PrivateKey:
    if len(key) != KEY_BYTES:
        raise ValueError(f"a private key has {KEY_BYTES} bytes, not {len(key)}")
    return PrivateKey(key)


def _signature(key: PrivateKey, digest: bytes) -> dict[str, Any]:
    packed = key.sign_recoverable(digest, None)
    r = int.from_bytes(packed[:_WORD_BYTES], "big")
    s = int.from_bytes(packed[_WORD_BYTES : 2 * _WORD_BYTES], "big")
    return {"r": hex(r), "s": hex(s), "v": packed[-1] + _V_OFFSET}


def _address_of_public(key: PublicKey) -> str:
    return "0x" + keccak_256(key.format(compressed=False)[1:])[-ADDRESS_BYTES:].hex()


def _address_bytes(address: str) -> bytes:
    raw = bytes.fromhex(address.removeprefix("0x"))
    if len(raw) != ADDRESS_BYTES:
        raise ValueError(f"an address has {ADDRESS_BYTES} bytes, not {len(raw)}: {address!r}")
    return raw


def keccak_256(data: bytes) -> bytes:
    """Keccak with 256 bits, as Ethereum uses it."""
    return keccak.new(digest_bits=256, data=data).digest()


def _digest(source_hash: bytes, connection_id: bytes) -> bytes:
    return keccak_256(_PREFIX + keccak_256(_AGENT_TYPE_HASH + source_hash + connection_id))


_AGENT_TYPE_HASH: Final = keccak_256(b"Agent(string source,bytes32 connectionId)")
_DOMAIN_TYPE_HASH: Final = keccak_256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_CHAIN_ID: Final = 1337


def eip712_prefix(name: bytes, chain_id: int) -> bytes:
    """What stands before the hash of a typed message: 19 01 and the separator of the domain."""
    word = chain_id.to_bytes(_WORD_BYTES, "big")
    version = keccak_256(b"1")
    return b"\x19\x01" + keccak_256(
        _DOMAIN_TYPE_HASH + keccak_256(name) + version + word + bytes(_WORD_BYTES)
    )


_PREFIX: Final = eip712_prefix(b"Exchange", _CHAIN_ID)
_SOURCE_HASHES: Final = (keccak_256(b"a"), keccak_256(b"b"))
