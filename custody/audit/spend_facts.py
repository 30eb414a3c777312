"""From the journal's state to what the policy is asked: the request and its history, as facts.

Everything is derived: which outputs are ours by the descriptor's own scripts, what a coin or an
address holds by the observations, who approved by signatures that counted. An approval counts
until its officer's key is revoked, unless a device had signed before that.
"""

from collections.abc import Iterable

from custody.audit.chain_view import known_output, outflows, outputs_paying
from custody.audit.change_rules import officer_facts
from custody.audit.draft_rules import stays_with_us
from custody.audit.governance import GovernanceState
from custody.audit.proposal_state import ProposalState, proposal_states, replacement_chain
from custody.audit.signing_start import SigningStart
from custody.audit.state import ProposalRecord, SignedStatement, State
from custody.bitcoin.address import script_of
from custody.bitcoin.amount import Sats, sats
from custody.bitcoin.derivation import find_script
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.size import worst_case_vsize
from custody.bitcoin.transaction import OutPoint
from custody.policy.facts import (
    ApprovalFact,
    History,
    InputFact,
    OutflowRecord,
    OwnOutputFact,
    PayeeFact,
    SpendRecord,
    SpendRequest,
)
from custody.spend.expiry import parse_time
from custody.vault.vault import Vault

_SEARCHED = 1_000
"""Indexes above the next one of each branch at which an output is looked for."""
_FINAL_SEQUENCE = 0xFFFFFFFE
"""A sequence below this one signals replacement (BIP 125)."""


def request_of(
    state: State, vault: Vault, record: ProposalRecord, statements: tuple[SignedStatement, ...]
) -> SpendRequest:
    """Return what the policy is asked about a proposal, drafted or about to be; `statements` are those in force.

    Whether signing began, and whether a bump leans on approvals before it, is the caller's to add.
    """
    proposal = record.proposal
    transaction = proposal.unsigned_transaction
    outputs = [(script_of(one.address, vault.network), one.address, one.value) for one in proposal.destinations]
    own_scripts = _own_scripts(state, vault, {script for script, _address, _value in outputs})
    outputs += [(script_of(one.address, vault.network), one.address, one.value) for one in proposal.change]
    own_scripts |= {script_of(one.address, vault.network) for one in proposal.change}
    chain = replacement_chain(state, record)
    return SpendRequest(
        kind=proposal.kind,
        path=proposal.policy_path,
        payees=tuple(
            _payee(state.governance, vault, address, value)
            for script, address, value in outputs
            if script not in own_scripts
        ),
        own_outputs=_own_outputs(state, record, [one for one in outputs if one[0] in own_scripts]),
        inputs=_inputs(state, proposal.inputs),
        fee=proposal.fee,
        vsize=worst_case_vsize(
            len(transaction.inputs),
            [output.script_pubkey for output in transaction.outputs],
            threshold=vault.threshold,
            key_count=len(vault.cosigners),
            script_type=vault.descriptor.script_type,
        ),
        locktime=transaction.locktime,
        signals_replacement=all(one.sequence < _FINAL_SEQUENCE for one in transaction.inputs),
        expires=parse_time(proposal.expires),
        drafter=next((one.officer for one in statements if one.kind == "propose"), None),
        group=_Sets(state, record).name_of(record),
        replaced_fee=None if len(chain) < 2 else chain[-2].proposal.fee,
    )


def history_of(state: State, record: ProposalRecord, statements: tuple[SignedStatement, ...]) -> History:
    """Return what the journal says besides, at this head; `statements` are those about the proposal in force."""
    gov = state.governance
    return History(
        now=gov.time,
        tip_height=0 if state.tip is None else state.tip.height,
        officers=officer_facts(gov.officers),
        approvals=tuple(ApprovalFact(one.officer, one.roles, one.time) for one in statements if one.kind == "approve"),
        spends=_spends(state, record),
        outflows=tuple(
            OutflowRecord(max(0, one.left_us), one.transaction.seen_time)
            for one in outflows(state)
            if one.proposal_id is None and not one.transaction.before_first_complete_sync
        ),
        suspended_by=gov.suspended_by,
    )


def statements_in_force(
    gov: GovernanceState, record: ProposalRecord, start: SigningStart | None
) -> tuple[SignedStatement, ...]:
    """Return the statements that hold now: a revocation voids one unless devices had rightly begun to sign between.

    `start` is None where no device signed, or one did while something was missing.
    """

    def holds(one: SignedStatement) -> bool:
        revoked = gov.revoked_at.get(one.key)
        return revoked is None or (start is not None and one.seq < start.seq < revoked)

    return tuple(one for one in record.statements if holds(one))


def approvals_in_force(gov: GovernanceState, record: ProposalRecord) -> tuple[SignedStatement, ...]:
    """Return the approvals by keys that no revocation took away, whoever signed before it."""
    return tuple(one for one in statements_in_force(gov, record, None) if one.kind == "approve")


def statements_before(gov: GovernanceState, record: ProposalRecord, seq: int) -> tuple[SignedStatement, ...]:
    """Return the statements that held right before an entry of the journal."""
    return tuple(one for one in record.statements if one.seq < seq and gov.revoked_at.get(one.key, seq) >= seq)


def _own_scripts(state: State, vault: Vault, scripts: set[bytes]) -> set[bytes]:
    counts = {int(one): state.highest[one] + 1 + _SEARCHED for one in Branch if one in vault.descriptor.branches}
    return set(find_script(vault.deriver, scripts, counts=counts))


