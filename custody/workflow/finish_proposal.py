"""Finalize and broadcast: the last checks, then the one step that can't be taken back.

The final transaction is ours, built from verified signatures alone, and checked by the second
engine and by libbitcoinkernel where there is one. Broadcast syncs first, asks the node
whether it would take the transaction and what it would evict, and is safe to repeat.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from custody.audit.proposal_state import ON_CHAIN, ProposalState, replacement_chain, state_of
from custody.audit.state import ProposalRecord
from custody.codes import Code
from custody.errors import ChainUnavailable, Conflict, NotYet
from custody.policy.decision import Gate, require_allowed
from custody.ports import ChainBackend, Progress
from custody.spend.bump import eviction_findings
from custody.spend.review_model import ReviewLimits
from custody.workflow.acknowledge import require_acknowledged
from custody.workflow.decide import decision_on
from custody.workflow.office import Desk
from custody.workflow.proposal_access import collected_psbt, find_proposal, require_live, review_context
from custody.workflow.psbt_files import finalize_file
from custody.workflow.sign_proposal import acknowledged_events, require_reviewed
from custody.workflow.sync_coins import sync_coins


@dataclass(frozen=True, slots=True)
class Finished:
    """A finalized proposal."""

    record: ProposalRecord
    kernel_verified: bool
    """False where this Python has no libbitcoinkernel."""


def finalize_proposal(desk: Desk, named: str | None, *, given_acks: Sequence[str], limits: ReviewLimits) -> Finished:
    """Finalize the collected PSBT and record the transaction; done before, it is only checked again.

    Raises:
        NotYet: SIGNATURES_MISSING, ACK_MISSING, APPROVALS_MISSING. PolicyDenied: POLICY_DENIED.
        Conflict: PROPOSAL_STATE, PROPOSAL_EXPIRED.
        CheckFailed: the review, the second engine or libbitcoinkernel refuses.
    """
    record = find_proposal(desk.state, named)
    require_live(desk.state, record)
    require_allowed(decision_on(desk.state, desk.vault, record, Gate.FINALIZE))
    checked = require_reviewed(desk.state, desk.vault, record, limits)
    items = require_acknowledged(checked.findings, given_acks, record.acknowledged)
    context = review_context(desk.state, record, limits)
    finished = finalize_file(collected_psbt(record), desk.vault, context)
    events = acknowledged_events(record, "finalize", items)
    if record.final is None:
        transaction = finished.transaction
        events.append(
            (
                "proposal_finalized",
                {
                    "proposal_id": record.proposal_id,
                    "txid": transaction.txid,
                    "transaction": transaction.serialize().hex(),
                },
            )
        )
    desk.record(events)
    return Finished(desk.state.proposals[record.proposal_id], finished.kernel_verified)


def broadcast_proposal(
    desk: Desk,
    backend: ChainBackend,
    named: str | None,
    *,
    given_acks: Sequence[str],
    limits: ReviewLimits,
    progress: Progress,
    was_confirmed: bool,
) -> ProposalRecord:
    """Ask the node, send, and record it. A transaction that the chain has already is success.

    `was_confirmed` says that a person typed the amount. What they saw before the lock was taken may
    be past: without it only what is out already goes on.

    Raises:
        NotYet: SIGNATURES_MISSING before `finalize`, ACK_MISSING, APPROVALS_MISSING. PolicyDenied: POLICY_DENIED.
        Conflict: PROPOSAL_STATE, PROPOSAL_EXPIRED.
        ChainUnavailable: NODE_REJECTED with the node's words.
    """
    sync_coins(desk, backend, full=False, progress=progress)
    record = find_proposal(desk.state, named)
    now = state_of(desk.state, record)
    if now in ON_CHAIN or record.final_txid in desk.state.transactions:
        return _recorded(desk, record)  # it is out: nothing is decided any more
    final = record.final
    if final is None:
        raise NotYet(
            Code.SIGNATURES_MISSING,
            f"proposal `{record.proposal_id[:16]}` is not finalized",
            advice="Collect the signatures, then run `custody proposal finalize`.",
        )
    require_live(desk.state, record)
    if not was_confirmed and now is not ProposalState.BROADCAST:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"proposal `{record.proposal_id[:16]}` became {now} while this command started: nothing was sent",
            advice="Run the command again: it asks for the amount.",
            details={"state": str(now)},
        )
    require_allowed(decision_on(desk.state, desk.vault, record, Gate.BROADCAST))
    checked = require_reviewed(desk.state, desk.vault, record, limits)
    verdict = backend.test_accept(final.serialize())
    if not verdict.allowed and not verdict.already_known:
        raise ChainUnavailable(
            Code.NODE_REJECTED,
            f"the node would not take transaction {final.txid}: {verdict.reason}",
            advice="Nothing was sent. Read the node's reason; bump or draft again if the fee is too low.",
            details={"reason": verdict.reason},
        )
    expected = frozenset(one.final_txid for one in replacement_chain(desk.state, record))
    evicted = eviction_findings(backend.conflicts(final), expected)
    items = require_acknowledged([*checked.findings, *evicted], given_acks, record.acknowledged)
    desk.record(acknowledged_events(record, "broadcast", items))
    sent = backend.broadcast(final.serialize())
    if sent != final.txid:
        raise ChainUnavailable(
            Code.NODE_REJECTED,
            f"the node says that it sent {sent}, expected {final.txid}",
            advice="Look for both txids on another node before anything else is signed.",
        )
    recorded = _recorded(desk, desk.state.proposals[record.proposal_id])
    sync_coins(desk, backend, full=False, progress=progress)
    return desk.state.proposals[recorded.proposal_id]


def wait_for_confirmation(look: Callable[[], ProposalState], *, pause: Callable[[], None]) -> ProposalState:
    """Look again and again until the proposal is confirmed or can't be any more; `pause` waits between.

    `look` syncs and lets go of the lock and the chain, so that the office can bump what is stuck meanwhile.
    """
    while True:
        pause()
        try:
            now = look()
        except Conflict as busy:
            if busy.code is not Code.WORKSPACE_LOCKED:
                raise
            continue
        if now is not ProposalState.BROADCAST and now is not ProposalState.MINED:
            return now


def end_proposal(desk: Desk, named: str, *, kind: str, reason: str | None) -> ProposalRecord:
    """Withdraw or reject a proposal (`kind` is the entry's kind). What left the house stays spendable until
    a conflicting transaction is buried.

    Raises:
        Conflict: PROPOSAL_STATE.
    """
    record = find_proposal(desk.state, named)
    now = state_of(desk.state, record)
    if now in ON_CHAIN or now is ProposalState.BROADCAST or record.withdrawn or record.rejected:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"proposal `{record.proposal_id[:16]}` is {now}",
            advice="What was sent is taken back with `custody proposal cancel`, if at all.",
        )
    desk.record([(kind, {"proposal_id": record.proposal_id, "reason": reason})])
    return desk.state.proposals[record.proposal_id]


def _recorded(desk: Desk, record: ProposalRecord) -> ProposalRecord:
    if not record.is_broadcast and record.final is not None:
        desk.record([("proposal_broadcast", {"proposal_id": record.proposal_id, "txid": record.final.txid})])
    return desk.state.proposals[record.proposal_id]
