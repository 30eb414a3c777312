"""Where each proposal stands, and what it still holds: derived, never stored.

Before a proposal left, its coins and its change index come free when it expires. Afterwards
somebody may hold enough signatures, so only a conflicting transaction six blocks deep frees
them: until then an ended proposal is `still-spendable`. Expiry is judged by the tip's median
time past alone.
"""

from collections.abc import Mapping
from enum import StrEnum

from custody.audit.state import ProposalRecord, SeenTransaction, State
from custody.bitcoin.transaction import OutPoint
from custody.spend.expiry import is_expired
from custody.spend.psbt_builder import final_txid
from custody.spend.utxo import CONFIRMED_DEPTH
from custody.vault.vault import Vault


class ProposalState(StrEnum):
    """The states of the design, section 6."""

    DRAFT = "draft"
    SIGNING = "signing"
    SIGNED = "signed"
    FINALIZED = "finalized"
    BROADCAST = "broadcast"
    MINED = "mined"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REJECTED = "rejected"
    REPLACED = "replaced"
    VOID = "void"
    STILL_SPENDABLE = "still-spendable"


ON_CHAIN = frozenset({ProposalState.MINED, ProposalState.CONFIRMED})
LIVE = frozenset({ProposalState.DRAFT, ProposalState.SIGNING, ProposalState.SIGNED, ProposalState.FINALIZED})
"""States in which a person still works on the proposal."""
HOLDING = LIVE | {ProposalState.BROADCAST, ProposalState.STILL_SPENDABLE}
"""States in which the proposal's transaction may still take its coins."""


def proposal_states(state: State) -> Mapping[str, ProposalState]:
    """Return the state of every proposal, by proposal_id, in the order of drafting."""
    return {proposal_id: state_of(state, record) for proposal_id, record in state.proposals.items()}


def state_of(state: State, record: ProposalRecord) -> ProposalState:
    """Return the state of one proposal at the last observation."""
    # 1. The chain decides first: what is in a block happened, whatever anybody wrote.
    seen = state.transactions.get(final_txid(record.psbt))
    if seen is not None:
        return _depth_state(state, seen)
    rival = _deepest_rival(state, record)
    if rival is not None and _depth(state, rival) >= CONFIRMED_DEPTH:
        return ProposalState.REPLACED if _is_replacement(state, record, rival) else ProposalState.VOID
    # 2. Then what ended it; what has left can still be spent until a rival is buried.
    ended = _ended(state, record, rival)
    if ended is not None:
        return ProposalState.STILL_SPENDABLE if record.has_left else ended
    # 3. Else how far it has come.
    if record.is_broadcast:
        return ProposalState.BROADCAST
    if record.final is not None:
        return ProposalState.FINALIZED
    return _signing_state(state, record)


def holders_of_coins(state: State) -> Mapping[OutPoint, tuple[str, ...]]:
    """Return the proposals that hold each coin, in the order of drafting."""
    holders: dict[OutPoint, tuple[str, ...]] = {}
    for proposal_id, record in state.proposals.items():
        if state_of(state, record) in HOLDING:
            for outpoint in record.proposal.inputs:
                holders[outpoint] = (*holders.get(outpoint, ()), proposal_id)
    return holders


def reserved_change_indexes(state: State) -> list[int]:
    """Return the change indexes that proposals hold, or that their transactions used."""
    taken = HOLDING | ON_CHAIN
    return [
        change.index
        for record in state.proposals.values()
        if state_of(state, record) in taken
        for change in record.proposal.change
    ]


def replacement_chain(state: State, record: ProposalRecord) -> tuple[ProposalRecord, ...]:
    """Return the proposal with those that it replaces, oldest first."""
    chain = [record]
    while chain[0].proposal.replaces is not None:
        chain.insert(0, state.proposals[chain[0].proposal.replaces])
    return tuple(chain)


def signers_by_input(record: ProposalRecord, vault: Vault) -> tuple[frozenset[str], ...]:
    """Return, for each input, the cosigners whose signatures are recorded.

    Matched by whole public keys against the witness script of the drafted input. The records were
    verified when they were written; a workflow verifies them again before it relies on them.
    """
    deriver = vault.deriver
    signers: list[frozenset[str]] = []
    for number, psbt_input in enumerate(record.psbt.inputs):
        signed = {one.public_key for one in record.signatures if one.input_index == number}
        path = psbt_input.derivations[0].origin.path
        keys = deriver.at(path[-2], path[-1]).key_by_cosigner
        names = (cosigner.name for cosigner, key in zip(vault.cosigners, keys, strict=True) if key in signed)
        signers.append(frozenset(names))
    return tuple(signers)


def prior_payments(state: State, address: str) -> tuple[str, ...]:
    """Return the still-spendable proposals that pay `address`: paying again may pay twice."""
    return tuple(
        proposal_id
        for proposal_id, record in state.proposals.items()
        if any(one.address == address for one in record.proposal.destinations)
        and state_of(state, record) is ProposalState.STILL_SPENDABLE
    )


def _signing_state(state: State, record: ProposalRecord) -> ProposalState:
    if not record.signatures:
        return ProposalState.DRAFT
    threshold = state.vault_document.get("threshold")
    counts = [0] * len(record.proposal.inputs)
    for one in record.signatures:
        counts[one.input_index] += 1
    complete = isinstance(threshold, int) and min(counts) >= threshold
    return ProposalState.SIGNED if complete else ProposalState.SIGNING


def _ended(state: State, record: ProposalRecord, rival: SeenTransaction | None) -> ProposalState | None:
    if record.withdrawn:
        return ProposalState.WITHDRAWN
    if record.rejected:
        return ProposalState.REJECTED
    if rival is not None:
        return ProposalState.REPLACED if _is_replacement(state, record, rival) else ProposalState.VOID
    if any(other.proposal.replaces == record.proposal_id for other in state.proposals.values()):
        return ProposalState.REPLACED
    # What was sent is in the network's hands: its expiry takes nothing back.
    if record.is_broadcast or state.tip is None:
        return None
    return ProposalState.EXPIRED if is_expired(record.proposal.expires, state.tip.median_time_past) else None


def _depth_state(state: State, seen: SeenTransaction) -> ProposalState:
    depth = _depth(state, seen)
    if depth >= CONFIRMED_DEPTH:
        return ProposalState.CONFIRMED
    return ProposalState.MINED if depth else ProposalState.BROADCAST


def _depth(state: State, seen: SeenTransaction) -> int:
    if seen.height is None or state.tip is None:
        return 0
    return max(0, state.tip.height - seen.height + 1)


def _deepest_rival(state: State, record: ProposalRecord) -> SeenTransaction | None:
    """Return the deepest known transaction that spends a coin of the proposal's."""
    inputs = set(record.proposal.inputs)
    rivals = [seen for seen in state.transactions.values() if any(spent.outpoint in inputs for spent in seen.inputs)]
    return max(rivals, key=lambda seen: (_depth(state, seen), seen.txid), default=None)


def _is_replacement(state: State, record: ProposalRecord, rival: SeenTransaction) -> bool:
    """Whether the rival is a proposal that says it replaces this one, directly or over others."""
    for other in state.proposals.values():
        if final_txid(other.psbt) == rival.txid:
            return record.proposal_id in {one.proposal_id for one in replacement_chain(state, other)}
    return False
