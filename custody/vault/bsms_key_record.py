"""A key record of BIP 129: what a signer gives the coordinator in round 1. Five lines.

Version, token, key with its origin, a description, and the key's own signature over the four lines
before it. The lines are kept to the letter, because the signature covers them. The software that
builds a record has no key: whoever holds the device signs `signed_text` on it and brings the
signature back. Raw public keys, which the BIP allows, are refused: a vault needs a key for every address.
Source: BIP 129, Round 1.
"""

import re
from dataclasses import dataclass

from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.message import has_legacy_form, verify_message
from custody.bitcoin.message_bip322 import has_simple_form, verify_simple
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.vault.bsms_lines import VERSION, has_control, malformed, record_lines
from custody.vault.bsms_token import Token
from custody.vault.formats.foreign_keys import quoted_path, unsupported

MAX_DESCRIPTION = 80
_RAW_KEY = re.compile(r"(?:\[[^\]]*\])?(?:0[23][0-9a-fA-F]{64}|04[0-9a-fA-F]{128})", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A cosigner's key, signed by that key. An instance's signature was verified."""

    token: Token
    key_text: str
    """The key as the record writes it; `key` is what it means."""
    key: KeyExpression
    description: str
    signature: str
    """Base64, in the legacy form or BIP 322's simple one."""

    def __post_init__(self) -> None:
        _require_description(self.description)
        if not self.signature:
            raise InvalidInput(
                Code.BSMS_SIG,
                "the key record has no signature of its key",
                advice="Sign the message that `custody cosigner record` shows on the device that holds the key; if "
                "the device can't, create the vault with `vault create` and compare every key over another channel.",
            )
        if not has_legacy_form(self.signature) and not has_simple_form(self.signature):
            raise InvalidInput(
                Code.BSMS_SIG,
                "the key record's signature is neither one of 65 bytes in base64 nor BIP 322's simple form",
                advice="Sign the message in the legacy form, as most devices do, or in the simple form for the key's "
                "segwit address.",
            )
        if not self._is_signed_by_its_key():
            raise CheckFailed(
                Code.BSMS_SIG,
                "the key record's signature is not that of its key over its lines",
                advice="Don't use this key; ask its holder over another channel what they signed, and with which key.",
            )

    def _is_signed_by_its_key(self) -> bool:
        signed = (self.key.key.public_key, self.signed_text.encode(), self.signature)
        return verify_message(*signed) or verify_simple(*signed)

    @property
    def signed_text(self) -> str:
        """What the key signs: the first four lines, without a line feed at the end."""
        return signed_text(self.token, self.key_text, self.description)

    def to_text(self) -> str:
        """Return the five lines, without a line feed at the end: the plaintext that is sealed."""
        return f"{self.signed_text}\n{self.signature}"


def signed_text(token: Token, key_text: str, description: str) -> str:
    """Return what a signer's key has to sign for these lines."""
    _require_description(description)
    return "\n".join((VERSION, token.hex, key_text, description))


def read_key_record(plaintext: bytes, *, token: Token, network: Network) -> KeyRecord:
    """Read a key record of the setup that `token` belongs to, and verify it.

    Raises:
        CheckFailed: BSMS_TOKEN_MISMATCH, it names another token; BSMS_SIG.
        InvalidInput: BSMS_VERSION, BSMS_SIG, MALFORMED_DOCUMENT, DESCRIPTOR_UNSUPPORTED for a raw public
            key, and all that keys are refused for (NETWORK_MISMATCH among them).
    """
    lines = record_lines(plaintext, range(4, 6), "the key record")
    _version, token_text, key_text, description = lines[:4]
    signature = lines[4].strip() if len(lines) > 4 else ""
    if token_text.lower() != token.hex:
        # INVARIANT: neither token is repeated.
        raise CheckFailed(
            Code.BSMS_TOKEN_MISMATCH,
            "the key record names another token than this setup's",
            advice="Don't use it; ask its sender over another channel which setup it is for.",
        )
    if _RAW_KEY.fullmatch(key_text):
        raise unsupported("a key record with a raw public key, which has no other addresses,")
    return KeyRecord(token, key_text, KeyExpression.parse(key_text, network), description, signature)


def record_key_text(key: KeyExpression, network: Network) -> str:
    """Return the key as records write it, `'` for hardened steps, as the BIP's own do."""
    path = quoted_path(key.origin.path).removeprefix("m")
    return f"[{key.origin.fingerprint.hex()}{path}]{key.key.to_base58(network)}"


def _require_description(description: str) -> None:
    if len(description) > MAX_DESCRIPTION or "\n" in description or has_control(description):
        raise malformed(f"the key's description is not one plain line of at most {MAX_DESCRIPTION} characters")
