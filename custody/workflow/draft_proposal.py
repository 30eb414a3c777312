"""Draft a payment: look at the chain, choose coins, build the PSBT, review it, reserve it in the journal.

The chain is synced first, and what is decided rests on that view under the writer lock. The
finished PSBT is reviewed by the same code that a signer runs; one that a signer would refuse
is never written. Without `hold` the draft has left the house as soon as it is answered.
"""

from dataclasses import dataclass, field, replace

from custody.audit.chain_view import coins_of, next_index, unexplained_outflows
from custody.audit.proposal_state import prior_payments, replacement_chain
from custody.audit.state import ProposalRecord, State
from custody.bitcoin.address import script_of
from custody.bitcoin.amount import FeeRate
from custody.bitcoin.derivation import find_script
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import ChainUnavailable, CheckFailed, Conflict, InvalidInput, UsageError
from custody.policy.decision import Gate, require_not_denied
from custody.ports import ChainBackend, Progress
from custody.spend.bump import Replacement, payee_findings
from custody.spend.coin_selection import FeeTarget
from custody.spend.draft import Draft, DraftRequest, DraftSetting, Payee, draft
from custody.spend.expiry import is_expired
from custody.spend.proposal import ProposalKind
from custody.spend.psbt_builder import build_psbt
from custody.spend.review_model import ReviewLimits, require_clean
from custody.spend.utxo import CONFIRMED_DEPTH
from custody.workflow.decide import decision_on, unapproved_outflows
from custody.workflow.device_limits import require_signable
from custody.workflow.governance import default_expiry, require_drafter, require_governed_or_waived, under_policy
from custody.workflow.office import Desk, Event
from custody.workflow.payees import resolve_payees
from custody.workflow.proposal_access import find_proposal, review_context
from custody.workflow.proposal_view import ProposalView, view_proposal
from custody.workflow.review_psbt import review_psbt
from custody.workflow.sync_coins import sync_coins

ESTIMATE_BLOCKS = 6
"""Target of the node's fee estimate where no rate is given."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What an officer asks for."""

    payees: tuple[Payee, ...]
    fee_rate: FeeRate | None
    """None: the node's estimate."""
    coins: tuple[OutPoint, ...] = ()
    reason: str | None = None
    expires: str | None = None
    replaces: str | None = None
    second_payment: bool = False
    hold: bool = False
    emergency: str | None = None
    """Name of the policy's emergency path that the payment goes by."""
    depth: int = CONFIRMED_DEPTH
    """Confirmations that a coin needs."""
    limits: ReviewLimits = field(default_factory=ReviewLimits)


def draft_payment(desk: Desk, backend: ChainBackend, wish: Wish, progress: Progress) -> ProposalView:
    """Draft a payment and return it as recorded.

    Raises:
        PolicyDenied: NO_POLICY_ADOPTED, POLICY_DENIED. ChainUnavailable: SYNC_INCOMPLETE, NO_FEE_ESTIMATE.
        Conflict: INSUFFICIENT_FUNDS, a COIN_* code, SECOND_PAYMENT, DEVICE_LIMIT.
        CheckFailed: UNEXPLAINED_OUTFLOW, REPLACEMENT_CHANGES_PAYEE, or what the review refuses.
    """
    wish = replace(wish, payees=resolve_payees(desk.state, wish.payees))
    _require_no_repeated_payee(desk, wish.payees)
    refresh(desk, backend, progress)
    replaced = find_proposal(desk.state, wish.replaces) if wish.replaces is not None else None
    outside = None if replaced is None else _newest_outside(desk.state, replaced)
    kind = ProposalKind.EMERGENCY if wish.emergency is not None else _kind_of(desk, wish.payees)
    request = DraftRequest(
        kind=kind,
        payees=wish.payees,
        fee=_fee_target(desk.state, outside, wish.fee_rate or _estimate(backend)),
        nonce=desk.surroundings.nonces.nonce(),
        expires=expiry_of(desk.state, wish.expires, kind, wish.emergency),
        change_index=next_index(desk.state, Branch.CHANGE),
        depth=wish.depth,
        named=wish.coins,
        replaced=claims_of(desk.state, replaced),
        replaces=None if replaced is None else replaced.proposal_id,
        reason=wish.reason,
        drafter=desk.surroundings.actor,
        policy_path=wish.emergency,
    )
    made = _with_shared_input(desk, under_policy(desk.state, request), outside)
    _require_no_second_payment(desk.state, made, wish)
    if outside is not None:
        require_same_payees(outside, made)
    return record_draft(desk, backend, made, wish)


