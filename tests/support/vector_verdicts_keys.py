"""Verdicts of the published vectors on keys, addresses and descriptors, one function per file.

Each returns how many were accepted (with the scripts, addresses or keys that the file
prints), refused as valid but not built, refused as invalid, and how many got a wrong
verdict: invalid ones accepted, valid ones called invalid, other scripts. `CHECKS` lists
them for the command that prints all counts.
"""

from collections.abc import Callable
from typing import Any

from custody.bitcoin.address import address_of, script_of
from custody.bitcoin.derivation import ScriptDeriver
from custody.bitcoin.descriptor import Descriptor, add_checksum, descriptor_checksum
from custody.bitcoin.encoding import BECH32, BECH32M, base58_decode, base58_encode, bech32_decode
from custody.bitcoin.keys import HARDENED, ExtendedKey, parse_path
from custody.bitcoin.network import Network
from custody.bitcoin.script import multisig_script, p2sh_script
from custody.bitcoin.second_opinion import SecondOpinion
from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused
from support.key_scripts import NotCovered, script_of_foreign
from support.vectors import load_vectors

Verdicts = dict[str, int]
ACCEPTED, UNSUPPORTED, INVALID, WRONG = "accepted", "refused_unsupported", "refused_invalid", "wrong"

NOT_BUILT = {
    Code.DESCRIPTOR_UNSUPPORTED,
    Code.SECRET_MATERIAL,
    Code.ORIGIN_MISSING,
    Code.NOT_RANGED,
    Code.HARDENED_PUBLIC_DERIVATION,
    Code.MIXED_MULTIPATH,
    Code.TOO_MANY_KEYS,
    Code.CHECKSUM_MISSING,
    Code.XPUB_DEPTH_MISMATCH,
    Code.XPUB_CHILDNUM_MISMATCH,
    Code.XPUB_PARENT_MISMATCH,
    Code.FINGERPRINT_ZERO,
}
"""Refusals that don't call a descriptor malformed: kinds not built, and rules of custody stricter than the BIPs."""


def _count(outcomes: list[str]) -> Verdicts:
    return {name: outcomes.count(name) for name in (ACCEPTED, UNSUPPORTED, INVALID, WRONG)}


def _refusal(action: Callable[..., object], *arguments: object) -> Code | None:
    try:
        action(*arguments)
    except InvalidInput as refused:
        return refused.code
    return None


def _must_refuse(action: Callable[..., object], *arguments: object) -> str:
    return WRONG if _refusal(action, *arguments) is None else INVALID


def _must_be_secret(action: Callable[..., object], *arguments: object) -> str:
    try:
        action(*arguments)
    except SecretRefused:
        return UNSUPPORTED
    except InvalidInput:
        return WRONG
    return WRONG


def bip32() -> Verdicts:
    """Every xpub parses, prints back and derives its unhardened child; every xprv and invalid key is refused."""
    vectors = load_vectors("bip32.json")
    outcomes = []
    for vector in vectors["valid"]:
        parent: ExtendedKey | None = None
        for link in vector["chains"]:
            key = ExtendedKey.from_base58(link["xpub"], Network.MAIN)
            path = parse_path(link["path"].removeprefix("m").removeprefix("/").replace("H", "h"))
            derived = parent is None or path[-1] >= HARDENED or parent.child(path[-1]) == key
            outcomes.append(ACCEPTED if derived and key.to_base58(Network.MAIN) == link["xpub"] else WRONG)
            outcomes.append(_must_be_secret(ExtendedKey.from_base58, link["xprv"], Network.MAIN))
            parent = key
    for bad in vectors["invalid"]:
        outcomes.append(_must_refuse(ExtendedKey.from_base58, bad["key"], Network.MAIN))
    return _count(outcomes)


def bip67() -> Verdicts:
    """Keys sort as printed, and give the script and the address."""
    outcomes = []
    for vector in load_vectors("bip67.json")["vectors"]:
        keys = sorted(bytes.fromhex(key) for key in vector["keys"])
        script = multisig_script(vector["threshold"], keys)
        same = [key.hex() for key in keys] == vector["sorted"] and script.hex() == vector["script"]
        address = address_of(p2sh_script(script), Network.MAIN)
        outcomes.append(ACCEPTED if same and address == vector["address"] else WRONG)
    return _count(outcomes)


def bip173_350() -> Verdicts:
    """Strings per checksum kind; addresses both ways; version 1 and up under the old checksum refused."""
    vectors = load_vectors("bip173_350_segwit_addresses.json")
    outcomes = []
    for group, constant in (("bip173", BECH32), ("bip350", BECH32M)):
        for text in vectors[group]["valid_strings"]:
            outcomes.append(ACCEPTED if bech32_decode(text)[2] == constant else WRONG)
        for bad in vectors[group]["invalid_strings"]:
            outcomes.append(_bech32_refusal(bad["value"], constant))
        for entry in vectors[group]["valid_addresses"]:
            superseded = group == "bip173" and not entry["scriptPubKey"].startswith("00")
            outcomes.append(
                _must_refuse(_script_on_any, entry["address"])
                if superseded
                else _address_outcome(entry["address"], entry["scriptPubKey"])
            )
        for bad in vectors[group]["invalid_addresses"]:
            outcomes.append(_must_refuse(_script_on_any, bad["value"]))
    return _count(outcomes)


