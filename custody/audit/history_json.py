"""A row of the history as every JSON answer shows it."""

from custody.audit.history import HistoryRow
from custody.errors import JsonValue
from custody.spend.expiry import format_time


def row_json(row: HistoryRow) -> dict[str, JsonValue]:
    """Return the keys of `coins history`."""
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
