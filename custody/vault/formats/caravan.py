"""Caravan's wallet configuration: JSON with a quorum and a list of extended public keys.

It says the number of keys twice, and the network beside the keys' own prefixes. Keys are sorted and
the branches are 0 and 1 by Caravan's own rules. A key of path "Unknown" has no origin and is refused.
Source: caravan-bitcoin/caravan, apps/coordinator, wallet configuration.
"""

import json

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.network import Network
from custody.errors import Finding
from custody.vault.formats.foreign_json import ForeignObject, read_object
from custody.vault.formats.foreign_keys import (
    KeyStatement,
    WalletStatement,
    network_name,
    quoted_path,
    require_both_branches,
    require_network,
    script_type_named,
)
from custody.vault.vault import Vault

_NAMES = {ScriptType.WSH_SORTEDMULTI: "P2WSH", ScriptType.SH_WSH_SORTEDMULTI: "P2SH-P2WSH"}
_NETWORKS = {Network.TESTNET4: "testnet"}
"""Caravan knows no testnet4."""


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of a Caravan configuration.

    Raises:
        InvalidInput: NETWORK_MISMATCH, DESCRIPTOR_UNSUPPORTED, and what `WalletStatement` refuses.
    """
    document = read_object(data, "the Caravan file")
    require_network(document.text("network"), network)
    script_type = script_type_named(document.text("addressType"))
    quorum = document.object("quorum")
    keys = tuple(_key(item) for item in document.objects("extendedPublicKeys", called="key"))
    statement = WalletStatement(script_type, quorum.integer("requiredSigners"), quorum.integer("totalSigners"), keys)
    return statement.to_descriptor(network)


def write(vault: Vault) -> str:
    """Return the configuration; the client is a public explorer until the person chooses a node.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "caravan")
    document = {
        "name": vault.name,
        "addressType": _NAMES[vault.descriptor.script_type],
        "network": _NETWORKS.get(vault.network, network_name(vault.network)),
        "client": {"type": "public"},
        "quorum": {"requiredSigners": vault.threshold, "totalSigners": len(vault.cosigners)},
        "extendedPublicKeys": [
            {
                "name": cosigner.name,
                "bip32Path": quoted_path(cosigner.key.origin.path),
                "xpub": cosigner.key.key.to_base58(vault.network),
                "xfp": cosigner.fingerprint.hex(),
            }
            for cosigner in vault.cosigners
        ],
        "startingAddressIndex": 0,
    }
    return json.dumps(document, indent=2) + "\n"


def _key(item: ForeignObject) -> KeyStatement:
    return KeyStatement(item.optional_text("xfp"), item.optional_text("bip32Path"), item.text("xpub"))
