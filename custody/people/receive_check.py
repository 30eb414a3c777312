"""Hold a payer's document against officers' keys that the payer got another way. No wallet, no network, no clock.

The statement is built again from the document's terms; a signature counts by its key, once for
each person. What can't be judged here (whether a block is past, whether a key was revoked since)
is said and not guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from custody.bitcoin.address import script_of
from custody.bitcoin.bip322_model import MessageVerdict
from custody.bitcoin.descriptor import Branch
from custody.codes import Code
from custody.documents.sshsig import SshSignature, verify_sshsig
from custody.errors import CustodyError, Finding, JsonValue, Severity
from custody.people.known_officers import KnownKey, KnownOfficers
from custody.people.receive import ReceiveTerms
from custody.people.receive_document import OfficerSignature, ReceiveDocument
from custody.people.receive_proof import verify_proof
from custody.spend.lookalike import look_alikes
from custody.vault.vault import Vault

USUAL_NEEDED = 2
"""How many officers a payer demands where it knows as many, whatever the document asks for."""

_CALL = "Don't pay. Ask the officers by a way that you used before, not by one that came with the address."


class ReceiveVerdict(StrEnum):
    """What the check came to."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    """Nothing contradicts it, and nobody whom the payer trusts vouches for it."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class CheckedSignature:
    """One signature of the document, as it turned out."""

    claimed: str
    """The name in the document."""
    fingerprint: str | None
    """Of the key that made it; None where it can't be read."""
    known_as: str | None
    """How the payer's list calls the key's owner, or the fingerprint where it has no name; None: not known."""
    valid: bool

    def to_json(self) -> dict[str, JsonValue]:
        """Return it for `--json`."""
        return {
            "officer": self.claimed,
            "key": self.fingerprint,
            "known_as": self.known_as,
            "valid": self.valid,
            "trusted": self.valid and self.known_as is not None,
        }


@dataclass(frozen=True, slots=True)
class PayersQuestion:
    """What the payer brings besides the document."""

    officers: KnownOfficers
    minimum: int | None = None
    """How many officers the payer wants; None: two where that many are known."""
    address: str | None = None
    """What the payer is about to pay to, from wherever it was typed or pasted."""
    tip_height: int | None = None
    vault: Vault | None = None


@dataclass(frozen=True, slots=True)
class CheckedReceive:
    """The whole answer."""

    verdict: ReceiveVerdict
    terms: ReceiveTerms
    signatures: tuple[CheckedSignature, ...]
    needed: int
    counted: int
    """Different people whom the payer trusts and whose signature is good."""
    expired: bool | None
    """None: without a height nobody can say."""
    proof: MessageVerdict | None
    """Of the address's own BIP 322 signature; None where the document has none."""
    derived: bool | None
    """Whether the vault file gives this address; None without one."""
    findings: tuple[Finding, ...]


def check_receive(document: ReceiveDocument, question: PayersQuestion) -> CheckedReceive:
    """Return what a payer can know of an attested address, with everything that speaks against it."""
    terms = document.terms
    signatures, findings = _signatures(document, question.officers)
    people = {one.known_as for one in signatures if one.valid and one.known_as is not None}
    usual = min(USUAL_NEEDED, question.officers.people)
    needed = max(terms.needed, usual if question.minimum is None else question.minimum)
    findings += _count(len(people), needed, question.officers)
    expired = None
    if terms.expires_height is not None and question.tip_height is not None:
        expired = question.tip_height > terms.expires_height
    if expired:
        words = f"the attestation held up to block {terms.expires_height}; the tip is {question.tip_height}"
        findings.append(_refuse(Code.ATTESTATION_EXPIRED, "attestation", words, "Ask the vault for a new one."))
    findings += _typed(question.address, terms)
    proof, of_proof = _proved(document)
    findings += of_proof
    derived, of_vault = _derived(question.vault, terms)
    findings += of_vault
    return CheckedReceive(
        verdict=_verdict(findings),
        terms=terms,
        signatures=signatures,
        needed=needed,
        counted=len(people),
        expired=expired,
        proof=proof,
        derived=derived,
        findings=tuple(findings),
    )


def _verdict(findings: Sequence[Finding]) -> ReceiveVerdict:
    refused = {one.code for one in findings if one.severity is Severity.REFUSE}
    if not refused:
        return ReceiveVerdict.VERIFIED
    return ReceiveVerdict.UNVERIFIED if refused == {Code.ATTESTATION_UNVERIFIED} else ReceiveVerdict.REFUSED


