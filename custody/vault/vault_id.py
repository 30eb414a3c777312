"""The identity of a vault: SHA-256 over the RFC 8785 form of what its scripts follow from.

The hashed document is `{"id": "custody-vault-id/1", network, template, keys}`. The template
is the descriptor without checksum, its keys written `@N` with their steps. A key is
`{fingerprint, path, public_key, chain_code}`; where the script is one sortedmulti, keys stand
in the order of (public_key, chain_code), since the order of their writing changes no script.

Names, birth height, `h` or `'`, and an extended key's parent bytes don't enter. The tag
`custody-vault-id/1` is this rule's own and never follows the version of the vault document.
"""

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.bitcoin.keys import KeyExpression, format_path
from custody.bitcoin.network import Network
from custody.documents.canonical_json import digest
from custody.errors import JsonValue

VAULT_ID_TAG = "custody-vault-id/1"


def vault_id(network: Network, descriptor: Descriptor) -> str:
    """Return the vault's identity, 64 lower-case hex digits."""
    return digest(vault_id_document(network, descriptor))


def vault_id_document(network: Network, descriptor: Descriptor) -> dict[str, JsonValue]:
    """Return the document whose canonical bytes are hashed into the vault_id."""
    ordered = sorted(descriptor.keys, key=lambda key: (key.key.public_key, key.key.chain_code))
    return {
        "id": VAULT_ID_TAG,
        "network": str(network),
        "template": template(descriptor),
        "keys": [_key_document(key) for key in ordered],
    }


def template(descriptor: Descriptor) -> str:
    """Return the descriptor without checksum and keys: `wsh(sortedmulti(2,@0/<0;1>/*,@1/<0;1>/*))`."""
    steps = "/<0;1>/*" if len(descriptor.branches) > 1 else f"/{descriptor.branches[0]}/*"
    keys = ",".join(f"@{position}{steps}" for position in range(len(descriptor.keys)))
    script = f"sortedmulti({descriptor.threshold},{keys})"
    return {
        ScriptType.WSH_SORTEDMULTI: f"wsh({script})",
        ScriptType.SH_WSH_SORTEDMULTI: f"sh(wsh({script}))",
    }[descriptor.script_type]


def _key_document(expression: KeyExpression) -> dict[str, JsonValue]:
    return {
        "fingerprint": expression.origin.fingerprint.hex(),
        "path": format_path(expression.origin.path),
        "public_key": expression.key.public_key.hex(),
        "chain_code": expression.key.chain_code.hex(),
    }
