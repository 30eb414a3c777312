"""Where each proposal stands, and what it still holds: derived, never stored.

Before a proposal left, its coins and its change index come free when it expires. Afterwards
somebody may hold enough signatures, so only a conflicting transaction six blocks deep frees
them: until then an ended proposal is `still-spendable`. Expiry is judged by the tip's median
time past alone.
"""

from collections.abc import Mapping
from enum import StrEnum

from custody.audit.state import ProposalRecord, SeenTransaction, State
from custody.bitcoin.address import script_of
from custody.bitcoin.transaction import OutPoint
from custody.spend.expiry import is_expired
from custody.spend.progress import SigningProgress
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
    facts = _Facts(state)
    return {proposal_id: _judge(facts, record) for proposal_id, record in state.proposals.items()}


def state_of(state: State, record: ProposalRecord) -> ProposalState:
    """Return the state of one proposal at the last observation; for many, use `proposal_states`."""
    return _judge(_Facts(state), record)


def holders_of_coins(state: State) -> Mapping[OutPoint, tuple[str, ...]]:
    """Return the proposals that hold each coin, in the order of drafting."""
    holders: dict[OutPoint, tuple[str, ...]] = {}
    for proposal_id, proposal_state in proposal_states(state).items():
        if proposal_state in HOLDING:
            for outpoint in state.proposals[proposal_id].proposal.inputs:
                holders[outpoint] = (*holders.get(outpoint, ()), proposal_id)
    return holders


def other_holders(state: State, record: ProposalRecord) -> tuple[str, ...]:
    """Return the proposals that hold a coin of this one without replacing it or being replaced by it.

    Empty as a rule. A reorganization can bring back a proposal whose coins were free meanwhile;
    asked before a proposal leaves, this keeps two payments from leaving with one coin.
    """
    family = {one.proposal_id for one in replacement_chain(state, record)}
    holders = holders_of_coins(state)
    found = dict.fromkeys(
        holder
        for outpoint in record.proposal.inputs
        for holder in holders.get(outpoint, ())
        if holder not in family
        and record.proposal_id not in {one.proposal_id for one in replacement_chain(state, state.proposals[holder])}
    )
    return tuple(found)


def reserved_change_indexes(state: State) -> list[int]:
    """Return the change indexes that proposals hold, or that their transactions used."""
    return [
        change.index
        for proposal_id, proposal_state in proposal_states(state).items()
        if proposal_state in HOLDING | ON_CHAIN
        for change in state.proposals[proposal_id].proposal.change
    ]


def replacement_chain(state: State, record: ProposalRecord) -> tuple[ProposalRecord, ...]:
    """Return the proposal with those that it replaces, oldest first."""
    chain = [record]
    while chain[0].proposal.replaces is not None:
        chain.insert(0, state.proposals[chain[0].proposal.replaces])
    return tuple(chain)


def signing_progress(record: ProposalRecord, vault: Vault) -> SigningProgress:
    """Return who has signed, counted from the recorded signatures at the keys that the vault derives.

    The records were verified when they were written; a workflow verifies them again before it
    relies on them.
    """
    return SigningProgress.count(
        vault.threshold, [cosigner.name for cosigner in vault.cosigners], signers_by_input(record, vault)
    )


def signers_by_input(record: ProposalRecord, vault: Vault) -> tuple[tuple[str, ...], ...]:
    """Return, for each input, the cosigners whose signatures are recorded, in the vault's order.

    Whole public keys are compared, derived at the branch and index that the drafted input names; an
    input whose script is not the vault's there counts no signer.
    """
    deriver = vault.deriver
    signers: list[tuple[str, ...]] = []
    for number, psbt_input in enumerate(record.psbt.inputs):
        signed = {one.public_key for one in record.signatures if one.input_index == number}
        path = psbt_input.derivations[0].origin.path if psbt_input.derivations else ()
        if not signed or len(path) < 2:
            signers.append(())
            continue
        script = deriver.at(path[-2], path[-1])
        keys = script.key_by_cosigner if script.witness_script == psbt_input.witness_script else ()
        owners = zip(vault.cosigners, keys, strict=False)
        signers.append(tuple(cosigner.name for cosigner, key in owners if key in signed))
    return tuple(signers)


def prior_payments(state: State, address: str) -> tuple[str, ...]:
    """Return the still-spendable proposals that pay `address`: paying again may pay twice."""
    wanted = script_of(address, state.network)
    return tuple(
        proposal_id
        for proposal_id, proposal_state in proposal_states(state).items()
        if proposal_state is ProposalState.STILL_SPENDABLE
        and any(
            script_of(one.address, state.network) == wanted
            for one in state.proposals[proposal_id].proposal.destinations
        )
    )


