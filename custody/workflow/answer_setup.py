"""BIP 129 at the signer's: the key record of round 1, and what round 2 must be held against."""

from dataclasses import dataclass
from pathlib import Path

from custody import atomic
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.secret_gate import scan_bytes
from custody.errors import CheckFailed, Finding, Severity
from custody.vault.bsms_cipher import seal, unseal
from custody.vault.bsms_key_record import KeyRecord, record_key_text, signed_text
from custody.vault.bsms_lines import require_version
from custody.vault.bsms_token import Token
from custody.vault.cosigner import key_material
from custody.vault.vault import Vault
from custody.workflow.setup_terms import SetupRequest, SetupTerms
from custody.workflow.used_tokens import note_use

NO_REQUEST = "without-a-request"
"""Stands for the setup's id where a coordinator of another program sent none: a token is then good for one key."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a signer is about to put in a key record."""

    token: Token
    key: KeyExpression
    network: Network
    description: str
    setup_id: str

    @property
    def key_text(self) -> str:
        """The key as it stands in the record."""
        return record_key_text(self.key, self.network)

    @property
    def message(self) -> str:
        """What the key signs on its device."""
        return signed_text(self.token, self.key_text, self.description)

    def record(self, signature: str) -> KeyRecord:
        """Return the record, its signature verified.

        Raises:
            CheckFailed, InvalidInput: BSMS_SIG.
        """
        return KeyRecord(self.token, self.key_text, self.key, self.description, signature.strip())


def setup_id_of(request: SetupRequest | None, key: KeyExpression, network: Network) -> str:
    """Return the id under which a signer's token is listed: the request's, else one of the key itself."""
    return request.terms.setup_id if request is not None else f"{NO_REQUEST}:{record_key_text(key, network)}"


def write_answer(answer: Answer, signature: str, place: Path, *, used_tokens: Path) -> KeyRecord:
    """Verify the signature and write the key record, encrypted where the token says so.

    Raises:
        CheckFailed: BSMS_SIG, BSMS_TOKEN_REUSED. Conflict: FILE_EXISTS.
    """
    record = answer.record(signature)
    atomic.require_creatable(place)
    note_use(used_tokens, (answer.token,), answer.setup_id)
    atomic.create_file(place, seal(answer.token, record.to_text().encode()))
    return record


@dataclass(frozen=True, slots=True)
class RoundTwo:
    """What a signer holds a descriptor record against."""

    token: Token | None
    request: SetupRequest | None
    own_key: KeyExpression | None

    def plaintext(self, data: bytes) -> bytes:
        """Return the record's text, decrypted and with its MAC checked where there is a token.

        Raises:
            CheckFailed: BSMS_MAC (the request's or the record's), BSMS_TOKEN_MISMATCH.
            InvalidInput: BSMS_VERSION. SecretRefused.
        """
        if self.token is None:
            return data
        if self.request is not None:
            self.request.require_token(self.token)
        plaintext = unseal(self.token, data)
        scan_bytes(plaintext, place="the record")
        require_version(plaintext, "the record")
        return plaintext

    def require_agreed(self, vault: Vault) -> tuple[Finding, ...]:
        """Demand that the vault is what the request announced and holds the signer's own key, whole.

        Raises:
            CheckFailed: VAULT_MISMATCH, COSIGNER_MISMATCH.
        """
        if self.request is not None:
            _require_terms(vault, self.request.terms)
        if self.own_key is not None:
            self._require_own_key(vault, self.own_key)
            return ()
        if self.token is None:
            return ()
        return (
            Finding(
                Code.BSMS_OWN_KEY_UNCHECKED,
                Severity.WARN,
                "vault",
                "nobody looked whether your own key is in the record",
                "Find it in the vault by its whole text, or import with --own-key.",
            ),
        )

    def note_token(self, vault: Vault, used_tokens: Path) -> None:
        """Hold the token against the list of used ones, and write it there.

        Raises:
            CheckFailed: BSMS_TOKEN_REUSED.
        """
        if self.token is not None and (self.request is not None or self.own_key is not None):
            key = self.own_key or vault.cosigners[0].key
            note_use(used_tokens, (self.token,), setup_id_of(self.request, key, vault.network))

    def _require_own_key(self, vault: Vault, own_key: KeyExpression) -> None:
        # The whole key and its origin, never the fingerprint alone, which anybody can claim.
        places = own_positions(vault, own_key)
        if not places:
            raise CheckFailed(
                Code.COSIGNER_MISMATCH,
                f"your key [{own_key.origin.to_text()}] is not in the record",
                advice="Don't use this vault; tell every other cosigner at once, over another channel.",
            )
        if self.request is None:
            return
        place = self.request.terms.cosigners.index(self.request.cosigner) + 1
        if place not in places:
            raise CheckFailed(
                Code.COSIGNER_MISMATCH,
                f"your key does not stand where the request has `{self.request.cosigner}`, at place {place}",
                advice="Ask the coordinator whose key they took for yours.",
            )


def own_positions(vault: Vault, own_key: KeyExpression) -> tuple[int, ...]:
    """Return every place of the key in the script, from 1.

    Compared are origin, public key and chain code: all that addresses follow from. The parent's bytes of an
    extended key, which some programs drop, change nothing.
    """
    own = (own_key.origin, key_material(own_key.key))
    keys = enumerate(vault.descriptor.keys, start=1)
    return tuple(place for place, key in keys if (key.origin, key_material(key.key)) == own)


def _require_terms(vault: Vault, terms: SetupTerms) -> None:
    agreed = (terms.network, terms.script_type, terms.threshold, len(terms.cosigners))
    found = (vault.network, vault.descriptor.script_type, vault.threshold, len(vault.cosigners))
    if agreed != found:
        raise CheckFailed(
            Code.VAULT_MISMATCH,
            f"the record is {found[2]} of {found[3]}, {found[1]} on `{found[0]}`; "
            f"the request said {agreed[2]} of {agreed[3]}, {agreed[1]} on `{agreed[0]}`",
            advice="Don't use this vault; tell every other cosigner at once, over another channel.",
        )
