"""Verdicts of the published wallet files: Caravan, Coldcard, Electrum, Sparrow and what it reads, BIP 388.

Each row's right verdict stands here beside its name. Accepted means: read, its scripts derived by libwally
too, and equal to the vault that the same project prints in another format. Published keys are for testing,
so the rule that refuses them on main is left out here; it has tests of its own.
"""

import json
from collections.abc import Callable
from typing import Any

from custody.bitcoin.descriptor import Descriptor, ScriptType, add_checksum
from custody.bitcoin.network import Network
from custody.bitcoin.second_opinion import SecondOpinion
from custody.codes import Code
from custody.errors import InvalidInput
from custody.vault.formats import cosigner_key
from custody.vault.formats.registry import ImportTerms, read_vault
from custody.vault.vault import Vault
from support.vector_verdicts_keys import ACCEPTED, INVALID, NOT_BUILT, UNSUPPORTED, WRONG, Verdicts
from support.vectors import load_vectors

_NOT_BUILT = NOT_BUILT | {Code.UNKNOWN_FORMAT}
_WSH, _SH_WSH = ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI


def _count(outcomes: list[str]) -> Verdicts:
    return {name: outcomes.count(name) for name in (ACCEPTED, UNSUPPORTED, INVALID, WRONG)}


def _content(row: dict[str, Any]) -> bytes:
    value = next(row[member] for member in ("text", "content", "json") if member in row)
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def _network(data: bytes) -> Network:
    return Network.TESTNET4 if any(mark in data for mark in (b"tpub", b"Vpub", b"Upub", b"testnet")) else Network.MAIN


def _read(data: bytes, *, receive_only: bool = False) -> Vault:
    return read_vault(data, ImportTerms("sample", _network(data), receive_only))[0]


def _accepted(vault: Vault, twin: Vault | None = None) -> str:
    """Judge a vault that was read: libwally's scripts, and those of its twin in another format."""
    second = SecondOpinion(vault.descriptor_text, vault.network)
    same = all(
        second.script_pubkey_at(position, index) == vault.deriver.at(branch, index).script_pubkey
        and (twin is None or twin.address_at(branch, index) == vault.address_at(branch, index))
        for position, branch in enumerate(vault.descriptor.branches)
        for index in range(3)
    )
    return ACCEPTED if same else WRONG


def _refused(data: bytes, right: str) -> str:
    try:
        _read(data)
    except InvalidInput as refused:
        return right if right == INVALID or refused.code in _NOT_BUILT else WRONG
    return WRONG


def caravan() -> Verdicts:
    """Wallets and the Coldcard texts of the same wallets; P2SH is not built."""
    files = load_vectors("caravan_wallet_exports.json")["files"]
    texts = {(_kind(row["path"]), _network(_content(row))): row for row in files if row["path"].endswith(".txt")}
    outcomes = []
    for row in files:
        kind, data = _kind(row["path"]), _content(row)
        if kind == "p2sh":
            outcomes.append(_refused(data, UNSUPPORTED))
        else:
            outcomes.append(_accepted(_read(data), _read(_content(texts[kind, _network(data)]))))
    return _count(outcomes)


def _kind(path: str) -> str:
    name = path.lower()
    return "p2sh-p2wsh" if "p2sh-p2wsh" in name else "p2wsh" if "p2wsh" in name else "p2sh"


def coldcard() -> Verdicts:
    """One wallet as text, descriptor and Electrum file; each cosigner's own export; device settings."""
    rows = {row["file"]: _content(row) for row in load_vectors("coldcard_multisig_exports.json")["files"]}
    outcomes = []
    for name, data in rows.items():
        kind = _SH_WSH if "p2sh-p2wsh" in name else _WSH
        twin_name = f"export-{'p2sh-p2wsh' if kind is _SH_WSH else 'p2wsh'}-myself.txt"
        if name.startswith("ccxp-") or name.endswith("coldcard-export.json"):
            outcomes.append(_keys_verdict(data, rows))
        elif name.endswith("bip21.txt"):
            outcomes.append(_refused(data, INVALID))
        elif "p2wsh" in name and not name.startswith("setting-"):
            # A Coldcard's descriptor covers the receive branch alone.
            vault = _read(data, receive_only=name.startswith("desc-"))
            outcomes.append(_accepted(vault, _read(rows[twin_name])))
        else:
            outcomes.append(_refused(data, UNSUPPORTED))
    return _count(outcomes)


