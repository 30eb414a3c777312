"""What people decide about coins: freeze, unfreeze, take in, explain an outflow, label.

Each is an entry of its own. A label never decides anything: `spendable` of an imported
BIP 329 record is kept and shown, a coin is frozen by `coins freeze` alone (A116).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.audit.chain_view import outflows, prior_outflows, prior_total, require_unspent
from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Conflict, JsonValue
from custody.spend.labels import LabelRecord, format_labels, parse_labels, require_origin
from custody.workflow.office import Desk, Office


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What `coins accept` explained or took in."""

    outpoints: tuple[OutPoint, ...]
    txids: tuple[str, ...]
    prior_count: int
    prior_sum: Sats


def freeze_coins(desk: Desk, outpoints: Sequence[OutPoint], *, reason: str | None) -> None:
    """Keep coins out of every draft until they are unfrozen.

    Raises:
        Conflict: COIN_UNKNOWN, COIN_SPENT.
    """
    require_unspent(desk.state, outpoints)
    fresh = [outpoint for outpoint in outpoints if outpoint not in desk.state.frozen]
    if fresh:
        desk.record([("coins_frozen", {"outpoints": _texts(fresh), "reason": reason})])


def unfreeze_coins(desk: Desk, outpoints: Sequence[OutPoint], *, reason: str | None) -> None:
    """Let drafts use coins again.

    Raises:
        Conflict: COIN_FROZEN where one is not frozen.
    """
    loose = [outpoint for outpoint in outpoints if outpoint not in desk.state.frozen]
    if loose:
        raise Conflict(
            Code.COIN_FROZEN, f"coin `{loose[0]}` is not frozen", advice="Copy the outpoint from `custody coins list`."
        )
    desk.record([("coins_unfrozen", {"outpoints": _texts(outpoints), "reason": reason})])


def accept_coins(
    desk: Desk, *, outpoints: Sequence[OutPoint], txids: Sequence[str], prior_history: bool, reason: str | None
) -> Acceptance:
    """Take in set-aside coins by name, explain outflows, accept prior history by its count and sum.

    Raises:
        Conflict: COIN_UNKNOWN, COIN_SPENT, NOTHING_TO_DO, TRANSACTION_UNKNOWN.
    """
    require_unspent(desk.state, outpoints)
    known = {one.transaction.txid: one for one in outflows(desk.state)}
    for txid in txids:
        if txid not in known:
            raise Conflict(
                Code.TRANSACTION_UNKNOWN,
                f"`{txid}` is no outflow of this vault",
                advice="Copy the txid from `custody status`.",
            )
        if known[txid].is_explained:
            raise Conflict(Code.NOTHING_TO_DO, f"outflow `{txid}` is explained already", advice="See `custody status`.")
    prior = prior_total(desk.state)
    if prior_history and not prior_outflows(desk.state):
        raise Conflict(Code.NOTHING_TO_DO, "there is no prior history to accept", advice="See `custody status`.")
    accepted: JsonValue = {"count": prior.count, "sum_sats": prior.sum} if prior_history else None
    desk.record(
        [
            (
                "coins_accepted",
                {"outpoints": _texts(outpoints), "txids": [*txids], "prior_history": accepted, "reason": reason},
            )
        ]
    )
    counted = prior if prior_history else None
    return Acceptance(
        tuple(outpoints), tuple(txids), counted.count if counted else 0, counted.sum if counted else Sats(0)
    )


def set_label(desk: Desk, *, kind: str, ref: str, label: str) -> None:
    """Label a transaction, address or output (BIP 329 types)."""
    desk.record([("label_set", _label_body(LabelRecord(kind, ref, label)))])


def import_labels(desk: Desk, data: bytes) -> int:
    """Take in a BIP 329 file; records that name another wallet refuse the whole file. Returns how many are new.

    Raises:
        InvalidInput: LABELS_MALFORMED, VAULT_MISMATCH.
    """
    records = parse_labels(data)
    require_origin(records, desk.vault.descriptor)
    fresh = [one for one in records if desk.state.labels.get((one.type, one.ref)) != one]
    desk.record([("label_set", _label_body(one)) for one in fresh])
    return len(fresh)


def export_labels(office: Office) -> bytes:
    """Return every label as a BIP 329 file, in the order in which they were set."""
    return format_labels(office.state.labels.values())


def _label_body(record: LabelRecord) -> dict[str, JsonValue]:
    return {
        "type": record.type,
        "ref": record.ref,
        "label": record.label,
        "origin": record.origin,
        "spendable": record.spendable,
        "line": record.line,
    }


def _texts(outpoints: Sequence[OutPoint]) -> list[JsonValue]:
    return [str(outpoint) for outpoint in outpoints]
