"""A long journal as an office would write it in years: addresses, labels, observations, payments.

Everything passes the fold. Addresses and scripts are made up (not derived from the vault) and the
payments share one PSBT under their own ids, since building each would take minutes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from custody.audit.journal import GENESIS_PREV, Entry, EntryTip
from custody.bitcoin.address import address_of
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.errors import JsonValue
from custody.spend.proposal import Proposal
from support.ledger import OUTSIDE, START_MTP, Ledger, block_hash, nonce
from support.vaults import make_vault

Event = tuple[str, dict[str, JsonValue]]

PAYMENT_LENGTH = 8
CYCLE = 100
"""One payment (eight entries) in so many entries; of the others two in five hand out an address, two in five
label something, one in five observes the chain."""

_START = 1_790_000_000
_STEP_S = 900
_ENTRIES_A_BLOCK = 2


@dataclass(frozen=True, slots=True)
class _Template:
    """One payment that was really drafted; its copies differ in their nonce."""

    ledger: Ledger
    bodies: tuple[Event, ...]


def long_journal(count: int) -> Iterator[Entry]:
    """Yield `count` entries, chained from the adoption on."""
    previous, tip = None, None
    for seq, (kind, body) in enumerate(islice(_events(), count)):
        previous = Entry.make(
            journal_id="5f" * 16,
            seq=seq,
            time=datetime.fromtimestamp(_START + seq * _STEP_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            tip=tip,
            actor="ann",
            kind=kind,
            body=body,
            request_id=nonce(seq),
            prev=GENESIS_PREV if previous is None else previous.hash,
        )
        yield previous
        if kind == "chain_observed":
            tip = _tip(seq)


def _tip(seq: int) -> EntryTip:
    height = 200 + seq // _ENTRIES_A_BLOCK
    return EntryTip(height, block_hash(height), START_MTP + height * 600)


def _events() -> Iterator[Event]:
    template = _payment_template()
    first = template.ledger.entries[0]
    yield first.kind, first.body
    makers: tuple[Callable[[int, int], Event], ...] = (_issued, _labelled, _issued, _observed, _labelled)
    seq, issued = 1, 0
    while True:
        if seq % CYCLE < PAYMENT_LENGTH and seq > PAYMENT_LENGTH:
            yield from _payment(template, seq)
            seq += PAYMENT_LENGTH
        else:
            kind, body = makers[seq % len(makers)](seq, issued)
            yield kind, body
            seq += 1
            issued += kind == "address_issued"


def _issued(seq: int, issued: int) -> Event:
    address = _address(seq)
    return "address_issued", {"branch": "receive", "index": issued, "address": address, "label": f"invoice {seq}"}


def _labelled(seq: int, _issued: int) -> Event:
    ref = f"{_txid(seq)}:0"
    return "label_set", {
        "type": "output",
        "ref": ref,
        "label": f"Überweisung {seq}",
        "origin": None,
        "spendable": None,
    }


def _observed(seq: int, issued: int) -> Event:
    return "chain_observed", {
        "tip": _tip(seq).to_document(),
        "complete": True,
        "compared_with_utxo_set": seq < CYCLE,
        "incomplete": [],
        "scanned": {"receive": 1000, "change": 1000},
        "transactions": [_row(seq, issued - 1)],
        "vanished_blocks": [],
        "gone": [],
    }


def _row(seq: int, index: int) -> JsonValue:
    tip = _tip(seq)
    outputs: list[JsonValue] = [
        {
            "vout": vout,
            "value_sats": 1_000_000 + seq,
            "script_pubkey": _script(seq + vout).hex(),
            "branch": 0 if vout == 0 else None,
            "index": index if vout == 0 else None,
        }
        for vout in (0, 1)
    ]
    return {
        "txid": _txid(seq),
        "block_hash": tip.block_hash,
        "height": tip.height,
        "fee_sats": None,
        "coinbase": False,
        "inputs": [],
        "outputs": outputs,
    }


def _payment(template: _Template, seq: int) -> Iterator[Event]:
    """Yield the payment's entries under an id of its own."""
    drafted = template.bodies[0][1]
    proposal = replace(Proposal.from_document(drafted["proposal"]), nonce=nonce(seq))
    for kind, body in template.bodies:
        own = {**body, "proposal_id": proposal.proposal_id}
        yield kind, {**own, "proposal": proposal.to_document()} if kind == "proposal_drafted" else own


def _payment_template() -> _Template:
    ledger = Ledger(make_vault())
    ledger.receive(5_000_000)
    before = len(ledger.entries)
    drafted = ledger.draft((OUTSIDE, 1_000_000))
    paid = ledger.propose(drafted)
    ledger.add("warnings_acknowledged", {"proposal_id": paid, "step": "sign", "items": ["FEE_HIGH@tx"]})
    ledger.sign(paid, 0)
    ledger.sign(paid, 2)
    final = ledger.finalize(paid)
    ledger.broadcast(paid, final)
    ledger.add("proposal_left", {"proposal_id": paid, "how": "export"})
    bodies = tuple((entry.kind, entry.body) for entry in ledger.entries[before:])
    assert len(bodies) == PAYMENT_LENGTH
    return _Template(ledger, bodies)


def _txid(seq: int) -> str:
    return sha256(f"transaction {seq}".encode()).hex()


def _script(seq: int) -> bytes:
    return b"\x00\x20" + sha256(f"script {seq}".encode())


def _address(seq: int) -> str:
    address = address_of(_script(seq), Network.REGTEST)
    assert address is not None
    return address
