"""What came in and what went out in a period, and who drafted, approved and signed each payment.

Amounts are those of the history's rows. Who approved is told only of statements whose signature the fold
verified when it replayed the journal; who signed, only of signatures that are verified here, on the scripts
that the vault derives and the amounts of whole previous transactions. Labels, payees and reasons are words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from custody.audit.chain_view import outflows
from custody.audit.history import HistoryRow, RowKind
from custody.audit.signing_start import signing_start, spend_script_of
from custody.audit.spend_facts import statements_in_force
from custody.audit.state import ProposalRecord, SeenTransaction, State
from custody.bitcoin.psbt import PartialSignature
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import judge_input
from custody.spend.progress import SigningProgress
from custody.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class InflowGroup:
    """What came in under one label."""

    label: str | None
    """Somebody's word of who paid; None where nothing was written."""
    mined: int
    """Satoshis of coinbase outputs."""
    received: int
    """Satoshis of all others."""
    count: int
    """Outputs."""

    @property
    def value(self) -> int:
        """All of it, in satoshis."""
        return self.mined + self.received


@dataclass(frozen=True, slots=True)
class Approver:
    """An officer's signed word about a proposal, verified when the journal was replayed."""

    officer: str
    roles: tuple[str, ...]
    time: int
    """The chain's median time at that entry, Unix seconds."""
    counts: bool
    """False where the officer's key was revoked before a device had signed."""


@dataclass(frozen=True, slots=True)
class People:
    """Who stands behind a payment."""

    drafted_by: str | None
    """The drafter who signed it as theirs; None where nobody did."""
    said_drafter: str | None
    """The drafter that the proposal names without a signature: a claim."""
    approvers: tuple[Approver, ...]
    signing: SigningProgress
    """Cosigners whose signatures were verified now."""


@dataclass(frozen=True, slots=True)
class ReportedOutflow:
    """One transaction that spent coins of the vault."""

    transaction: SeenTransaction
    rows: tuple[HistoryRow, ...]
    """Its payments out, or its one net row."""
    change: int
    """What came back, in satoshis."""
    fee: int
    """0 where it can't be told (`net`)."""
    proposal: ProposalRecord | None
    people: People | None
    is_accepted: bool
    """Whether a person accepted it without a proposal, or it belongs to an accepted prior history."""
    is_unapproved: bool = False
    """Whether its proposal never had what its policy asks for."""

    @property
    def is_explained(self) -> bool:
        """Whether a proposal that had its approvals, or a person, explains it."""
        return self.is_accepted or (self.proposal is not None and not self.is_unapproved)

    @property
    def paid(self) -> int:
        """What left the vault besides the fee, in satoshis."""
        return -sum(row.amount for row in self.rows)


def inflow_groups(rows: Iterable[HistoryRow]) -> tuple[InflowGroup, ...]:
    """Return what came in by label, the largest first."""
    groups: dict[str | None, InflowGroup] = {}
    for row in rows:
        if row.kind in (RowKind.MINED, RowKind.RECEIVED):
            old = groups.get(row.label, InflowGroup(row.label, 0, 0, 0))
            mined = row.amount if row.kind is RowKind.MINED else 0
            groups[row.label] = InflowGroup(
                row.label, old.mined + mined, old.received + row.amount - mined, old.count + 1
            )
    return tuple(sorted(groups.values(), key=lambda one: (-one.value, one.label or "")))


def reported_outflows(
    state: State, vault: Vault, rows: Sequence[HistoryRow], unapproved: frozenset[str]
) -> tuple[ReportedOutflow, ...]:
    """Return the transactions of these rows that spent our coins, in their order.

    `unapproved` are the txids of those whose proposal never had what its policy asks for.
    """
    accepted = {one.transaction.txid for one in outflows(state) if one.is_accepted}
    by_txid: dict[str, list[HistoryRow]] = {}
    for row in rows:
        if row.transaction.is_outflow:
            by_txid.setdefault(row.transaction.txid, []).append(row)
    return tuple(
        replace(_outflow(state, vault, here, accepted), is_unapproved=txid in unapproved)
        for txid, here in by_txid.items()
    )


def verified_signing(vault: Vault, record: ProposalRecord) -> SigningProgress:
    """Return which cosigners' recorded signatures, and those of the recorded final transaction, are valid now."""
    hasher = SegwitV0Hasher(record.proposal.unsigned_transaction)
    final = record.final if record.final is not None and record.final.txid == record.final_txid else None
    per_input: list[tuple[str, ...]] = []
    for number, psbt_input in enumerate(record.psbt.inputs):
        script = spend_script_of(vault, record, number)
        if script is None:
            per_input.append(())
            continue
        recorded = tuple(
            PartialSignature(one.public_key, one.signature) for one in record.signatures if one.input_index == number
        )
        bare = replace(
            psbt_input,
            partial_signatures=recorded,
            final_script_sig=None if final is None else final.inputs[number].script_sig,
            final_script_witness=None if final is None else final.inputs[number].witness,
        )
        valid = set(judge_input(bare, number, script, hasher).valid)
        keys = vault.deriver.at(*psbt_input.derivations[0].origin.path[-2:]).key_by_cosigner
        per_input.append(
            tuple(one.name for one, key in zip(vault.cosigners, keys, strict=True) if key in valid),
        )
    return SigningProgress.count(vault.threshold, [one.name for one in vault.cosigners], per_input)


def _outflow(state: State, vault: Vault, rows: list[HistoryRow], accepted: set[str]) -> ReportedOutflow:
    record = rows[0].proposal
    transaction = rows[0].transaction
    return ReportedOutflow(
        transaction=transaction,
        rows=tuple(row for row in rows if row.kind in (RowKind.PAID, RowKind.NET)),
        change=sum(row.value for row in rows if row.kind is RowKind.CHANGE),
        fee=sum(row.value for row in rows if row.kind is RowKind.FEE),
        proposal=record,
        people=None if record is None else _people(state, vault, record),
        is_accepted=transaction.txid in accepted,
    )


def _people(state: State, vault: Vault, record: ProposalRecord) -> People:
    holding = {one.seq for one in statements_in_force(state.governance, record, signing_start(vault, record))}
    return People(
        drafted_by=record.proposed_by,
        said_drafter=record.proposal.drafter,
        approvers=tuple(
            Approver(one.officer, tuple(sorted(one.roles)), one.time, one.seq in holding)
            for one in record.statements
            if one.kind == "approve"
        ),
        signing=verified_signing(vault, record),
    )
