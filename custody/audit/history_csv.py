"""The history as CSV (RFC 4180): whole satoshis, times in UTC, no text that a spreadsheet would run."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO

from custody.audit.history import HistoryRow
from custody.documents.display import csv_cell
from custody.spend.expiry import format_time

COLUMNS = (
    "time",
    "height",
    "block_hash",
    "txid",
    "kind",
    "vout",
    "address",
    "branch",
    "index",
    "value_sats",
    "amount_sats",
    "balance_sats",
    "payee",
    "reason",
    "proposal_id",
    "approved_by",
    "label",
)


@dataclass(frozen=True, slots=True)
class MoreColumns:
    """Columns of a caller's own, after those of the history."""

    names: tuple[str, ...] = ()
    cells: Callable[[HistoryRow], tuple[object, ...]] = lambda _row: ()
    """Of one row, in the order of the names; text is made safe by the caller."""


def history_csv(rows: Sequence[HistoryRow], more: MoreColumns | None = None) -> bytes:
    """Return the rows with a head line, in UTF-8; columns as `docs/formats/transactions.md` explains them."""
    more = more or MoreColumns()
    text = StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow((*COLUMNS, *more.names))
    writer.writerows((*_cells(row), *more.cells(row)) for row in rows)
    return text.getvalue().encode()


def _cells(row: HistoryRow) -> tuple[object, ...]:
    seen, proposal = row.transaction, row.proposal
    return (
        format_time(seen.seen_time),
        seen.height,
        seen.block_hash,
        seen.txid,
        str(row.kind),
        row.vout,
        csv_cell(row.address or ""),
        row.branch,
        None if row.place is None else row.place[1],
        row.value,
        row.amount,
        row.balance,
        csv_cell(row.payee or ""),
        csv_cell("" if proposal is None else proposal.proposal.reason or ""),
        None if proposal is None else proposal.proposal_id,
        csv_cell(", ".join(row.approved_by)),
        csv_cell(row.label or ""),
    )
