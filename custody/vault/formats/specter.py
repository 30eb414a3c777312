"""Specter Desktop's wallet export: JSON with one receiving descriptor, and its full wallet file.

Specter derives change on branch 1 by its own rule, so `/0/*` means both branches here. In the full
wallet file the change descriptor, the quorum and the keys are told again, and must agree.
Source: cryptoadvance/specter-desktop, wallet/wallet.py (account_map), util/wallet_importer.py.
"""

import json

from custody.bitcoin.descriptor import Branch, Descriptor, join_branches
from custody.bitcoin.network import Network
from custody.errors import Finding
from custody.vault.formats.foreign_json import ForeignObject, read_object
from custody.vault.formats.foreign_keys import inconsistent, require_both_branches
from custody.vault.formats.loose_descriptor import parse_without_checksum, with_both_branches
from custody.vault.vault import Vault


def parse(data: bytes, network: Network) -> tuple[Descriptor, tuple[Finding, ...]]:
    """Read the vault of a Specter export or wallet file.

    Raises:
        InvalidInput: IMPORT_INCONSISTENT, and all that descriptors are refused for.
    """
    document = read_object(data, "the Specter file")
    document.refuse_secrets("seed", "mnemonic")
    text = document.optional_text("recv_descriptor") or document.text("descriptor")
    descriptor, findings = parse_without_checksum(text, network)
    change_text = document.optional_text("change_descriptor")
    if change_text is not None:
        change, more = parse_without_checksum(change_text, network)
        return _checked(document, join_branches(descriptor, change)), (*findings, *more)
    return _checked(document, with_both_branches(descriptor)), findings


def write(vault: Vault) -> str:
    """Return the export that Specter Desktop imports.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT.
    """
    require_both_branches(vault, "specter")
    document = {
        "label": vault.name,
        "blockheight": vault.birth_height,
        "descriptor": vault.descriptor.single_branch_text(Branch.RECEIVE, vault.network),
        "devices": [{"type": "other", "label": cosigner.name} for cosigner in vault.cosigners],
    }
    return json.dumps(document, indent=2) + "\n"


def _checked(document: ForeignObject, descriptor: Descriptor) -> Descriptor:
    count = len(descriptor.keys)
    for key in ("devices", "keys"):
        listed = document.members.get(key)
        if isinstance(listed, list) and len(listed) != count:
            raise inconsistent(f"the Specter file lists {len(listed)} {key}, its descriptor has {count} keys")
    if "sigs_required" in document.members and document.integer("sigs_required") != descriptor.threshold:
        raise inconsistent("the Specter file's `sigs_required` is not the threshold of its descriptor")
    return descriptor