def refresh(desk: Desk, backend: ChainBackend, progress: Progress) -> None:
    """Sync, and refuse to go on with a view that is incomplete or holds an unexplained outflow.

    Raises:
        PolicyDenied: NO_POLICY_ADOPTED. UsageError: under a policy nobody is named who drafts.
        ChainUnavailable: SYNC_INCOMPLETE.
        CheckFailed: UNEXPLAINED_OUTFLOW, APPROVER_NOT_AUTHORISED.
    """
    require_governed_or_waived(desk.state, desk.vault.network)
    require_drafter(desk.state.governance, desk.surroundings.actor)
    outcome = sync_coins(desk, backend, full=False, progress=progress)
    if not outcome.is_complete:
        raise ChainUnavailable(
            Code.SYNC_INCOMPLETE,
            f"the view of the chain is incomplete: {outcome.incomplete[0]}",
            advice="Mend the node, run `custody coins sync --full`, then draft again.",
            details={"incomplete": list(outcome.incomplete)},
        )
    unexplained = (*unexplained_outflows(desk.state), *unapproved_outflows(desk.state, desk.vault))
    if unexplained:
        first = unexplained[0].transaction.txid
        raise CheckFailed(
            Code.UNEXPLAINED_OUTFLOW,
            f"{len(unexplained)} outflow(s) that no approved proposal explains, the first is {first}",
            advice="Find out who spent it; `custody coins accept TXID` explains it, then draft again.",
            details={"txids": [one.transaction.txid for one in unexplained]},
        )


def record_draft(desk: Desk, backend: ChainBackend, made: Draft, wish: Wish) -> ProposalView:
    """Build the PSBT, review it as a signer will, ask the policy, and append the proposal.

    What the policy only misses (approvals, times) may still come; what it forbids is never drafted.
    """
    proposal = made.proposal
    blocks = {coin.outpoint.txid: coin.block_hash for coin in made.coins}
    previous = {txid: backend.transaction(txid, block) for txid, block in blocks.items()}
    psbt = build_psbt(proposal, desk.vault, {str(coin.outpoint): coin for coin in made.coins}, previous)
    probe = ProposalRecord(proposal, psbt, drafted_seq=desk.office.head.seq + 1, drafted_time="")
    tentative = replace(desk.state, proposals={**desk.state.proposals, proposal.proposal_id: probe})
    require_clean(review_psbt(psbt, desk.vault, review_context(tentative, probe, wish.limits)))
    require_signable(psbt, desk.vault, desk.state, desk.surroundings.profiles)
    require_not_denied(decision_on(tentative, desk.vault, probe, Gate.DRAFT))
    desk.record(
        [
            (
                "proposal_drafted",
                {
                    "proposal_id": proposal.proposal_id,
                    "proposal": proposal.to_document(),
                    "psbt": psbt.to_base64(),
                    "acknowledged": [],
                    "second_payment": wish.second_payment,
                },
            ),
            *([] if wish.hold else [left_event(proposal.proposal_id, "draft")]),
        ]
    )
    return view_proposal(desk.state, desk.vault, desk.state.proposals[proposal.proposal_id], wish.limits)


def left_event(proposal_id: str, how: str) -> Event:
    """Return the event of a PSBT that leaves the house."""
    return ("proposal_left", {"proposal_id": proposal_id, "how": how})


def expiry_of(state: State, asked: str | None, kind: ProposalKind, path: str | None = None) -> str:
    """Return the asked expiry if it lies ahead of the chain's time, else the longest that the policy allows.

    Without a policy that is 14 days from the chain's time, and never more than these.

    Raises:
        ChainUnavailable: SYNC_NEEDED. InvalidInput: PROPOSAL_EXPIRED.
    """
    if state.tip is None:
        raise ChainUnavailable(Code.SYNC_NEEDED, "the chain was never synced", advice="Run `custody coins sync`.")
    if asked is None:
        return default_expiry(state, kind, path, state.tip.median_time_past)
    if is_expired(asked, state.tip.median_time_past):
        raise InvalidInput(
            Code.PROPOSAL_EXPIRED,
            f"the expiry {asked} lies before the chain's time",
            advice="Give a later time, such as 2030-01-31T12:00:00Z.",
        )
    return asked


