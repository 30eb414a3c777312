"""Round 2 of BIP 129 at the coordinator's: key records are verified and kept, and descriptor records made of them.

Nothing is remembered but the records themselves: each is verified again whenever the setup is opened.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from custody import atomic
from custody.codes import Code
from custody.documents.secret_gate import scan_bytes
from custody.errors import CheckFailed, Conflict, CustodyError, Finding, InvalidInput, NotYet, UsageError
from custody.ports import Clock
from custody.vault import bsms_cipher
from custody.vault.bsms_cipher import seal, unseal
from custody.vault.bsms_key_record import KeyRecord, read_key_record
from custody.vault.bsms_token import Encryption, Token
from custody.vault.checks import require_sound
from custody.vault.cosigner import Cosigner
from custody.vault.formats import bsms
from custody.vault.vault import Vault
from custody.workflow import setup_terms
from custody.workflow.setup_terms import SetupTerms, read_setup
from custody.workflow.start_setup import SetupFolder

_MAX_TOKEN_BYTES = 200


@dataclass(frozen=True, slots=True)
class OpenSetup:
    """A setup's terms and tokens, and the key records that were accepted so far."""

    folder: SetupFolder
    terms: SetupTerms
    tokens: Mapping[str, Token]
    records: Mapping[str, KeyRecord]

    @property
    def missing(self) -> tuple[str, ...]:
        """Cosigners whose key record was not accepted yet."""
        return tuple(name for name in self.terms.cosigners if name not in self.records)

    def vault(self) -> Vault:
        """Return the vault of all keys.

        Raises:
            NotYet: BSMS_INCOMPLETE.
        """
        if self.missing:
            raise NotYet(
                Code.BSMS_INCOMPLETE,
                f"key records are missing: {', '.join(self.missing)}",
                advice="Accept them with `custody cosigner accept`, then repeat.",
            )
        return Vault.from_cosigners(
            tuple(Cosigner(name, self.records[name].key) for name in self.terms.cosigners),
            name=self.terms.name,
            network=self.terms.network,
            script_type=self.terms.script_type,
            threshold=self.terms.threshold,
        )


@dataclass(frozen=True, slots=True)
class Completed:
    """The vault of a complete setup, with what its checks warn of and the records that were written."""

    vault: Vault
    findings: tuple[Finding, ...]
    files: Mapping[str, Path]
    """Descriptor record by cosigner."""


def open_setup(folder: Path) -> OpenSetup:
    """Read a setup and verify every key record in it again.

    Raises:
        CheckFailed, InvalidInput: a document or a record is not good (any more).
    """
    inside = SetupFolder(folder)
    terms = read_setup(atomic.read_file(inside.setup_yaml, max_bytes=setup_terms.MAX_BYTES))
    tokens = {name: _token_of(inside.token(name), terms) for name in terms.cosigners}
    records: dict[str, KeyRecord] = {}
    for name in terms.cosigners:
        kept = _read_if_there(inside.key_record(name, terms.record_suffix), max_bytes=bsms_cipher.MAX_BYTES)
        if kept is not None:
            records[name] = _record_of(unseal(tokens[name], kept), tokens[name], terms)
    return OpenSetup(inside, terms, tokens, records)


def accept_records(setup: OpenSetup, given: Sequence[tuple[str | None, bytes]], clock: Clock) -> OpenSetup:
    """Verify key records and keep them; all of them or none.

    `given` holds each file's content and the cosigner that it is said to be of, None where the token tells.

    Raises:
        Conflict: BSMS_EXPIRED; FILE_EXISTS, another record of the same cosigner was accepted.
        CheckFailed: BSMS_MAC, BSMS_SIG, BSMS_TOKEN_MISMATCH.
        InvalidInput: what key records are refused for; DUPLICATE_COSIGNER.
        UsageError: nothing tells whose record it is.
    """
    setup.terms.require_open(clock.now())
    records = dict(setup.records)
    new: dict[str, KeyRecord] = {}
    for claimed, data in given:
        name = _sender_of(setup, data) if claimed is None else claimed
        record = _record_of(unseal(setup.tokens[name], data), setup.tokens[name], setup.terms)
        _require_new_key(records, name, record)
        if name not in records:
            records[name] = new[name] = record
    for name, record in new.items():
        # INVARIANT: no file but those in `tokens` shows a token, so that deleting these is enough.
        content = seal(setup.tokens[name], record.to_text().encode())
        atomic.create_file(setup.folder.key_record(name, setup.terms.record_suffix), content)
    return OpenSetup(setup.folder, setup.terms, setup.tokens, records)