def _bech32_refusal(text: str, constant: int) -> str:
    try:
        return WRONG if bech32_decode(text)[2] == constant else INVALID
    except InvalidInput:
        return INVALID


def _script_on_any(address: str) -> bytes:
    """Return the script on the first network that takes the address; raise if none does."""
    for network in (Network.MAIN, Network.TESTNET4):
        if _refusal(script_of, address, network) is None:
            return script_of(address, network)
    return script_of(address, Network.REGTEST)


def _address_outcome(address: str, script_hex: str) -> str:
    script = _script_on_any(address)
    network = Network.MAIN if address.lower().startswith("bc1") else Network.TESTNET4
    same = script.hex() == script_hex and address_of(script, network) == address.lower()
    return ACCEPTED if same else WRONG


_CHAINS = {"main": Network.MAIN, "test": Network.TESTNET4, "signet": Network.SIGNET, "regtest": Network.REGTEST}


def core_key_io_valid() -> Verdicts:
    """Addresses give their scripts and back; WIF keys are refused as secrets; case flips as the file says."""
    outcomes = []
    for text, payload, facts in load_vectors("core_key_io_valid.json")["vectors"]:
        network = _CHAINS[facts["chain"]]
        if facts["isPrivkey"]:
            outcomes.append(_must_be_secret(script_of, text, network))
            continue
        script = script_of(text, network)
        other_case = text.swapcase()
        flipped = _refusal(script_of, other_case, network) is None
        same = script.hex() == payload and address_of(script, network) == text
        outcomes.append(ACCEPTED if same and flipped == facts.get("tryCaseFlip", False) else WRONG)
    return _count(outcomes)


def core_key_io_invalid() -> Verdicts:
    """Nothing is an address on any network."""
    outcomes = []
    for (text,) in load_vectors("core_key_io_invalid.json")["vectors"]:
        refused = all(_refusal(script_of, text, network) is not None for network in Network)
        outcomes.append(INVALID if refused else WRONG)
    return _count(outcomes)


def core_base58() -> Verdicts:
    """Bytes and base58 text are each other's."""
    outcomes = []
    for payload, text in load_vectors("core_base58.json")["vectors"]:
        same = base58_encode(bytes.fromhex(payload)) == text and base58_decode(text).hex() == payload
        outcomes.append(ACCEPTED if same else WRONG)
    return _count(outcomes)


def bip380() -> Verdicts:
    """Checksums on their own; key expressions as the only key of a vault."""
    vectors = load_vectors("bip380_descriptor_checksum_and_keys.json")
    outcomes = []
    for row in vectors["checksum"]:
        code = _refusal(Descriptor.parse, row["value"], Network.MAIN)
        absent = "#" not in row["value"]
        good = code is (Code.CHECKSUM_MISSING if absent else Code.DESCRIPTOR_UNSUPPORTED)
        outcomes.append((UNSUPPORTED if good else INVALID) if good == row["valid"] else WRONG)
    for row in vectors["key_valid"]:
        code = _refusal(Descriptor.parse, _with_key(row["value"]), Network.MAIN)
        # BIP 382: an uncompressed key is a key, but never one inside wsh().
        uncompressed = code is Code.INVALID_PUBLIC_KEY and row["value"].rpartition("]")[2].startswith("04")
        outcomes.append(_verdict_of_valid(Code.DESCRIPTOR_UNSUPPORTED if uncompressed else code))
    for row in vectors["key_invalid"]:
        outcomes.append(_must_refuse(Descriptor.parse, _with_key(row["value"]), Network.MAIN))
    return _count(outcomes)


def _with_key(key: str) -> str:
    body = f"wsh(sortedmulti(1,{key}))"
    return add_checksum(body) if key.isascii() else body


def _verdict_of_valid(code: Code | None) -> str:
    if code is None:
        return ACCEPTED
    return UNSUPPORTED if code in NOT_BUILT else WRONG


def _checksummed(body: str) -> str:
    try:
        return add_checksum(body)
    except InvalidInput:
        return body


def _valid_descriptor(body: str, scripts: list[str]) -> str:
    """Judge a descriptor that is valid: accepted only with equal scripts, otherwise refused as not built."""
    text = body if "#" in body else _checksummed(body)
    try:
        descriptor = Descriptor.parse(text, Network.MAIN)
    except InvalidInput as refused:
        return _verdict_of_valid(refused.code)
    deriver = ScriptDeriver(descriptor)
    branch = descriptor.branches[0]
    derived = [deriver.at(branch, index).script_pubkey.hex() for index in range(len(scripts))]
    return ACCEPTED if derived == scripts else WRONG


