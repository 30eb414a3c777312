"""Label transactions, addresses and coins; exchange labels with other wallets by BIP 329.

Labels are words for people. An imported `spendable` is kept, shown and written back, and
changes nothing here: only `coins freeze` freezes (A116). A file whose records name another
wallet is refused as a whole.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from custody.audit.state import State
from custody.bitcoin.address import script_of
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput, JsonValue
from custody.spend.labels import LabelRecord, format_labels, parse_labels, require_origin
from custody.workflow.office import Desk, Event

MAX_LABEL_LENGTH = 255
_FORMS = {
    "tx": re.compile(r"[0-9a-f]{64}", re.ASCII),
    "output": re.compile(r"[0-9a-f]{64}:[0-9]{1,10}", re.ASCII),
    "pubkey": re.compile(r"0[23][0-9a-f]{64}", re.ASCII),
}


@dataclass(frozen=True, slots=True)
class ImportedLabels:
    """What an import did."""

    read: int
    changed: int
    spendable_ignored: tuple[str, ...]
    """Refs whose `spendable` was kept without effect."""


def label_thing(desk: Desk, ref: str, text: str) -> LabelRecord:
    """Label a txid, an outpoint, an address or a public key; an empty text takes the words away.

    What a former record held besides its words (`origin`, `spendable`) stays.

    Raises:
        InvalidInput: LABELS_MALFORMED.
    """
    if len(text) > MAX_LABEL_LENGTH:
        raise _malformed(f"the label has {len(text)} characters, at most {MAX_LABEL_LENGTH} are kept")
    kind = _kind_of(ref, desk.vault.network)
    before = desk.state.labels.get((kind, ref))
    record = LabelRecord(
        kind,
        ref,
        text or None,
        origin=None if before is None else before.origin,
        spendable=None if before is None else before.spendable,
    )
    desk.record([_event(record)])
    return record


def import_labels(desk: Desk, data: bytes) -> ImportedLabels:
    """Take the records of a BIP 329 file into the journal; what is there already is not written again.

    Raises:
        InvalidInput: LABELS_MALFORMED. CheckFailed: VAULT_MISMATCH, a record of another wallet.
    """
    records = parse_labels(data)
    require_origin(records, desk.vault.descriptor)
    fresh = {(one.type, one.ref): one for one in records if desk.state.labels.get((one.type, one.ref)) != one}
    desk.record([_event(record) for record in fresh.values()])
    ignored = tuple(dict.fromkeys(one.ref for one in records if one.spendable is not None))
    return ImportedLabels(len(records), len(fresh), ignored)


def export_labels(state: State) -> bytes:
    """Return all labels as a BIP 329 file, those given with `address next --label` among them."""
    given: Sequence[LabelRecord] = [
        LabelRecord("addr", one.address, one.label)
        for one in state.issued
        if one.label is not None and ("addr", one.address) not in state.labels
    ]
    return format_labels([*state.labels.values(), *given])


def _event(record: LabelRecord) -> Event:
    body: dict[str, JsonValue] = {
        "type": record.type,
        "ref": record.ref,
        "label": record.label,
        "origin": record.origin,
        "spendable": record.spendable,
    }
    return "label_set", body if record.line is None else {**body, "line": record.line}


def _kind_of(ref: str, network: Network) -> str:
    for kind, form in _FORMS.items():
        if form.fullmatch(ref):
            return kind
    try:
        script_of(ref, network)
    except CustodyError as error:
        raise _malformed("the ref is no txid, outpoint, public key, or address of this network") from error
    return "addr"


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(
        Code.LABELS_MALFORMED, message, advice="Name what is labelled by a TXID, TXID:VOUT, address or public key."
    )
