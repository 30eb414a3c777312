"""The payer's document (`custody-receive/1`): an address with its terms, officers' signatures, perhaps a proof.

It carries the signed text too, so that `ssh-keygen -Y verify` needs nothing of ours; that text is
never parsed: it must equal the one built again from the terms. Reading it says nothing about
whether it is true: that is `receive_check.py`.
"""

import json
from dataclasses import dataclass

from custody.documents.canonical_json import parse_json
from custody.documents.format_tag import require_format
from custody.documents.names import check_name
from custody.errors import JsonValue
from custody.people.receive import MAX_NEEDED, TERMS_KEYS, ReceiveTerms
from custody.spend.document import fields_of, list_of, malformed, optional_of, text_of

RECEIVE_FORMAT = "custody-receive/1"
MAX_BYTES = 200_000
MAX_PROOF = 20_000
"""Characters of a BIP 322 signature; one of a 15-of-15 has about 2,500."""


@dataclass(frozen=True, slots=True)
class OfficerSignature:
    """A signature with the name of whoever says they made it."""

    officer: str
    signature: str
    """Armored SSHSIG."""


@dataclass(frozen=True, slots=True)
class ReceiveDocument:
    """What a payer gets. Nothing in it is verified yet."""

    terms: ReceiveTerms
    signatures: tuple[OfficerSignature, ...]
    proof: str | None
    """BIP 322 signature of the address over `receive_proof.proof_message`, in its prefixed form."""

    def to_bytes(self) -> bytes:
        """Return the file: JSON, one value a line, so that a person can read it in a mail."""
        signatures: list[JsonValue] = [{"officer": one.officer, "signature": one.signature} for one in self.signatures]
        document: dict[str, JsonValue] = {
            "format": RECEIVE_FORMAT,
            **self.terms.to_document(),
            "statement": self.terms.statement.text,
            "signatures": signatures,
            "proof": self.proof,
        }
        return json.dumps(document, indent=2, ensure_ascii=True).encode("ascii") + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> "ReceiveDocument":
        """Read a document, strictly; its signatures are not looked at.

        Raises:
            InvalidInput: UNKNOWN_FORMAT, UNKNOWN_FIELD, MALFORMED_DOCUMENT, ADDRESS_INVALID, NETWORK_MISMATCH,
                FILE_TOO_LARGE. UpgradeNeeded: a later format.
        """
        document = parse_json(data, max_bytes=MAX_BYTES)
        advice = "Give the file that `custody address attest -o FILE` wrote for you."
        require_format(document, RECEIVE_FORMAT, "the attestation", advice=advice)
        found = fields_of(document, "an attestation", ("format", *TERMS_KEYS, "statement", "signatures", "proof"))
        terms = ReceiveTerms.from_document({key: found[key] for key in TERMS_KEYS})
        if text_of(found["statement"], "statement") != terms.statement.text:
            raise malformed("the attestation's text says something else than its fields")
        signatures = list_of(_signature_of, found["signatures"], "signatures")
        if len(signatures) > MAX_NEEDED:
            raise malformed(f"the attestation has {len(signatures)} signatures, more than {MAX_NEEDED}")
        proof = optional_of(text_of, found["proof"], "proof")
        return cls(terms, signatures, None if proof is None else check_proof_text(proof))


def check_proof_text(text: str) -> str:
    """Return `text` if it can be a BIP 322 signature at all: printable ASCII without spaces, not too long.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT.
    """
    if not text or len(text) > MAX_PROOF or not text.isascii() or not text.isprintable() or " " in text:
        raise malformed("a proof is not one line of base64")
    return text


def _signature_of(value: JsonValue, what: str) -> OfficerSignature:
    found = fields_of(value, what, ("officer", "signature"))
    return OfficerSignature(
        check_name(text_of(found["officer"], f"{what}.officer")), text_of(found["signature"], f"{what}.signature")
    )