def complete_setup(setup: OpenSetup) -> Completed:
    """Check the vault of all keys and write each cosigner's descriptor record; repeated, it writes nothing new.

    Raises:
        NotYet: BSMS_INCOMPLETE. InvalidInput: the vault's keys are refused.
        CheckFailed: VAULT_MISMATCH, a record that stands there is another vault's: terms or keys were changed since.
    """
    vault = setup.vault()
    findings = require_sound(vault)
    plaintext = bsms.record_text(vault).encode()
    files: dict[str, Path] = {}
    for name in setup.terms.cosigners:
        place = setup.folder.descriptor_record(name, setup.terms.record_suffix)
        content = seal(setup.tokens[name], plaintext)
        found = _read_if_there(place, max_bytes=bsms_cipher.MAX_BYTES)
        if found is None:
            atomic.create_file(place, content)
        elif found != content:
            raise CheckFailed(
                Code.VAULT_MISMATCH,
                f"the descriptor record `{place.name}` is not of the vault that the setup's terms and keys make now",
                advice="Somebody changed the setup's folder after it was complete: find out who, tell every cosigner, "
                "and begin a new setup.",
            )
        files[name] = place
    return Completed(vault, findings, files)


def _sender_of(setup: OpenSetup, data: bytes) -> str:
    """Return the one cosigner under whose token the MAC is right."""
    if setup.terms.shared_token or setup.terms.encryption is Encryption.NONE:
        raise UsageError(
            Code.USAGE,
            "nothing in the record says whose it is: every cosigner of this setup has the same token",
            advice="Give each file as NAME=FILE.",
        )
    for name, token in setup.tokens.items():
        try:
            unseal(token, data)
        except CheckFailed as error:
            if error.code is not Code.BSMS_MAC:
                raise
        else:
            return name
    raise CheckFailed(
        Code.BSMS_MAC,
        "the record's MAC is right under no token of this setup",
        advice="It is of another setup, or was changed on its way: ask its sender over another channel.",
    )


def _record_of(plaintext: bytes, token: Token, terms: SetupTerms) -> KeyRecord:
    scan_bytes(plaintext, place="the key record")
    return read_key_record(plaintext, token=token, network=terms.network)


def _require_new_key(records: Mapping[str, KeyRecord], name: str, record: KeyRecord) -> None:
    known = records.get(name)
    if known is not None and known != record:
        raise Conflict(
            Code.FILE_EXISTS,
            f"another key record of `{name}` was accepted before",
            advice="Ask them which one is right; if it is the new one, begin a new setup.",
        )
    for other, theirs in records.items():
        if other != name and theirs.key.key.public_key == record.key.key.public_key:
            raise InvalidInput(
                Code.DUPLICATE_COSIGNER,
                f"the key of `{name}` is also the key of `{other}`",
                advice="Each cosigner needs a key of their own; find out whose it is.",
            )


def _token_of(place: Path, terms: SetupTerms) -> Token:
    token = Token.from_text(atomic.read_private_file(place, max_bytes=_MAX_TOKEN_BYTES).decode("ascii", "replace"))
    if token.encryption is not terms.encryption:
        raise CheckFailed(
            Code.BSMS_TOKEN_MISMATCH,
            f"`{place.name}` is not a token of the mode `{terms.encryption}`, which the setup has",
            advice="Somebody changed the setup's folder: begin a new one.",
        )
    return token


def _read_if_there(place: Path, *, max_bytes: int) -> bytes | None:
    try:
        return atomic.read_file(place, max_bytes=max_bytes)
    except CustodyError as error:
        if error.code is Code.FILE_NOT_FOUND:
            return None
        raise
