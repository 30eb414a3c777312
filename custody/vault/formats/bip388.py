"""A wallet policy of BIP 388, as Ledger registers it, in JSON: a descriptor template and a list of keys.

BIP 388 has no checksum: what is compared instead is the policy on the device's screen. Each key
stands once, in its order, and `/**` is both branches. The HMAC of a registration is not part of it.
Source: BIP 388; LedgerHQ/app-bitcoin-new, bitcoin_client/ledger_bitcoin/wallet.py.
"""

import json
import re

from custody.bitcoin.descriptor import Descriptor, ScriptType, add_checksum
from custody.bitcoin.keys import KeyExpression, refuse_private_keys
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, InvalidInput
from custody.vault.formats.foreign_json import ForeignObject, read_object
from custody.vault.formats.foreign_keys import inconsistent, quoted_path, require_both_branches
from custody.vault.vault import Vault

_PLACEHOLDER = re.compile(r"@(0|[1-9][0-9]{0,3})(?=[^0-9]|$)", re.ASCII)
_ALL_BOTH = re.compile(r"@[0-9]+/(?:\*\*|<0;1>/\*)(?=[,)])", re.ASCII)
_MAX_TEMPLATE = 2_000


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of a wallet policy.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, IMPORT_INCONSISTENT, and all that descriptors are refused for.
    """
    document = read_object(data, "the wallet policy")
    template, keys = _template(document), document.texts("keys_info")
    for key in keys:
        refuse_private_keys(key, place="a wallet policy")
    found = [int(number) for number in _PLACEHOLDER.findall(template)]
    if sorted(set(found)) != list(range(len(keys))):
        raise inconsistent(f"the template names {len(set(found))} keys, the list holds {len(keys)}")
    first_places = sorted(set(found), key=found.index)
    if first_places != sorted(first_places) or template.count("@") != len(found):
        raise document.malformed("has a template whose keys are not numbered in their order")
    body = _PLACEHOLDER.sub(lambda match: keys[int(match[1])], _ALL_BOTH.sub(_with_multipath, template))
    descriptor = Descriptor.parse(add_checksum(body), network)
    # A text in the list could hold more than one key; what was read must be the list, key by key.
    if descriptor.keys != tuple(KeyExpression.parse(key, network) for key in keys):
        raise inconsistent("the keys of the filled template are not those of the list")
    return descriptor, ()


def write(vault: Vault) -> str:
    """Return the policy; a Ledger shows its name, template and keys when it is registered.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "bip388")
    placeholders = ",".join(f"@{number}/**" for number in range(len(vault.cosigners)))
    script = f"wsh(sortedmulti({vault.threshold},{placeholders}))"
    is_nested = vault.descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI
    document = {
        "name": vault.name,
        "descriptor_template": f"sh({script})" if is_nested else script,
        "keys_info": [_key_text(key, vault.network) for key in vault.descriptor.keys],
    }
    return json.dumps(document, indent=2) + "\n"


def _template(document: ForeignObject) -> str:
    stated = {document.text(key) for key in ("descriptor_template", "template") if key in document.members}
    if len(stated) != 1:
        raise document.malformed("has not one `descriptor_template`")
    template = stated.pop()
    if len(template) > _MAX_TEMPLATE:
        raise InvalidInput(
            Code.DESCRIPTOR_INVALID,
            f"a descriptor template has {len(template)} characters, at most {_MAX_TEMPLATE} are read",
            advice="Check that it is the file that you mean.",
        )
    return template


def _with_multipath(match: re.Match[str]) -> str:
    return match[0].replace("/**", "/<0;1>/*")


def _key_text(key: KeyExpression, network: Network) -> str:
    path = quoted_path(key.origin.path).removeprefix("m")
    return f"[{key.origin.fingerprint.hex()}{path}]{key.key.to_base58(network)}"
