"""Attest a receive address to a payer: write the terms down, let officers sign, give the document away.

Writing the terms down and handing the address out are one step. Each officer signs where they
sit; the document leaves only when as many different officers as the rule wants have signed and
are in force still.
"""

from dataclasses import dataclass

from custody.audit.fold_receive import DRAFTED, PROVED, SIGNED
from custody.audit.receives import ReceiveRecord, officers_needed, signer_problem
from custody.audit.state import State
from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.psbt import Psbt
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, InvalidInput, NotYet, UsageError
from custody.people.approval import require_signed
from custody.people.receive import ReceiveTerms
from custody.people.receive_document import OfficerSignature, ReceiveDocument, check_proof_text
from custody.people.receive_proof import proof_message, verify_proof
from custody.spend.proof import message_proof
from custody.spend.review_model import Place
from custody.workflow.checkpoint import checkpoint_signer
from custody.workflow.issue_address import checked_address, prepare_address
from custody.workflow.office import Desk, Event, Office
from custody.workflow.receive_view import ReceiveView, view_receive

LIFETIME = 4_320
"""Blocks for which terms hold where nothing else is said: thirty days."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an officer wants to have attested."""

    index: int | None
    """An address that was handed out before; None: the next one."""
    purpose: str
    amount: Sats | None
    payer: str | None
    expires_height: int | None
    label: str | None = None
    """Of a new address, for ourselves."""


def usual_expiry(state: State) -> int:
    """Return the height at which terms end where nobody says otherwise.

    Raises:
        UsageError: the chain was never looked at.
    """
    if state.tip is None:
        raise UsageError(
            Code.USAGE,
            "nothing says how high the chain is, so that no end can be proposed",
            advice="Say --expires HEIGHT, or --expires none, or run `custody coins sync` first.",
        )
    return state.tip.height + LIFETIME


def draft_receive(desk: Desk, wanted: Wanted, name: str | None) -> ReceiveView:
    """Write terms down as an officer in force, and hand the address out with them where it is a new one.

    Raises:
        Conflict: NOT_FOUNDED. CheckFailed: APPROVER_NOT_AUTHORISED. InvalidInput: ATTESTATION_UNKNOWN for an index
        that was never handed out, MALFORMED_DOCUMENT. And whatever `issue_address` refuses.
    """
    gov = desk.state.governance
    if gov.head is None:
        raise Conflict(
            Code.NOT_FOUNDED,
            "no officers are in force who could sign",
            advice="Found the vault with `custody vault found`.",
        )
    drafter = checkpoint_signer(gov, name)
    events: list[Event] = []
    if wanted.index is None:
        issued, event = prepare_address(desk, label=wanted.label)
        index, address = issued.index, issued.address
        events.append(event)
    else:
        index, address = wanted.index, _handed_out(desk, wanted.index)
    terms = ReceiveTerms(
        vault=desk.vault.name,
        vault_id=desk.vault.vault_id,
        network=desk.vault.network,
        index=index,
        address=address,
        purpose=wanted.purpose,
        amount=wanted.amount,
        payer=wanted.payer,
        drafter=drafter.name,
        needed=officers_needed(gov),
        governance=gov.head,
        nonce=desk.surroundings.nonces.nonce(),
        expires_height=wanted.expires_height,
    )
    desk.record_authority([*events, (DRAFTED, {"terms": terms.to_document()})])
    return view_receive(desk.state, desk.state.receives[terms.receive_id])


def require_may_sign(state: State, record: ReceiveRecord, name: str | None) -> str:
    """Return the name of the officer if their signature can count.

    Raises:
        UsageError: nobody is named. CheckFailed: APPROVER_NOT_AUTHORISED. Conflict: APPROVER_DUPLICATE.
    """
    officer = checkpoint_signer(state.governance, name)
    problem = signer_problem(record, state.governance, officer.name)
    if problem is not None:
        raise Conflict(Code.APPROVER_DUPLICATE, problem, advice="Another officer has to sign.")
    return officer.name


def sign_receive(desk: Desk, receive_id: str, name: str | None, signature: str) -> ReceiveView:
    """Record an officer's signature.

    Raises:
        as `require_may_sign`; CheckFailed: STATEMENT_OTHER_KEY, SSHSIG_*.
    """
    record = desk.state.receives[receive_id]
    officer = require_may_sign(desk.state, record, name)
    require_signed(signature, record.terms.statement, desk.state.governance.officers[officer])
    desk.record_authority([(SIGNED, {"receive_id": receive_id, "officer": officer, "signature": signature})])
    return view_receive(desk.state, desk.state.receives[receive_id])


def proof_to_sign(office: Office, view: ReceiveView) -> Psbt:
    """Return the PSBT in which the address's own keys name the same text; it can't be spent, and a review says so."""
    terms = view.record.terms
    return message_proof(office.vault, Place(Branch.RECEIVE, terms.index), proof_message(terms))


def attach_proof(desk: Desk, receive_id: str, proof: str) -> ReceiveView:
    """Record a finished BIP 322 signature of the address that names the same statement; a later one takes its place.

    Raises:
        CheckFailed: ADDRESS_PROOF_INVALID where it is not valid beyond doubt. InvalidInput: MALFORMED_DOCUMENT.
    """
    terms = desk.state.receives[receive_id].terms
    result = verify_proof(terms, check_proof_text(proof))
    if not result.is_valid:
        raise CheckFailed(
            Code.ADDRESS_PROOF_INVALID,
            f"the proof is {result.verdict} for this address and statement: {result.reason}",
            advice="Have the address sign the text that `--statement FILE` writes, to the byte.",
        )
    desk.record_authority([(PROVED, {"receive_id": receive_id, "proof": proof})])
    return view_receive(desk.state, desk.state.receives[receive_id])


def document_of(office: Office, view: ReceiveView) -> ReceiveDocument:
    """Return the document for the payer, once enough officers have signed; the address is derived once more.

    Raises:
        NotYet: ATTESTATION_INCOMPLETE. CheckFailed: ENGINES_DISAGREE, ADDRESS_NOT_OURS.
    """
    terms = view.record.terms
    if view.missing:
        raise NotYet(
            Code.ATTESTATION_INCOMPLETE,
            f"{len(view.signed_by)} of {terms.needed} officers have signed",
            advice=f"Another officer runs `custody address attest {terms.index} --key FILE --as NAME`.",
            details={"missing": view.missing, "signed_by": [*view.signed_by]},
        )
    if checked_address(office.vault, Branch.RECEIVE, terms.index) != terms.address:
        raise CheckFailed(
            Code.ADDRESS_NOT_OURS,
            f"the vault's receive address {terms.index} is not the one that was signed",
            advice="Stop and call the auditor.",
        )
    signatures = view.record.in_force(office.state.governance)
    given = tuple(OfficerSignature(one.officer, one.signature) for one in signatures)
    return ReceiveDocument(terms, given, view.record.proof)


def _handed_out(desk: Desk, index: int) -> str:
    issued = next((one for one in desk.state.issued if one.index == index), None)
    if issued is None:
        raise InvalidInput(
            Code.ATTESTATION_UNKNOWN,
            f"receive address {index} was never handed out",
            advice="Take the next one with --next; an address is handed out before it is attested.",
        )
    return issued.address