def _payee(gov: GovernanceState, vault: Vault, address: str, value: Sats) -> PayeeFact:
    covering = [one for one in gov.allowlist.values() if one.entry.covers(address, vault.network)]
    if not covering:
        return PayeeFact(address, value)
    first = min(covering, key=lambda one: (one.usable_from, one.entry.name))
    return PayeeFact(address, value, first.entry.name, first.usable_from)


def _own_outputs(state: State, record: ProposalRecord, own: list[tuple[bytes, str, Sats]]) -> tuple[OwnOutputFact, ...]:
    paying = outputs_paying(state, {script for script, _address, _value in own})
    inputs = set(record.proposal.inputs)
    spent = {one.outpoint for seen in state.transactions.values() for one in seen.inputs} | inputs
    facts = []
    for script, address, value in own:
        # This transaction itself, and what it replaces, pay the address no second time: one of them confirms.
        elsewhere = [
            (outpoint, one)
            for outpoint, one in paying[script]
            if not inputs & {took.outpoint for took in one.made_by.inputs}
        ]
        lies = sum(one.value for outpoint, one in elsewhere if outpoint not in spent)
        comes = sum(other for other_script, _address, other in own if other_script == script)
        facts.append(OwnOutputFact(address, value, was_used=bool(elsewhere), balance_after=sats(lies + comes)))
    return tuple(facts)


def _inputs(state: State, outpoints: Iterable[OutPoint]) -> tuple[InputFact, ...]:
    height = 0 if state.tip is None else state.tip.height
    facts = []
    for outpoint in outpoints:
        own = known_output(state, outpoint)
        deep = 0 if own is None or own.made_by.height is None else max(0, height - own.made_by.height + 1)
        facts.append(
            InputFact(
                outpoint=str(outpoint),
                value=Sats(0) if own is None else own.value,
                confirmations=deep,
                label=None if own is None else coin_label(state, outpoint, own.branch, own.index),
                is_frozen=outpoint in state.frozen,
            )
        )
    return tuple(facts)


def coin_label(state: State, outpoint: OutPoint, branch: int, index: int) -> str | None:
    """Return the coin's own label, else that of its address as it was handed out, else of its transaction."""
    own, of_transaction = state.labels.get(("output", str(outpoint))), state.labels.get(("tx", outpoint.txid))
    if own is not None and own.label:
        return own.label
    if branch == Branch.RECEIVE:
        issued = next((one for one in state.issued if one.index == index), None)
        if issued is not None:
            of_address = state.labels.get(("addr", issued.address))
            if of_address is not None and of_address.label:
                return of_address.label
            if issued.label:
                return issued.label
    return None if of_transaction is None else of_transaction.label


def _spends(state: State, asked: ProposalRecord) -> tuple[SpendRecord, ...]:
    """Return every other proposal that a window may count: approved once, or on the chain without."""
    blocks: dict[OutPoint, list[int]] = {}
    for seen in state.transactions.values():
        if seen.height is not None:
            for one in seen.inputs:
                blocks.setdefault(one.outpoint, []).append(seen.seen_time)
    records, sets = [], _Sets(state, asked)
    for proposal_id, now in proposal_states(state).items():
        record = state.proposals[proposal_id]
        since = _since(state, record)
        if since is None or proposal_id == asked.proposal_id:
            continue
        external = 0 if stays_with_us(replacement_chain(state, record)) else record.proposal.external_total
        records.append(
            SpendRecord(
                group=sets.name_of(record),
                amount=external + record.proposal.fee,
                since=since,
                ended=_ended(state, record, now, blocks),
            )
        )
    return tuple(records)


class _Sets:
    """Names the sets of proposals of which at most one can confirm, so that a window counts the largest alone.

    Replacing is not enough: what `replaces` says is only words. All of a family that count, and the one that
    is asked about, must have a coin in common; else each counts for itself.
    """

    def __init__(self, state: State, asked: ProposalRecord) -> None:
        self._roots: dict[str, str] = {}
        self._common: dict[str, set[OutPoint]] = {}
        for record in (*state.proposals.values(), asked):
            replaces = record.proposal.replaces
            # What a proposal replaces was drafted before it, so that its root is known.
            root = record.proposal_id if replaces is None else self._roots[replaces]
            self._roots[record.proposal_id] = root
            if record.proposal_id == asked.proposal_id or _since(state, record) is not None:
                inputs = set(record.proposal.inputs)
                self._common[root] = self._common.get(root, inputs) & inputs

    def name_of(self, record: ProposalRecord) -> str:
        """Return the set's name: that of its oldest proposal, or the proposal's own where it stands alone."""
        root = self._roots[record.proposal_id]
        return root if self._common[root] else record.proposal_id


def _since(state: State, record: ProposalRecord) -> int | None:
    times = [one.time for one in record.statements if one.kind == "approve"]
    seen = state.transactions.get(record.final_txid)
    if seen is not None:
        times.append(seen.seen_time)
    return min(times, default=None)


def _ended(state: State, record: ProposalRecord, now: ProposalState, blocks: dict[OutPoint, list[int]]) -> int | None:
    """Return when a window begins to let go of a proposal, None while it lives or can still be spent."""
    match now:
        case ProposalState.MINED | ProposalState.CONFIRMED:
            return state.transactions[record.final_txid].seen_time
        case ProposalState.VOID | ProposalState.REPLACED:
            rivals = [time for outpoint in record.proposal.inputs for time in blocks.get(outpoint, ())]
            return max(rivals, default=None)
        case ProposalState.EXPIRED:
            return parse_time(record.proposal.expires)
        case ProposalState.WITHDRAWN | ProposalState.REJECTED:
            return record.ended_time
        case _:
            return None
