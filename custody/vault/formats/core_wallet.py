"""Bitcoin Core's wallet database, watch-only: what `exportwatchonlywallet` (version 32) and `backupwallet` write.

Of its records the descriptors and which of them are active are read, and given to the reader of
`listdescriptors`' answer. A wallet that is not marked as one without private keys, or that has a
record of them, is refused as private material, whatever else is in it. The network is compared
with the one that the file is marked for; labels, transactions and caches are not read.
Source: Bitcoin Core, wallet/walletdb.cpp, wallet/walletutil.h and wallet/sqlite.cpp.
"""

import json
from collections.abc import Mapping

from custody.bitcoin.descriptor import Descriptor
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput, JsonValue, SecretRefused
from custody.vault.formats import core_descriptors
from custody.vault.formats.sqlite_table import SqliteFile

_NETWORKS: Mapping[bytes, frozenset[Network]] = {
    bytes.fromhex("f9beb4d9"): frozenset({Network.MAIN}),
    bytes.fromhex("1c163f28"): frozenset({Network.TESTNET4}),
    bytes.fromhex("0a03cf40"): frozenset({Network.SIGNET}),
    bytes.fromhex("fabfb5da"): frozenset({Network.REGTEST}),
}
"""By the first bytes of a network's messages, which Core puts into the file's head. Source: kernel/chainparams.cpp."""

_NO_PRIVATE_KEYS = 1 << 32
_SECRET_RECORDS = frozenset(
    ("walletdescriptorkey", "walletdescriptorckey", "mkey", "key", "wkey", "ckey", "hdchain", "keymeta")
)
_DESCRIPTOR, _FLAGS = "walletdescriptor", "flags"
_ACTIVE = {"activeexternalspk": False, "activeinternalspk": True}


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the one vault in the wallet, and note what was passed over.

    Raises:
        SecretRefused: the wallet has private keys, or may have.
        InvalidInput: NETWORK_MISMATCH, a damaged file, and all that `listdescriptors`' answer is refused for.
    """
    file = SqliteFile(data)
    descriptors: dict[bytes, str] = {}
    internal: dict[bytes, bool] = {}
    flags = 0
    for columns in file.rows("main"):
        if len(columns) != 2 or not isinstance(columns[0], bytes) or not isinstance(columns[1], bytes):
            raise _malformed("a record is not a key and a value")
        kind, rest = _kind_of(columns[0])
        if kind in _SECRET_RECORDS:
            raise _secret(f"it holds a record `{kind}`")
        if kind == _DESCRIPTOR:
            descriptors[rest] = _text_of(columns[1])
        elif kind == _FLAGS:
            flags = int.from_bytes(columns[1], "little")
        elif kind in _ACTIVE:
            internal[columns[1]] = _ACTIVE[kind]
    if not flags & _NO_PRIVATE_KEYS:
        raise _secret("it is not marked as a wallet without private keys")
    _require_network(file, network)
    listed: list[JsonValue] = [
        {"desc": text, **({"internal": internal[name]} if name in internal else {})}
        for name, text in sorted(descriptors.items())
    ]
    if not listed:
        raise _malformed("it holds no descriptor")
    return core_descriptors.parse(json.dumps(listed).encode(), network)


def _kind_of(key: bytes) -> tuple[str, bytes]:
    """Return a record's kind and the rest of its key."""
    length = key[0] if key else 0
    kind = key[1 : 1 + length]
    if not kind or len(kind) != length or not kind.isascii():
        raise _malformed("a record has no kind")
    return kind.decode("ascii"), key[1 + length :]


def _text_of(value: bytes) -> str:
    """Return the descriptor of a record: a length (one byte, or 0xfd and two) and that many characters."""
    length, start = (int.from_bytes(value[1:3], "little"), 3) if value[:1] == b"\xfd" else (value[0] if value else 0, 1)
    text = value[start : start + length]
    if not text or len(text) != length or not text.isascii():
        raise _malformed("a descriptor is cut off")
    return text.decode("ascii")


def _require_network(file: SqliteFile, network: Network) -> None:
    marked = _NETWORKS.get(file.application_id, frozenset())
    if network not in marked:
        said = ", ".join(sorted(str(one) for one in marked)) or "none that is known here"
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"the wallet is marked for network {said}, --network says `{network}`",
            advice="Find out for which network the wallet was made.",
        )


def _secret(why: str) -> SecretRefused:
    return SecretRefused(
        Code.SECRET_MATERIAL,
        f"the file is a Bitcoin Core wallet that may hold private keys: {why}",
        advice="Export a watch-only wallet with `exportwatchonlywallet`, or give the answer of `listdescriptors`.",
    )


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"the file is no wallet of Bitcoin Core that can be read: {message}",
        advice="Load it with `restorewallet` and give the answer of `listdescriptors`.",
    )