def _keys_verdict(data: bytes, rows: dict[str, bytes]) -> str:
    """Judge one cosigner's file: its key for each script is one of the wallet's."""
    for kind, name in ((_WSH, "p2wsh"), (_SH_WSH, "p2sh-p2wsh")):
        key, _converted = cosigner_key.parse(data, kind, Network.TESTNET4)
        if key not in _read(rows[f"export-{name}-myself.txt"]).descriptor.keys:
            return WRONG
    return ACCEPTED


_SPARROW: dict[str, str] = {
    "caravan-multisig-export-1.json": ACCEPTED,
    "caravan-multisig-export-2.json": INVALID,
    "caravan-multisig-export-3.json": INVALID,
    "cc-multisig-export-1.txt": ACCEPTED,
    "cc-multisig-export-2.txt": ACCEPTED,
    "electrum-multisig-wallet.json": ACCEPTED,
    "specter-diy-export.txt": ACCEPTED,
}
"""What is a vault, and what contradicts itself; the rest is of other kinds, encrypted, secret, or a single key."""
_SPARROW_KEYS = ("cc-multisig-keystore-1.json", "cc-multisig-keystore-2.json")


def sparrow() -> Verdicts:
    """Samples of each program that Sparrow reads; two wallets stand in several formats."""
    rows = {row["file"]: _content(row) for row in load_vectors("sparrow_exports.json")["files"]}
    nested = _read(rows["cc-multisig-export-2.txt"])
    outcomes = []
    for name, data in rows.items():
        if name in _SPARROW_KEYS:
            key, _converted = cosigner_key.parse(data, _SH_WSH, Network.TESTNET4)
            outcomes.append(ACCEPTED if key in nested.descriptor.keys else WRONG)
        elif _SPARROW.get(name) == ACCEPTED:
            outcomes.append(_accepted(_read(data), nested if name.startswith("electrum") else None))
        else:
            outcomes.append(_refused(data, _SPARROW.get(name, UNSUPPORTED)))
    return _count(outcomes)


def electrum() -> Verdicts:
    """Old wallets, all with a seed or a private key: refused as secrets, whatever else they are."""
    rows = load_vectors("electrum_multisig_wallets.json")["wallets"]
    return _count([_secret_verdict(_content(row)) for row in rows])


def _secret_verdict(data: bytes) -> str:
    try:
        _read(data)
    except InvalidInput as refused:
        return UNSUPPORTED if refused.code is Code.SECRET_MATERIAL else WRONG
    return WRONG


def bip388() -> Verdicts:
    """Templates with their keys give the printed descriptor; other kinds and invalid templates are refused."""
    vectors = load_vectors("bip388_wallet_policies.json")
    outcomes = []
    for row in vectors["valid"]:
        data = json.dumps({"descriptor_template": row["template"], "keys_info": row["keys_info"]}).encode()
        if row["template"] == "wsh(sortedmulti(2,@0/**,@1/**))":
            printed = Descriptor.parse(add_checksum(row["descriptor"]), Network.MAIN)
            vault = _read(data)
            outcomes.append(_accepted(vault) if vault.descriptor == printed else WRONG)
        else:
            outcomes.append(_refused(data, UNSUPPORTED))
    keys = max((row["keys_info"] for row in vectors["valid"]), key=len)
    for row in vectors["invalid"]:
        count = 3 if "@2" in row["template"] else 2 if "@1" in row["template"] else 1
        data = json.dumps({"descriptor_template": row["template"], "keys_info": keys[:count]}).encode()
        outcomes.append(_refused(data, INVALID))
    return _count(outcomes)


def sparrow_bsms() -> Verdicts:
    """Descriptor records of BSMS 1.0; those with one address only are not built."""
    vectors = load_vectors("sparrow_bsms.json")
    fails = {name: test["expects_exception"] for test in vectors["expectations"] for name in test["files"]}
    outcomes = []
    for row in vectors["files"]:
        data = _content(row)
        single = any(f"/{steps},[" in row["text"] for steps in ("0/0", "1/3"))
        if fails[row["file"]]:
            outcomes.append(_refused(data, INVALID))
        else:
            outcomes.append(_refused(data, UNSUPPORTED) if single else _accepted(_read(data)))
    return _count(outcomes)


CHECKS: dict[str, Callable[[], Verdicts]] = {
    "bip388_wallet_policies.json": bip388,
    "caravan_wallet_exports.json": caravan,
    "coldcard_multisig_exports.json": coldcard,
    "electrum_multisig_wallets.json": electrum,
    "sparrow_exports.json": sparrow,
    "sparrow_bsms.json": sparrow_bsms,
}
