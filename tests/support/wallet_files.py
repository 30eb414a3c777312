"""Wallet files for tests: our own exports, and edits of them as an attacker or a clumsy program makes them."""

import json
from collections.abc import Callable
from typing import Any

from custody.bitcoin.encoding import base58check_decode, base58check_encode
from custody.vault.formats.detect import VaultFormat
from custody.vault.formats.registry import write_vault
from custody.vault.vault import Vault

JSON_FORMATS = (
    VaultFormat.CARAVAN,
    VaultFormat.SPARROW,
    VaultFormat.SPECTER,
    VaultFormat.ELECTRUM,
    VaultFormat.BIP388,
)
TEXT_FORMATS = (
    VaultFormat.COLDCARD,
    VaultFormat.COBO_VAULT,
    VaultFormat.KEYSTONE,
    VaultFormat.PASSPORT,
    VaultFormat.JADE,
    VaultFormat.BLUEWALLET,
    VaultFormat.NUNCHUK,
)
SLIP132 = {"ypub": "049d7cb2", "zpub": "04b24746", "Ypub": "0295b43f", "Zpub": "02aa7ed3"} | {
    "upub": "044a5262",
    "vpub": "045f1cf6",
    "Upub": "024289ef",
    "Vpub": "02575483",
}


def exported_json(vault: Vault, kind: VaultFormat) -> Any:
    """Return our export as a document that can be edited."""
    return json.loads(write_vault(vault, kind))


def edited(vault: Vault, kind: VaultFormat, edit: Callable[[Any], object]) -> bytes:
    """Return our export after `edit` changed its document in place."""
    document = exported_json(vault, kind)
    edit(document)
    return json.dumps(document).encode()


def exported_text(vault: Vault, kind: VaultFormat) -> str:
    """Return our export as text."""
    return write_vault(vault, kind)


def with_prefix(key: str, prefix: str) -> str:
    """Return an xpub or tpub under another SLIP-132 prefix."""
    return base58check_encode(bytes.fromhex(SLIP132[prefix]) + base58check_decode(key)[4:])
