"""The vault's history from the journal alone, every output of ours derived again. No node is asked."""

from dataclasses import dataclass

from custody.audit.chain_view import balance
from custody.audit.history import HistoryRow, history_of_coins
from custody.audit.history_csv import history_csv
from custody.audit.journal_fields import altered
from custody.audit.state import SeenTip
from custody.bitcoin.amount import Sats
from custody.codes import Code
from custody.errors import ChainUnavailable, JsonValue
from custody.spend.expiry import format_time
from custody.workflow.list_coins import why_incomplete
from custody.workflow.office import Office


@dataclass(frozen=True, slots=True)
class History:
    """Every change of the balance up to the last observation."""

    tip: SeenTip | None
    incomplete: tuple[str, ...]
    """Why this is not the whole truth; empty when it is."""
    balance: Sats
    """What the vault holds in blocks, summed from its coins: the rows add up to it."""
    unconfirmed: int
    """Transactions in no block: they have no row."""
    rows: tuple[HistoryRow, ...]

    @property
    def is_complete(self) -> bool:
        """Whether the rows may be relied on."""
        return not self.incomplete

    def to_csv(self) -> bytes:
        """Return the rows as a file.

        Raises:
            ChainUnavailable: SYNC_INCOMPLETE; a file has no place to say that something is missing.
        """
        if self.incomplete:
            raise ChainUnavailable(
                Code.SYNC_INCOMPLETE,
                f"the history is not known whole: {self.incomplete[0]}",
                advice="Run `custody coins sync`, then write it again.",
            )
        return history_csv(self.rows)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the answer of `coins history`."""
        return {
            "height": None if self.tip is None else self.tip.height,
            "block_hash": None if self.tip is None else self.tip.block_hash,
            "complete": self.is_complete,
            "incomplete": [*self.incomplete],
            "balance_sats": self.balance,
            "unconfirmed": self.unconfirmed,
            "rows": [_row_json(row) for row in self.rows],
        }


def list_history(office: Office) -> History:
    """Return the history at the last observation.

    Raises:
        Altered: the journal claims an output as ours that the vault does not derive.
    """
    state, deriver = office.state, office.vault.deriver
    rows = history_of_coins(state)
    for row in rows:
        if row.place is not None and row.vout is not None:
            script = row.transaction.outputs[row.vout].script_pubkey
            if deriver.at(*row.place).script_pubkey != script:
                raise altered(f"output {row.transaction.txid}:{row.vout} is not one of the vault")
    held = balance(state).total
    told = rows[-1].balance if rows else 0
    differs = () if told == held else (f"the history adds up to {told} sat and the coins to {held} sat",)
    return History(
        tip=state.tip,
        incomplete=(*why_incomplete(state), *differs),
        balance=held,
        unconfirmed=sum(seen.height is None for seen in state.transactions.values()),
        rows=rows,
    )


def _row_json(row: HistoryRow) -> dict[str, JsonValue]:
    seen, proposal = row.transaction, row.proposal
    return {
        "time": format_time(seen.seen_time),
        "height": seen.height,
        "block_hash": seen.block_hash,
        "txid": seen.txid,
        "kind": str(row.kind),
        "vout": row.vout,
        "address": row.address,
        "branch": row.branch,
        "index": None if row.place is None else row.place[1],
        "value_sats": row.value,
        "amount_sats": row.amount,
        "balance_sats": row.balance,
        "payee": row.payee,
        "reason": None if proposal is None else proposal.proposal.reason,
        "proposal_id": None if proposal is None else proposal.proposal_id,
        "approved_by": [*row.approved_by],
        "label": row.label,
    }