def claims_of(state: State, replaced: ProposalRecord | None) -> frozenset[str]:
    """Return the proposal ids and txids whose claim on coins is given up."""
    if replaced is None:
        return frozenset()
    return replacement_of(state, replaced).claims


def require_same_payees(replaced: ProposalRecord, made: Draft) -> None:
    """Refuse a replacement of a proposal that left which pays others than it.

    Raises:
        CheckFailed: REPLACEMENT_CHANGES_PAYEE.
    """
    for finding in payee_findings(replaced.proposal, made.proposal):
        raise CheckFailed(finding.code, finding.message, advice=finding.advice)


def _newest_outside(state: State, replaced: ProposalRecord) -> ProposalRecord | None:
    """Return the newest version that left the house: a held one in between doesn't hide it."""
    return next((one for one in reversed(replacement_chain(state, replaced)) if one.has_left), None)


def _with_shared_input(desk: Desk, request: DraftRequest, outside: ProposalRecord | None) -> Draft:
    """Draft; a replacement of what left takes its coins in any case, so that both can never confirm."""
    setting = DraftSetting(desk.vault, coins_of(desk.state, desk.vault), _tip_height(desk.state))
    if outside is None or request.named:
        return draft(request, setting)
    return draft(replace(request, required=outside.proposal.inputs), setting)


def _tip_height(state: State) -> int:
    return 0 if state.tip is None else state.tip.height


def _kind_of(desk: Desk, payees: tuple[Payee, ...]) -> ProposalKind:
    """Return whether every payee is an address of ours: a move to ourselves is its own kind."""
    scripts = {script_of(payee.address, desk.vault.network) for payee in payees}
    counts = {int(branch): next_index(desk.state, branch) + 1_000 for branch in Branch}
    ours = find_script(desk.vault.deriver, scripts, counts=counts)
    return ProposalKind.INTERNAL if scripts and len(ours) == len(scripts) else ProposalKind.PAYMENT


def _fee_target(state: State, outside: ProposalRecord | None, rate: FeeRate) -> FeeTarget:
    """Return the fee to pay; over what left and may be in somebody's mempool, BIP 125 asks for more."""
    return FeeTarget(rate) if outside is None else replacement_of(state, outside).fee_target(rate)


def replacement_of(state: State, record: ProposalRecord) -> Replacement:
    """Return what a replacement has to know about the proposal and those that it replaced.

    A version that never left can be in no mempool: it asks for no fee and shares no coin.
    """
    chain = [one for one in replacement_chain(state, record) if one.has_left or one is record]
    return Replacement(tuple(one.proposal for one in chain), frozenset(one.final_txid for one in chain))


def _require_no_repeated_payee(desk: Desk, payees: tuple[Payee, ...]) -> None:
    """Refuse one address twice, as in a payments file: by flags, or by a flag and a file, it is a mistake too."""
    scripts = [script_of(payee.address, desk.vault.network) for payee in payees]
    if len(set(scripts)) < len(scripts):
        raise UsageError(
            Code.USAGE,
            "one address is to be paid twice",
            advice="Give each address once, with the sum; look into the payments file too.",
        )


def _estimate(backend: ChainBackend) -> FeeRate:
    return max(backend.estimate_fee_rate(ESTIMATE_BLOCKS), backend.minimum_fee_rate())


def _require_no_second_payment(state: State, made: Draft, wish: Wish) -> None:
    if wish.second_payment:
        return
    for destination in made.proposal.destinations:
        for proposal_id in prior_payments(state, destination.address):
            if not set(state.proposals[proposal_id].proposal.inputs) & set(made.proposal.inputs):
                raise Conflict(
                    Code.SECOND_PAYMENT,
                    f"proposal `{proposal_id[:16]}` pays {destination.address} and can still be spent",
                    advice="Spend one of its coins with --replaces, cancel it, or say --second-payment.",
                    details={"proposal_id": proposal_id, "address": destination.address},
                )