class _Facts:
    """What judging needs, gathered once: who spends each coin, what each final txid is, who replaces whom."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.spenders: dict[OutPoint, list[SeenTransaction]] = {}
        for seen in state.transactions.values():
            for spent in seen.inputs:
                self.spenders.setdefault(spent.outpoint, []).append(seen)
        self.by_final_txid = {record.final_txid: record for record in state.proposals.values()}
        self.replacements: dict[str, list[ProposalRecord]] = {}
        for record in state.proposals.values():
            if record.proposal.replaces is not None:
                self.replacements.setdefault(record.proposal.replaces, []).append(record)

    def depth(self, seen: SeenTransaction) -> int:
        """Return how many blocks hold the transaction, its own included; 0 in none."""
        if seen.height is None or self.state.tip is None:
            return 0
        return max(0, self.state.tip.height - seen.height + 1)

    def deepest_rival(self, record: ProposalRecord) -> SeenTransaction | None:
        """Return the deepest transaction in a block that spends a coin of the proposal's.

        One that waits in a mempool ends nothing: it is replaced as easily as it came.
        """
        rivals = [
            seen
            for outpoint in record.proposal.inputs
            for seen in self.spenders.get(outpoint, ())
            if seen.txid != record.final_txid and self.depth(seen)
        ]
        return max(rivals, key=lambda seen: (self.depth(seen), seen.txid), default=None)

    def is_expired(self, record: ProposalRecord) -> bool:
        """Whether the tip's median time past has reached the proposal's expiry."""
        tip = self.state.tip
        return tip is not None and is_expired(record.proposal.expires, tip.median_time_past)

    def is_replaced(self, record: ProposalRecord) -> bool:
        """Whether a replacement was drafted that still counts: not one that ended before it left, unless it was
        replaced in its turn by one that counts."""
        return any(
            other.has_left
            or not (other.withdrawn or other.rejected or self.is_expired(other))
            or self.is_replaced(other)
            for other in self.replacements.get(record.proposal_id, ())
        )

    def end_by(self, record: ProposalRecord, rival: SeenTransaction) -> ProposalState:
        """Return how the rival ends the proposal: as its replacement, directly or over others, or not."""
        other = self.by_final_txid.get(rival.txid)
        chain = () if other is None else replacement_chain(self.state, other)
        is_replacement = any(one.proposal_id == record.proposal_id for one in chain)
        return ProposalState.REPLACED if is_replacement else ProposalState.VOID


def _judge(facts: _Facts, record: ProposalRecord) -> ProposalState:
    # 1. The chain decides first: what is in a block happened, whatever anybody wrote.
    seen = facts.state.transactions.get(record.final_txid)
    if seen is not None:
        depth = facts.depth(seen)
        if depth >= CONFIRMED_DEPTH:
            return ProposalState.CONFIRMED
        return ProposalState.MINED if depth else ProposalState.BROADCAST
    # 2. A rival six deep settles it for good.
    rival = facts.deepest_rival(record)
    if rival is not None and facts.depth(rival) >= CONFIRMED_DEPTH:
        return facts.end_by(record, rival)
    # 3. Then what ended it; what has left can still be spent until a rival is buried.
    ended = _ended(facts, record, rival)
    if ended is not None:
        return ProposalState.STILL_SPENDABLE if record.has_left else ended
    # 4. Else how far it has come.
    if record.is_broadcast:
        return ProposalState.BROADCAST
    if record.final is not None:
        return ProposalState.FINALIZED
    return _signing_state(facts.state, record)


def _ended(facts: _Facts, record: ProposalRecord, rival: SeenTransaction | None) -> ProposalState | None:
    if record.withdrawn:
        return ProposalState.WITHDRAWN
    if record.rejected:
        return ProposalState.REJECTED
    if rival is not None:
        return facts.end_by(record, rival)
    if facts.is_replaced(record):
        return ProposalState.REPLACED
    # One that was sent and is not seen any more can come back: left, so it ends as still-spendable.
    return ProposalState.EXPIRED if facts.is_expired(record) else None


def _signing_state(state: State, record: ProposalRecord) -> ProposalState:
    if not record.signatures:
        return ProposalState.DRAFT
    threshold = state.vault_document.get("threshold")
    counts = [0] * len(record.proposal.inputs)
    for one in record.signatures:
        counts[one.input_index] += 1
    complete = isinstance(threshold, int) and min(counts) >= threshold
    return ProposalState.SIGNED if complete else ProposalState.SIGNING
