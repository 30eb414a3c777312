"""Sparrow's wallet as JSON: what it stores for a watch-only wallet without a password.

The threshold stands in a miniscript text over the keystores' names, whose number must be that of the
keystores. A keystore with a seed or a private key, encrypted or not, makes the file a secret.
Sparrow's database (`.mv.db`) and its encrypted files are not read.
Source: sparrowwallet/sparrow, io/JsonPersistence.java; sparrowwallet/drongo, wallet/ and policy/.
"""

import json
import re

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.network import Network
from custody.errors import Finding
from custody.vault.formats.foreign_json import ForeignObject, read_object
from custody.vault.formats.foreign_keys import (
    KeyStatement,
    WalletStatement,
    inconsistent,
    network_name,
    quoted_path,
    require_both_branches,
    require_network,
    script_type_named,
    unsupported,
)
from custody.vault.vault import Vault

_POLICIES = ("MULTI", "MULTI_HD")
_SCRIPT = re.compile(
    r"(?P<outer>wsh\(|sh\(wsh\()sortedmulti\((?P<threshold>\d{1,3}),(?P<names>[^()]+)\)(?P<end>\)+)", re.ASCII
)
_OUTER = {"wsh(": ScriptType.WSH_SORTEDMULTI, "sh(wsh(": ScriptType.SH_WSH_SORTEDMULTI}
_NAMES = {ScriptType.WSH_SORTEDMULTI: "P2WSH", ScriptType.SH_WSH_SORTEDMULTI: "P2SH_P2WSH"}
_SECRETS = ("seed", "masterPrivateExtendedKey", "masterPrivateKey")
_MAX_LABEL = 16


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of a Sparrow wallet.

    Raises:
        SecretRefused: a keystore holds a seed or a private key.
        InvalidInput: NETWORK_MISMATCH, DESCRIPTOR_UNSUPPORTED, and what `WalletStatement` refuses.
    """
    document = read_object(data, "the Sparrow wallet")
    keystores = document.objects("keystores", called="keystore")
    for keystore in keystores:
        keystore.refuse_secrets(*_SECRETS)
    require_network(document.text("network"), network)
    if document.text("policyType") not in _POLICIES:
        raise unsupported("a wallet of one key")
    script_type = script_type_named(document.text("scriptType"))
    threshold, total = _quorum(document, script_type)
    statement = WalletStatement(script_type, threshold, total, tuple(map(_key, keystores)))
    return statement.to_descriptor(network)


def write(vault: Vault) -> str:
    """Return the wallet that Sparrow imports under File, Import Wallet, Sparrow.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "sparrow")
    labels = _labels(vault)
    names = ",".join(re.sub(r"[^a-z0-9]", "", label) for label in labels)
    script = f"wsh(sortedmulti({vault.threshold},{names}))"
    is_nested = vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
    document = {
        "name": vault.name,
        "network": network_name(vault.network).upper(),
        "policyType": "MULTI",
        "scriptType": _NAMES[vault.descriptor.script_type],
        "defaultPolicy": {"name": "Default", "miniscript": {"script": f"sh({script})" if is_nested else script}},
        "keystores": [
            {
                "label": label,
                "source": "SW_WATCH",
                "walletModel": "SPARROW",
                "keyDerivation": {
                    "masterFingerprint": cosigner.fingerprint.hex(),
                    "derivationPath": quoted_path(cosigner.key.origin.path),
                },
                "extendedPublicKey": cosigner.key.key.to_base58(vault.network),
            }
            for label, cosigner in zip(labels, vault.cosigners, strict=True)
        ],
        "purposeNodes": [],
        "transactions": {},
    }
    return json.dumps(document, indent=2) + "\n"


def _quorum(document: ForeignObject, script_type: ScriptType) -> tuple[int, int]:
    match = _SCRIPT.fullmatch(document.object("defaultPolicy").object("miniscript").text("script").replace(" ", ""))
    if match is None or len(match["end"]) != match["outer"].count("("):
        raise unsupported("a Sparrow wallet whose policy is not a sorted multisig")
    if _OUTER[match["outer"]] is not script_type:
        raise inconsistent("the Sparrow wallet's `scriptType` is not the script of its policy")
    return int(match["threshold"]), match["names"].count(",") + 1


def _key(keystore: ForeignObject) -> KeyStatement:
    origin = keystore.object("keyDerivation")
    fingerprint, path = origin.optional_text("masterFingerprint"), origin.optional_text("derivationPath")
    return KeyStatement(fingerprint, path, keystore.text("extendedPublicKey"))


def _labels(vault: Vault) -> list[str]:
    """Return the cosigners' names, or numbers where the names don't fit or would look alike in the policy."""
    names = [cosigner.name for cosigner in vault.cosigners]
    plain = {re.sub(r"[^a-z0-9]", "", name) for name in names}
    if len(plain) == len(names) and all(len(name) <= _MAX_LABEL for name in names):
        return names
    return [f"cosigner{number}" for number in range(1, len(names) + 1)]