def bip381_390() -> Verdicts:
    """Valid descriptors of all kinds, and invalid ones."""
    vectors = load_vectors("bip381_390_descriptors.json")
    outcomes = [_valid_descriptor(row["descriptor"], row.get("scripts", [])) for row in vectors["valid"]]
    for row in vectors["invalid"]:
        outcomes.append(_must_refuse(Descriptor.parse, _checksummed(row["descriptor"]), Network.MAIN))
    return _count(outcomes)


def core_descriptor_tests() -> Verdicts:
    """Public sides as above; every private side is refused, as a secret where the vector is valid."""
    vectors = load_vectors("core_descriptor_tests.json")
    outcomes = []
    for row in vectors["valid"]:
        scripts = [alternatives[0] for alternatives in row["scripts"]]
        if row["public"]:
            outcomes.append(_valid_descriptor(row["public"], scripts))
        if row["private"] and row["private"] != row["public"]:
            outcomes.append(_must_be_secret(Descriptor.parse, _checksummed(row["private"]), Network.MAIN))
    for row in vectors["invalid"]:
        for side in ("public", "private"):
            if row[side]:
                outcomes.append(_must_refuse(Descriptor.parse, _checksummed(row[side]), Network.MAIN))
    return _count(outcomes)


def core_descriptor_multipath_musig() -> Verdicts:
    """Multipath and musig descriptors, and unparsable ones."""
    vectors = load_vectors("core_descriptor_multipath_musig.json")
    outcomes = [_valid_descriptor(row["public"], []) for row in vectors["multipath"]]
    for row in vectors["unparsable"]:
        outcomes.append(_must_refuse(Descriptor.parse, _checksummed(row["public"]), Network.MAIN))
    return _count(outcomes)


def descriptor_checksums() -> Verdicts:
    """Checksums recomputed; descriptors in scope parsed and compared with libwally; wrong checksums refused."""
    vectors = load_vectors("descriptor_checksums.json")
    outcomes = [_checksum_outcome(row) for row in vectors["valid"]]
    for row in [*vectors["published_mismatch"], *vectors["single_char_corruption"]]:
        text = f"{row['descriptor']}#{row['checksum']}"
        refused = all(_refusal(Descriptor.parse, text, network) for network in (Network.MAIN, Network.REGTEST))
        outcomes.append(INVALID if refused else WRONG)
    return _count(outcomes)


def _checksum_outcome(row: dict[str, Any]) -> str:
    body, checksum = row["descriptor"], row["checksum"]
    if descriptor_checksum(body) != checksum:
        return WRONG
    text, network = f"{body}#{checksum}", Network.MAIN if "xpub" in body else Network.REGTEST
    try:
        descriptor = Descriptor.parse(text, network)
    except InvalidInput:
        return UNSUPPORTED
    second, deriver = SecondOpinion(text, network), ScriptDeriver(descriptor)
    same = all(
        second.script_pubkey_at(position, index) == deriver.at(branch, index).script_pubkey
        for position, branch in enumerate(descriptor.branches)
        for index in range(3)
    )
    return ACCEPTED if same else WRONG


def foreign_scripts() -> Verdicts:
    """Scripts of kinds that are not built, derived with the first engine's pieces and compared."""
    rows = [
        (row["descriptor"], [[script] for script in row.get("scripts", [])])
        for row in load_vectors("bip381_390_descriptors.json")["valid"]
    ]
    rows += [(row["public"], row["scripts"]) for row in load_vectors("core_descriptor_tests.json")["valid"]]
    outcomes = []
    for descriptor, scripts in rows:
        for index, alternatives in enumerate(scripts):
            try:
                derived = script_of_foreign(descriptor.partition("#")[0], index)
            except NotCovered:
                outcomes.append(UNSUPPORTED)
                continue
            outcomes.append(ACCEPTED if [derived.hex()] == alternatives else WRONG)
    return _count(outcomes)


CHECKS: dict[str, Callable[[], Verdicts]] = {
    "bip32.json": bip32,
    "bip67.json": bip67,
    "bip173_350_segwit_addresses.json": bip173_350,
    "core_key_io_valid.json": core_key_io_valid,
    "core_key_io_invalid.json": core_key_io_invalid,
    "core_base58.json": core_base58,
    "bip380_descriptor_checksum_and_keys.json": bip380,
    "bip381_390_descriptors.json": bip381_390,
    "core_descriptor_tests.json": core_descriptor_tests,
    "core_descriptor_multipath_musig.json": core_descriptor_multipath_musig,
    "descriptor_checksums.json": descriptor_checksums,
}
