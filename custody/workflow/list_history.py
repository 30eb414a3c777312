"""The vault's history from the journal alone, every output of ours derived again. No node is asked."""

from dataclasses import dataclass

from custody.audit.chain_view import balance
from custody.audit.history import HistoryRow, history_of_coins, require_derived
from custody.audit.history_csv import history_csv
from custody.audit.history_json import row_json
from custody.audit.state import SeenTip
from custody.bitcoin.amount import Sats
from custody.codes import Code
from custody.errors import ChainUnavailable, JsonValue
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
            "rows": [row_json(row) for row in self.rows],
        }


def list_history(office: Office) -> History:
    """Return the history at the last observation.

    Raises:
        Altered: the journal claims an output as ours that the vault does not derive.
    """
    state = office.state
    rows = history_of_coins(state)
    require_derived(rows, office.vault)
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