def _signatures(document: ReceiveDocument, known: KnownOfficers) -> tuple[tuple[CheckedSignature, ...], list[Finding]]:
    checked: list[CheckedSignature] = []
    findings: list[Finding] = []
    seen: dict[str, str] = {}
    for place, given in enumerate(document.signatures):
        where = f"signature:{place}"
        one, problem = _signature(document.terms, given, known, where)
        checked.append(one)
        if problem is not None:
            findings.append(problem)
        elif one.fingerprint in seen:
            words = f"`{seen[str(one.fingerprint)]}` and `{given.officer}` signed with one key: that is one person"
            findings.append(_refuse(Code.APPROVER_DUPLICATE, where, words, _CALL))
        elif one.fingerprint is not None:
            seen[one.fingerprint] = given.officer
    return tuple(checked), findings


def _signature(
    terms: ReceiveTerms, given: OfficerSignature, known: KnownOfficers, where: str
) -> tuple[CheckedSignature, Finding | None]:
    """Return one signature with what is wrong with it."""
    statement, fingerprint = terms.statement, None
    try:
        parsed = SshSignature.from_armored(given.signature)
        fingerprint = parsed.key.fingerprint
        verify_sshsig(parsed, statement.signed_bytes, namespace=statement.kind.namespace)
    except CustodyError as error:
        words = f"the signature of `{given.officer}` doesn't hold for this address and these terms: {error.message}"
        return CheckedSignature(given.officer, fingerprint, None, valid=False), _refuse(error.code, where, words, _CALL)
    owner = known.find(parsed.key)
    one = CheckedSignature(given.officer, fingerprint, _called(owner), valid=True)
    person = None if owner is None else owner.person
    if known.knows_person(given.officer) and person != given.officer:
        words = f"`{given.officer}` of your list has another key than {fingerprint}, which signed under that name"
        return one, _refuse(Code.STATEMENT_OTHER_KEY, where, words, _CALL)
    return one, None


def _called(owner: KnownKey | None) -> str | None:
    return None if owner is None else owner.person or owner.fingerprint


def _count(counted: int, needed: int, known: KnownOfficers) -> list[Finding]:
    if not counted:
        words = (
            "nobody whom you know signed it"
            if known.keys
            else "you gave no officer's key, so that anybody could have written it"
        )
        advice = "Get the officers' public keys another way than the address came, and name them with --officers."
        return [_refuse(Code.ATTESTATION_UNVERIFIED, "attestation", words, advice)]
    if counted < needed:
        words = f"{counted} whom you know signed it, of {needed} officers needed"
        return [_refuse(Code.ATTESTATION_INCOMPLETE, "attestation", words, _CALL)]
    return []


def _typed(address: str | None, terms: ReceiveTerms) -> list[Finding]:
    """Compare what the payer is about to pay with what was signed: as scripts, never by head and tail."""
    if address is None or script_of(address, terms.network) == script_of(terms.address, terms.network):
        return []
    found = [
        _refuse(Code.ADDRESS_NOT_ATTESTED, "address", "the address that you gave is not the one signed for", _CALL)
    ]
    if look_alikes([address], [terms.address]):
        words = "it begins and ends as the signed one does and is another: somebody built it to be taken for it"
        found.append(_refuse(Code.LOOKALIKE_OF_KNOWN, "address", words, _CALL))
    return found


def _proved(document: ReceiveDocument) -> tuple[MessageVerdict | None, list[Finding]]:
    """Verify the address's own signature: that whoever holds its keys said the same as the officers."""
    if document.proof is None:
        return None, []
    result = verify_proof(document.terms, document.proof)
    if result.is_valid:
        return result.verdict, []
    severity = Severity.WARN if result.verdict is MessageVerdict.INCONCLUSIVE else Severity.REFUSE
    words = f"the address's own signature is {result.verdict}: {result.reason}"
    return result.verdict, [Finding(Code.ADDRESS_PROOF_INVALID, severity, "proof", words, _CALL)]


def _derived(vault: Vault | None, terms: ReceiveTerms) -> tuple[bool | None, list[Finding]]:
    """Derive the address again where the payer holds the vault file."""
    if vault is None:
        return None, []
    if (vault.vault_id, vault.network) != (terms.vault_id, terms.network):
        words = f"it is for vault {terms.vault_id[:16]} on {terms.network}, the file is of {vault.vault_id[:16]}"
        words += f" on {vault.network}"
        return False, [_refuse(Code.VAULT_MISMATCH, "vault", words, _CALL)]
    if vault.address_at(Branch.RECEIVE, terms.index) != terms.address:
        words = f"the vault's receive address {terms.index} is another one than the attestation's"
        return False, [_refuse(Code.ADDRESS_NOT_OURS, "address", words, _CALL)]
    return True, []


def _refuse(code: Code, where: str, words: str, advice: str) -> Finding:
    return Finding(code, Severity.REFUSE, where, words, advice)
