"""The vault's history for an accountant: one row per output, the fee apart, summing to the balance.

Only what is in blocks is told: the amounts of all rows add up to what the vault holds there.
Who was paid, why, and who approved is taken from the proposal whose transaction it is, and
from names in force now; these are words of ours, and no row's amount rests on one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from custody.audit.journal_fields import altered
from custody.audit.state import ProposalRecord, SeenOutput, SeenTransaction, State
from custody.bitcoin.address import address_of
from custody.bitcoin.descriptor import Branch
from custody.vault.vault import Vault


class RowKind(StrEnum):
    """What a row is about."""

    MINED = "mined"
    RECEIVED = "received"
    PAID = "paid"
    """An output that left the vault."""
    CHANGE = "change"
    """An output that came back, on either branch: it changes nothing."""
    FEE = "fee"
    NET = "net"
    """All of a transaction that spends coins of others too: whose money an output is can't be told."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One output, one fee, or one transaction's net."""

    transaction: SeenTransaction
    kind: RowKind
    vout: int | None
    address: str | None
    """None without an output; the script in hex where it has no address."""
    place: tuple[int, int] | None
    value: int
    """Of the output or the fee itself, satoshis."""
    amount: int
    """What it does to the balance, satoshis; negative where money leaves."""
    balance: int = 0
    """After this row, satoshis."""
    proposal: ProposalRecord | None = None
    payee: str | None = None
    label: str | None = None

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Officers who signed an approval of the proposal."""
        if self.proposal is None:
            return ()
        return tuple(dict.fromkeys(one.officer for one in self.proposal.statements if one.kind == "approve"))

    @property
    def branch(self) -> str | None:
        """Name of the branch of an output of ours."""
        return None if self.place is None else Branch(self.place[0]).label


def history_of_coins(state: State) -> tuple[HistoryRow, ...]:
    """Return the rows of all transactions in blocks, oldest first, each with the balance after it."""
    proposals = {record.final_txid: record for record in state.proposals.values()}
    words = _Words.of(state)
    rows: list[HistoryRow] = []
    balance = 0
    for seen in _in_order(state):
        proposal = proposals.get(seen.txid)
        for row in _rows_of(words, seen, proposal):
            balance += row.amount
            rows.append(replace(row, balance=balance, proposal=proposal))
    return tuple(rows)


def require_derived(rows: Iterable[HistoryRow], vault: Vault) -> None:
    """Demand that every output which the rows call ours is the one that the vault derives at its place.

    Raises:
        Altered: JOURNAL_ALTERED.
    """
    deriver = vault.deriver
    for row in rows:
        if row.place is not None and row.vout is not None:
            script = row.transaction.outputs[row.vout].script_pubkey
            if deriver.at(*row.place).script_pubkey != script:
                raise altered(f"output {row.transaction.txid}:{row.vout} is not one of the vault")


def _in_order(state: State) -> Sequence[SeenTransaction]:
    """Return the transactions by height; in one block, each after those of it whose outputs it spends."""
    waiting = sorted(
        (seen for seen in state.transactions.values() if seen.height is not None),
        key=lambda seen: (seen.height or 0, seen.txid),
    )
    by_txid = {seen.txid: seen for seen in waiting}
    ordered: dict[str, SeenTransaction] = {}
    stack = waiting[::-1]
    while stack:
        seen = stack.pop()
        if seen.txid in ordered:
            continue
        parents = [by_txid[one.outpoint.txid] for one in seen.inputs if one.outpoint.txid in by_txid]
        behind = [parent for parent in parents if parent.txid not in ordered]
        if behind:
            stack += [seen, *behind]
        else:
            ordered[seen.txid] = seen
    return tuple(ordered.values())


@dataclass(frozen=True, slots=True)
class _Words:
    """What people wrote of addresses and outputs, indexed once."""

    state: State
    issued: Mapping[str, str | None]
    """Label of each address that was handed out."""

    @classmethod
    def of(cls, state: State) -> "_Words":
        """Index what the state has; of an address handed out twice the first label counts."""
        return cls(state, {one.address: one.label for one in reversed(state.issued)})

    def payee(self, address: str | None) -> str | None:
        """Return the name on the allowlist in force that an address belongs to."""
        if address is None:
            return None
        entries = (one.entry for one in self.state.governance.allowlist.values())
        return next((entry.name for entry in entries if entry.covers(address, self.state.network)), None)

    def of_output(self, txid: str, vout: int, address: str | None) -> str | None:
        """Return the output's own label, else its address's, else the transaction's."""
        of_address = None if address is None else self._label("addr", address) or self.issued.get(address)
        return self._label("output", f"{txid}:{vout}") or of_address or self.of_transaction(txid)

    def of_transaction(self, txid: str) -> str | None:
        """Return the transaction's own label."""
        return self._label("tx", txid)

    def _label(self, kind: str, ref: str) -> str | None:
        record = self.state.labels.get((kind, ref))
        return None if record is None else record.label


def _rows_of(words: _Words, seen: SeenTransaction, proposal: ProposalRecord | None) -> Iterator[HistoryRow]:
    spent = sum(one.value for one in seen.inputs)
    if not seen.inputs:
        kind = RowKind.MINED if seen.is_coinbase else RowKind.RECEIVED
        for vout, output in enumerate(seen.outputs):
            if output.place is not None:
                yield _row(words, seen, kind, vout, output, amount=output.value)
        return
    fee = spent - sum(output.value for output in seen.outputs)
    if proposal is None and seen.fee != fee:
        own = sum(output.value for output in seen.outputs if output.place is not None)
        label = words.of_transaction(seen.txid)
        yield HistoryRow(seen, RowKind.NET, None, None, None, abs(own - spent), own - spent, label=label)
        return
    for vout, output in enumerate(seen.outputs):
        if output.place is None:
            yield _row(words, seen, RowKind.PAID, vout, output, amount=-output.value)
        else:
            yield _row(words, seen, RowKind.CHANGE, vout, output, amount=0)
    yield HistoryRow(seen, RowKind.FEE, None, None, None, fee, -fee)


def _row(
    words: _Words, seen: SeenTransaction, kind: RowKind, vout: int, output: SeenOutput, *, amount: int
) -> HistoryRow:
    address = address_of(output.script_pubkey, words.state.network)
    label = words.of_output(seen.txid, vout, address)
    payee = words.payee(address) if output.place is None else None
    shown = output.script_pubkey.hex() if address is None else address
    return HistoryRow(seen, kind, vout, shown, output.place, output.value, amount, payee=payee, label=label)
