"""Find a proposal, its PSBT with what was collected so far, and judge both again.

Nothing here trusts the journal's word for a signature: the PSBT is put together from the
recorded ones and reviewed anew, by both engines, each time it is used.
"""

import re
from dataclasses import replace

from custody.audit.chain_view import last_used_index
from custody.audit.proposal_state import HOLDING, LIVE, ProposalState, other_holders, replacement_chain, state_of
from custody.audit.state import ProposalRecord, State
from custody.bitcoin.psbt import PartialSignature, Psbt
from custody.codes import Code
from custody.errors import Conflict, InvalidInput
from custody.spend.expiry import is_expired
from custody.spend.proposal import ProposalKind
from custody.spend.review_model import Review, ReviewContext, ReviewLimits
from custody.vault.vault import Vault
from custody.workflow.review_psbt import review_psbt

_PREFIX = re.compile(r"[0-9a-f]{8,64}", re.ASCII)


def find_proposal(state: State, named: str | None) -> ProposalRecord:
    """Return the proposal of an id or of its first eight characters or more; without one, the only live one.

    Raises:
        InvalidInput: PROPOSAL_UNKNOWN.
        Conflict: PROPOSAL_UNKNOWN when several fit.
    """
    if named is None:
        return _only_live(state)
    if _PREFIX.fullmatch(named) is None:
        raise _unknown(f"`{named}` is not a proposal id")
    found = [record for proposal_id, record in state.proposals.items() if proposal_id.startswith(named)]
    if len(found) > 1:
        raise Conflict(
            Code.PROPOSAL_UNKNOWN, f"`{named}` begins {len(found)} proposal ids", advice="Give more characters of it."
        )
    if not found:
        raise _unknown(f"there is no proposal `{named}`")
    return found[0]


def collected_psbt(record: ProposalRecord) -> Psbt:
    """Return the drafted PSBT with the recorded signatures, each input's in the order of the keys."""
    inputs = []
    for number, psbt_input in enumerate(record.psbt.inputs):
        signatures = sorted(
            (PartialSignature(one.public_key, one.signature) for one in record.signatures if one.input_index == number),
            key=lambda one: one.public_key,
        )
        inputs.append(replace(psbt_input, partial_signatures=tuple(signatures)))
    return replace(record.psbt, inputs=tuple(inputs))


def review_context(state: State, record: ProposalRecord | None, limits: ReviewLimits) -> ReviewContext:
    """Return what this office knows besides the PSBT: indexes in use, payees, what was handed out before."""
    others = [one for one in state.proposals.values() if record is None or one.proposal_id != record.proposal_id]
    replaced = replacement_chain(state, record)[:-1] if record is not None else ()
    drafted_before = [one for one in others if record is None or one.drafted_seq < record.drafted_seq]
    return ReviewContext(
        limits=limits if state.tip is None else replace(limits, tip_height=state.tip.height),
        last_used_index=max(last_used_index(state), 0),
        known_addresses=tuple(
            dict.fromkeys(destination.address for one in others for destination in one.proposal.destinations)
        ),
        earlier=tuple(one.psbt for one in drafted_before if one.has_left and state_of(state, one) in HOLDING),
        replaces=frozenset(one.proposal.unsigned_txid for one in replaced),
        coins_verified=True,
    )


def review_proposal(state: State, vault: Vault, record: ProposalRecord, limits: ReviewLimits) -> Review:
    """Review the proposal's PSBT with the signatures collected so far."""
    return review_psbt(collected_psbt(record), vault, review_context(state, record, limits))


def require_live(state: State, record: ProposalRecord) -> None:
    """Refuse a proposal that ended, that the chain has, or whose time is over.

    Raises:
        Conflict: PROPOSAL_EXPIRED, PROPOSAL_STATE, or COIN_FROZEN.
    """
    if state.tip is not None and is_expired(record.proposal.expires, state.tip.median_time_past):
        raise Conflict(
            Code.PROPOSAL_EXPIRED,
            f"proposal `{record.proposal_id[:16]}` expired at {record.proposal.expires} by the chain's time",
            advice="Draft the payment again; if signatures left the house, cancel the old one first.",
        )
    now = state_of(state, record)
    if now not in LIVE and now is not ProposalState.BROADCAST:
        raise Conflict(
            Code.PROPOSAL_STATE,
            f"proposal `{record.proposal_id[:16]}` is {now}",
            advice="Look at it with `custody proposal show`, and at all with `custody proposal list`.",
            details={"state": str(now)},
        )
    _require_thawed(state, record)


def require_sole_holder(state: State, record: ProposalRecord) -> None:
    """Refuse to let a proposal leave while another one holds a coin of it: both could be signed.

    Raises:
        Conflict: COIN_RESERVED.
    """
    rivals = other_holders(state, record)
    if rivals:
        raise Conflict(
            Code.COIN_RESERVED,
            f"proposal `{rivals[0][:16]}` holds a coin of this one too",
            advice="Withdraw or cancel one of them first, or draft again with --replaces.",
            details={"proposals": [*rivals]},
        )


def _require_thawed(state: State, record: ProposalRecord) -> None:
    """Refuse to go on with a frozen coin; a cancel moves coins to ourselves alone and may."""
    frozen = [outpoint for outpoint in record.proposal.inputs if outpoint in state.frozen]
    if frozen and record.proposal.kind is not ProposalKind.CANCEL:
        raise Conflict(
            Code.COIN_FROZEN,
            f"coin `{frozen[0]}` of proposal `{record.proposal_id[:16]}` was frozen after it was drafted",
            advice="Cancel the proposal, or unfreeze the coin with `custody coins unfreeze`.",
            details={"outpoints": [str(outpoint) for outpoint in frozen]},
        )


def _only_live(state: State) -> ProposalRecord:
    live = [one for one in state.proposals.values() if state_of(state, one) in LIVE]
    if len(live) == 1:
        return live[0]
    if not live:
        raise _unknown("no proposal is under way")
    raise Conflict(
        Code.PROPOSAL_UNKNOWN,
        f"{len(live)} proposals are under way",
        advice="Name one: " + ", ".join(one.proposal_id[:16] for one in live) + ".",
    )


def _unknown(message: str) -> InvalidInput:
    return InvalidInput(
        Code.PROPOSAL_UNKNOWN, message, advice="List them with `custody proposal list`; copy the id from there."
    )
