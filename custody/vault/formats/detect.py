"""Which wallet format a file is, by its content and never by its name.

Only the shape is looked at; whether the content is valid is the reader's business. Files that
are known but never a vault (databases, encrypted wallets, one cosigner's key) are refused by name.
"""

import re
from enum import StrEnum
from typing import NoReturn

from custody.codes import Code
from custody.documents.canonical_json import parse_foreign_json
from custody.errors import InvalidInput, JsonValue
from custody.vault.bsms_cipher import is_sealed
from custody.vault.formats import (
    bluewallet,
    cobo_vault,
    core_descriptors,
    foreign_json,
    jade,
    keystone,
    multisig_text,
    nunchuk,
    passport,
    sparrow_text,
    specter_diy,
    sqlite_table,
)


class VaultFormat(StrEnum):
    """A format that a vault can be read from."""

    VAULT = "vault"
    DESCRIPTOR = "descriptor"
    CORE = "core"
    CORE_WALLET = "core-wallet"
    SPARROW = "sparrow"
    SPARROW_TEXT = "sparrow-text"
    SPECTER = "specter"
    SPECTER_DIY = "specter-diy"
    CARAVAN = "caravan"
    COLDCARD = "coldcard"
    COBO_VAULT = "cobo-vault"
    KEYSTONE = "keystone"
    PASSPORT = "passport"
    JADE = "jade"
    BLUEWALLET = "bluewallet"
    NUNCHUK = "nunchuk"
    ELECTRUM = "electrum"
    BIP388 = "bip388"
    BSMS = "bsms"
    LIANA = "liana"


_FUNCTION = re.compile(rb"\s*[a-z0-9_]+\s*\(")
_OBJECT_OR_ARRAY = re.compile(rb"\s*[\[{]")
_KEY_EXPRESSION = re.compile(rb"\s*\[[0-9a-fA-F]{8}[/\]]")
_OUR_TEXT = re.compile(rb"(?m)^format: *custody-")

_DIALECTS = (
    ("Exported by Blockstream Jade", VaultFormat.JADE),
    (jade.HEADING, VaultFormat.JADE),
    (nunchuk.HEADING, VaultFormat.NUNCHUK),
    (bluewallet.HEADING, VaultFormat.BLUEWALLET),
    (keystone.HEADING, VaultFormat.KEYSTONE),
    (cobo_vault.HEADING, VaultFormat.COBO_VAULT),
    ("Cobo Vault Multisig", VaultFormat.COBO_VAULT),
    (passport.HEADING, VaultFormat.PASSPORT),
)
"""How the first comment of a multisig text begins; what has none of these is called Coldcard's. All mean the same."""

_TEXTS = (
    (re.compile(rb"\s*" + core_descriptors.COMMAND.encode()), VaultFormat.CORE),
    (re.compile(rb"\s*" + specter_diy.COMMAND.encode()), VaultFormat.SPECTER_DIY),
    (re.compile(rb"\s*BSMS \d"), VaultFormat.BSMS),
    (_FUNCTION, VaultFormat.DESCRIPTOR),
    (sparrow_text.SHAPE, VaultFormat.SPARROW_TEXT),
)

_OBJECTS = (
    (frozenset({"format"}), VaultFormat.VAULT),
    (frozenset({"quorum", "extendedPublicKeys"}), VaultFormat.CARAVAN),
    (frozenset({"keystores", "policyType"}), VaultFormat.SPARROW),
    (frozenset({"wallet_type"}), VaultFormat.ELECTRUM),
    (frozenset({"keys_info"}), VaultFormat.BIP388),
    (frozenset({"accounts", "network"}), VaultFormat.LIANA),
    (frozenset({"recv_descriptor"}), VaultFormat.SPECTER),
    (frozenset({"descriptor"}), VaultFormat.SPECTER),
)
"""Members that tell one program's object from another's, in the order of asking; the rest is Bitcoin Core's."""

_KNOWN_STRANGERS = (
    (b"H:2,", "a Sparrow wallet database", "In Sparrow, export the wallet as an output descriptor and give that"),
    (b"U1BSVzE", "an encrypted Sparrow wallet", "In Sparrow, export the wallet as an output descriptor and give that"),
    (b'{"format":"custody-backup/', "a backup of a vault", "Bring it back with `custody vault restore FILE DIR`"),
    (b"QklFMQ", "an encrypted Electrum wallet", "In Electrum, save a watch-only copy without a password and give that"),
)


def detect_format(data: bytes) -> VaultFormat:
    """Return the format that the content has the shape of.

    Raises:
        InvalidInput: UNKNOWN_FORMAT for a known file that is no vault; JSON that can't be read.
    """
    for start, what, advice in _KNOWN_STRANGERS:
        if data.startswith(start):
            _refuse(what, f"{advice}.")
    if data.startswith(sqlite_table.MAGIC):
        return VaultFormat.CORE_WALLET
    if is_sealed(data):
        _refuse("an encrypted BSMS record", "Give its token with vault import --token-file.")
    if _KEY_EXPRESSION.match(data):
        _refuse_key()
    if _OBJECT_OR_ARRAY.match(data):
        return _detect_json(parse_foreign_json(data, max_bytes=foreign_json.MAX_BYTES))
    for shape, kind in _TEXTS:
        if shape.match(data):
            return kind
    if multisig_text.has_shape(data) and not _OUR_TEXT.search(data):
        return _dialect(data)
    return VaultFormat.VAULT


def _detect_json(document: JsonValue) -> VaultFormat:
    if isinstance(document, dict):
        for members, kind in _OBJECTS:
            if members <= document.keys():
                return kind
        if "xfp" in document or "ExtPubKey" in document:
            _refuse_key()
    if isinstance(document, list) and document and isinstance(document[0], str):
        _refuse("a device's own setting", "Export the wallet from the device and give that.")
    return VaultFormat.CORE


def _dialect(data: bytes) -> VaultFormat:
    comments = (line.removeprefix(b"#").strip() for line in data.splitlines() if line.startswith(b"#"))
    first = next(comments, b"").decode("utf-8", errors="replace")
    return next((kind for heading, kind in _DIALECTS if first.startswith(heading)), VaultFormat.COLDCARD)


def _refuse_key() -> NoReturn:
    _refuse(
        "one cosigner's key",
        "Use it with vault create --cosigner-file NAME=FILE, or give the file of the whole wallet.",
    )


def _refuse(what: str, advice: str) -> NoReturn:
    raise InvalidInput(Code.UNKNOWN_FORMAT, f"the file is {what}, not the description of a wallet", advice=advice)
