"""Electrum's wallet file of a multisig wallet: `wallet_type` "2of3" and keystores `x1/`, `x2/`, `x3/`.

The script stands in the keys' SLIP-132 prefixes alone, which must be alike: Zpub is P2WSH, Ypub
P2SH-P2WSH. What the file says besides (addresses, network, both kinds of fingerprint) must agree.
A seed or private key in it, encrypted or not, makes the file a secret.
Source: spesmilo/electrum, wallet_db.py, keystore.py, wallet.py; Coldcard/firmware (`ckcc_xfp`).
"""

import json
import re

from custody.bitcoin.derivation import ScriptDeriver
from custody.bitcoin.descriptor import Branch, Descriptor, ScriptType
from custody.bitcoin.encoding import base58check_encode
from custody.bitcoin.keys import ExtendedKey
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.vault.formats.foreign_json import ForeignObject, read_object
from custody.vault.formats.foreign_keys import (
    KeyStatement,
    WalletStatement,
    inconsistent,
    quoted_path,
    require_both_branches,
    unsupported,
)
from custody.vault.vault import Vault

_SECRETS = ("seed", "xprv", "passphrase", "keypairs", "master_private_keys", "master_private_key")
_KEYSTORE = re.compile(r"x([1-9][0-9]?)/?", re.ASCII)
_QUORUM = re.compile(r"([1-9][0-9]?)of([1-9][0-9]?)", re.ASCII)
_SCRIPTS = {
    "Zpub": ScriptType.WSH_SORTEDMULTI,
    "Vpub": ScriptType.WSH_SORTEDMULTI,
    "Ypub": ScriptType.SH_WSH_SORTEDMULTI,
    "Upub": ScriptType.SH_WSH_SORTEDMULTI,
}
_VERSIONS = {
    (ScriptType.WSH_SORTEDMULTI, True): "02aa7ed3",
    (ScriptType.SH_WSH_SORTEDMULTI, True): "0295b43f",
    (ScriptType.WSH_SORTEDMULTI, False): "02575483",
    (ScriptType.SH_WSH_SORTEDMULTI, False): "024289ef",
}
"""Version bytes of Zpub, Ypub, Vpub, Upub by script and whether the network is main. Source: SLIP-132."""
_GENESIS = {
    "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f": Network.MAIN,
    "00000000da84f2bafbbc53dee25a72ae507ff4914b867c565be350b0da8bf043": Network.TESTNET4,
    "00000008819873e925422c1ff0f99f7cc9bbb232af63a077a480a3633bee1ef6": Network.SIGNET,
    "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206": Network.REGTEST,
}
_SEED_VERSION = 20
"""The first with `root_fingerprint`: an older one makes Electrum forget it when it brings the file up to date."""
_COMPARED_ADDRESSES = 20


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of an Electrum wallet file.

    Raises:
        SecretRefused: the file holds a seed or a private key.
        InvalidInput: NETWORK_MISMATCH, DESCRIPTOR_UNSUPPORTED, IMPORT_INCONSISTENT, and what
            `WalletStatement` refuses.
    """
    document = read_object(data, "the Electrum wallet")
    keystores = _keystores(document)
    document.refuse_secrets(*_SECRETS)
    for keystore in keystores:
        keystore.refuse_secrets(*_SECRETS)
    _require_genesis(document, network)
    quorum = _QUORUM.fullmatch(document.text("wallet_type"))
    if quorum is None:
        raise unsupported("an Electrum wallet of one key")
    if not keystores:
        raise unsupported("an Electrum wallet from before version 2.7, whose keys have no origin,")
    prefixes = sorted({keystore.text("xpub")[:4] for keystore in keystores})
    if len(prefixes) != 1:
        raise inconsistent(f"the keys' prefixes {' and '.join(prefixes)} stand for different scripts")
    script_type = _SCRIPTS.get(prefixes[0])
    if script_type is None:
        raise unsupported("an Electrum multisig wallet in P2SH")
    statement = WalletStatement(script_type, int(quorum[1]), int(quorum[2]), tuple(map(_key, keystores)))
    descriptor, findings = statement.to_descriptor(network)
    _require_addresses(document, descriptor, network)
    return descriptor, findings


def write(vault: Vault) -> str:
    """Return a watch-only wallet file that Electrum opens.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "electrum")
    version = bytes.fromhex(_VERSIONS[vault.descriptor.script_type, vault.network.is_main])
    document: dict[str, object] = {
        "wallet_type": f"{vault.threshold}of{len(vault.cosigners)}",
        "seed_version": _SEED_VERSION,
        "use_encryption": False,
    }
    for number, cosigner in enumerate(vault.cosigners, start=1):
        document[f"x{number}/"] = {
            "type": "bip32",
            "pw_hash_version": 1,
            "xpub": base58check_encode(version + _payload(cosigner.key.key, vault.network)),
            "derivation": quoted_path(cosigner.key.origin.path),
            "root_fingerprint": cosigner.fingerprint.hex(),
            "label": cosigner.name,
        }
    return json.dumps(document, indent=2) + "\n"


def _payload(key: ExtendedKey, network: Network) -> bytes:
    return key.to_bytes78(network)[4:]


def _keystores(document: ForeignObject) -> tuple[ForeignObject, ...]:
    """Return the keystores by their numbers, which must run from 1 without a gap."""
    found: dict[int, ForeignObject] = {}
    for name in document.members:
        match = _KEYSTORE.fullmatch(name)
        if match is None:
            continue
        number = int(match[1])
        if number in found:
            raise document.malformed(f"has the keystore {number} twice")
        found[number] = ForeignObject(f"keystore {number}", document.object(name).members)
    if sorted(found) != list(range(1, len(found) + 1)):
        raise inconsistent("the Electrum wallet's keystores are not numbered from 1 without a gap")
    return tuple(found[number] for number in sorted(found))


def _key(keystore: ForeignObject) -> KeyStatement:
    stated = keystore.optional_text("root_fingerprint")
    if keystore.members.get("ckcc_xfp") is not None:
        # Coldcard's number is the fingerprint read in little-endian order.
        number = keystore.integer("ckcc_xfp")
        if not 0 <= number < 2**32:
            raise keystore.malformed("has a `ckcc_xfp` outside 32 bits")
        given = number.to_bytes(4, "little").hex()
        if stated is not None and stated.lower() != given:
            raise inconsistent(f"`root_fingerprint` and `ckcc_xfp` of {keystore.name} differ")
        stated = given
    return KeyStatement(stated, keystore.optional_text("derivation"), keystore.text("xpub"))


def _require_genesis(document: ForeignObject, network: Network) -> None:
    genesis = document.optional_text("genesis_blockhash")
    if genesis is not None and _GENESIS.get(genesis) is not network:
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"the Electrum wallet belongs to another chain than that of `{network}`",
            advice="Find out for which network the wallet was made.",
        )


def _require_addresses(document: ForeignObject, descriptor: Descriptor, network: Network) -> None:
    """Compare the addresses that Electrum stored with those of the keys."""
    if not isinstance(document.members.get("addresses"), dict):
        return
    stored, deriver = document.object("addresses"), ScriptDeriver(descriptor)
    for branch, key in ((Branch.RECEIVE, "receiving"), (Branch.CHANGE, "change")):
        listed = stored.texts(key)[:_COMPARED_ADDRESSES] if key in stored.members else ()
        for index, address in enumerate(listed):
            if deriver.address_at(branch, index, network) != address:
                raise inconsistent(f"the stored {branch.label} address {index} is not that of the wallet's keys")
