"""Bump, cancel, and a child that pays for a stuck inflow: each a new proposal with new approvals.

The mempool is asked twice: once to draft, and, when the draft shows which transactions it
would evict, again with their fees paid for. Every one of those is a warning that must be
acknowledged before the replacement is broadcast.
"""

from dataclasses import replace

from custody.audit.chain_view import coins_of, next_index
from custody.audit.proposal_state import HOLDING, state_of
from custody.audit.state import ProposalRecord
from custody.bitcoin.amount import FeeRate, Sats, sum_sats
from custody.bitcoin.descriptor import Branch
from custody.codes import Code
from custody.errors import Conflict
from custody.ports import ChainBackend, Progress
from custody.spend.bump import Fresh, plan_bump, plan_cancel, plan_child
from custody.spend.draft import Draft, DraftRequest, DraftSetting, draft
from custody.spend.proposal import ProposalKind
from custody.spend.review_model import ReviewLimits
from custody.spend.utxo import Coin
from custody.workflow.draft_proposal import (
    Wish,
    expiry_of,
    record_draft,
    refresh,
    replacement_of,
    require_same_payees,
)
from custody.workflow.governance import under_policy
from custody.workflow.office import Desk
from custody.workflow.proposal_access import find_proposal
from custody.workflow.proposal_view import ProposalView


def bump_proposal(
    desk: Desk, backend: ChainBackend, named: str, rate: FeeRate, *, limits: ReviewLimits, progress: Progress
) -> ProposalView:
    """Draft a replacement that pays the same destinations at a higher rate.

    Raises:
        Conflict: NOT_BUMPABLE, PROPOSAL_STATE, INSUFFICIENT_FUNDS. CheckFailed: REPLACEMENT_CHANGES_PAYEE.
    """
    refresh(desk, backend, progress)
    record = _replaceable(desk, named)
    if record.withdrawn or record.rejected:
        raise _not_bumpable(
            f"somebody ended proposal `{record.proposal_id[:16]}`", "Cancel it; draft a new payment if it is wanted."
        )
    fresh = _fresh(desk, ProposalKind.BUMP)
    made = _drafted(desk, plan_bump(replacement_of(desk.state, record), rate, fresh))
    evicted = _evicted_fees(desk, backend, record, made)
    if evicted:
        made = _drafted(
            desk, plan_bump(replace(replacement_of(desk.state, record), descendant_fees=evicted), rate, fresh)
        )
    require_same_payees(record, made)
    return record_draft(desk, backend, made, _wish(rate, limits))


def cancel_proposal(
    desk: Desk, backend: ChainBackend, named: str, rate: FeeRate, *, limits: ReviewLimits, progress: Progress
) -> ProposalView:
    """Draft the conflicting payment to ourselves that takes a proposal back.

    Raises:
        Conflict: NOT_BUMPABLE, PROPOSAL_STATE where it never left (withdraw it instead).
    """
    refresh(desk, backend, progress)
    record = _replaceable(desk, named)
    if not record.has_left:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"proposal `{record.proposal_id[:16]}` never left the house: there is nothing to cancel",
            advice="Run `custody proposal withdraw`; its coins come free when it expires.",
        )
    coins, fresh = _thawed(desk, record), _fresh(desk, ProposalKind.CANCEL)
    made = _drafted(desk, plan_cancel(replacement_of(desk.state, record), coins, rate, fresh), coins)
    evicted = _evicted_fees(desk, backend, record, made)
    if evicted:
        dearer = replace(replacement_of(desk.state, record), descendant_fees=evicted)
        made = _drafted(desk, plan_cancel(dearer, coins, rate, fresh), coins)
    require_same_payees(record, made)
    return record_draft(desk, backend, made, _wish(rate, limits))


def bump_inflow(
    desk: Desk, backend: ChainBackend, txid: str, rate: FeeRate, *, limits: ReviewLimits, progress: Progress
) -> ProposalView:
    """Draft a child that spends an unconfirmed inflow's outputs to ourselves and pays for both.

    Raises:
        Conflict: NOT_BUMPABLE if no unconfirmed coin of ours comes from `txid` or its fee is unknown.
    """
    refresh(desk, backend, progress)
    coins = [coin for coin in coins_of(desk.state, desk.vault) if coin.outpoint.txid == txid and coin.height is None]
    seen = desk.state.transactions.get(txid)
    if not coins or seen is None:
        raise _not_bumpable(f"no unconfirmed coin of ours comes from `{txid}`", "Run `custody coins list`.")
    if seen.fee is None:
        raise _not_bumpable(f"the fee of `{txid}` is unknown", "Ask a node that has its inputs, then sync again.")
    parent = backend.transaction(txid, None)
    request = plan_child(
        tuple(coin.outpoint for coin in coins),
        rate,
        _fresh(desk, ProposalKind.INTERNAL, f"child of {txid}"),
        package_vsize=parent.vsize,
        package_fee=seen.fee,
    )
    made = _drafted(desk, replace(request, depth=0))
    return record_draft(desk, backend, made, _wish(rate, limits))


def _replaceable(desk: Desk, named: str) -> ProposalRecord:
    record = find_proposal(desk.state, named)
    now = state_of(desk.state, record)
    if now not in HOLDING:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"proposal `{record.proposal_id[:16]}` is {now}: there is nothing to replace",
            advice="Look at `custody proposal list`.",
            details={"state": str(now)},
        )
    return record


def _fresh(desk: Desk, kind: ProposalKind, reason: str | None = None) -> Fresh:
    return Fresh(
        nonce=desk.surroundings.nonces.nonce(),
        expires=expiry_of(desk.state, None, kind),
        change_index=next_index(desk.state, Branch.CHANGE),
        reason=reason,
        drafter=desk.surroundings.actor,
    )


def _thawed(desk: Desk, record: ProposalRecord) -> tuple[Coin, ...]:
    """Return the coins, those of the proposal as if not frozen: a freeze must not stop what protects them."""
    own = set(record.proposal.inputs)
    return tuple(
        replace(coin, is_frozen=False) if coin.outpoint in own else coin for coin in coins_of(desk.state, desk.vault)
    )


def _drafted(desk: Desk, request: DraftRequest, coins: tuple[Coin, ...] | None = None) -> Draft:
    height = 0 if desk.state.tip is None else desk.state.tip.height
    return draft(
        under_policy(desk.state, request),
        DraftSetting(desk.vault, coins_of(desk.state, desk.vault) if coins is None else coins, height),
    )


def _evicted_fees(desk: Desk, backend: ChainBackend, record: ProposalRecord, made: Draft) -> Sats:
    """Return the known fees of what the draft would evict besides the proposals it replaces."""
    own = replacement_of(desk.state, record).final_txids
    others = [txid for txid in backend.conflicts(made.proposal.unsigned_transaction) if txid not in own]
    seen = [desk.state.transactions.get(txid) for txid in others]
    return sum_sats(one.fee for one in seen if one is not None and one.fee is not None)


def _wish(rate: FeeRate, limits: ReviewLimits) -> Wish:
    return Wish((), rate, limits=limits)


def _not_bumpable(message: str, advice: str) -> Conflict:
    return Conflict(Code.NOT_BUMPABLE, message, advice=advice)
