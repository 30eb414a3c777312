"""Fold journal entries into a `State`: the only way in which state comes about.

A kind that this version does not know is UPGRADE_NEEDED on an intact journal; a body that
could not have been written here, or that contradicts what stands before it, is
JOURNAL_ALTERED. The chain between entries is checked elsewhere (`journal.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from custody.audit.fold_chain import apply_observation
from custody.audit.fold_proposals import PROPOSAL_KINDS, apply_proposal_event
from custody.audit.journal import Entry
from custody.audit.journal_fields import altered
from custody.audit.state import IssuedAddress, PriorHistory, State
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput, JsonValue, UpgradeNeeded
from custody.spend.document import (
    boolean_of,
    fields_of,
    hash_of,
    integer_of,
    list_of,
    optional_of,
    outpoint_of,
    sats_of,
    text_of,
)
from custody.spend.labels import LabelRecord

ADOPTED = "vault_adopted"

Step = Callable[[State, Entry], State]


def fold(entries: Sequence[Entry]) -> State:
    """Return the state after `entries`, the first of which adopts the vault.

    Raises:
        Altered: JOURNAL_ALTERED with the entry's position.
        UpgradeNeeded: an entry of an unknown kind.
    """
    if not entries:
        raise altered("the journal is empty: it adopts no vault")
    state = _within(entries[0], lambda: _adopted(entries[0]))
    for entry in entries[1:]:
        state = apply_entry(state, entry)
    return state


def apply_entry(state: State, entry: Entry) -> State:
    """Return the state after one more entry."""
    if entry.kind in PROPOSAL_KINDS:
        return _within(entry, lambda: apply_proposal_event(state, entry))
    step = _STEPS.get(entry.kind)
    if step is None:
        raise UpgradeNeeded(
            Code.UPGRADE_NEEDED,
            f"entry:{entry.seq}: this version does not know the kind `{entry.kind}`",
            advice="Use a newer version of this program; the journal itself is intact.",
            details={"seq": entry.seq, "kind": entry.kind},
        )
    return _within(entry, lambda: step(state, entry))


def _within(entry: Entry, work: Callable[[], State]) -> State:
    """Run one step; whatever is wrong in a body becomes JOURNAL_ALTERED with its position."""
    try:
        return work()
    except UpgradeNeeded:
        raise
    except InvalidInput as error:
        raise altered(f"entry:{entry.seq}: {error.message}", seq=entry.seq) from error
    except CustodyError as error:
        raise altered(f"entry:{entry.seq}: {error.message}", seq=entry.seq) from error


def _adopted(entry: Entry) -> State:
    if entry.kind != ADOPTED:
        raise altered(f"entry:{entry.seq}: the first entry adopts no vault")
    body = fields_of(entry.body, "the body", ("document", "vault_id", "ungoverned"))
    document = body["document"]
    if not isinstance(document, dict):
        raise altered(f"entry:{entry.seq}: the vault document is no object")
    return State(
        vault_document=document,
        vault_id=hash_of(body["vault_id"], "vault_id"),
        network=Network(text_of(document.get("network"), "network")),
        ungoverned=boolean_of(body["ungoverned"], "ungoverned"),
    )


def _adopted_again(state: State, entry: Entry) -> State:
    raise altered(f"entry:{entry.seq}: a second vault is adopted after `{state.vault_id}`")


def _issued(state: State, entry: Entry) -> State:
    body = fields_of(entry.body, "the body", ("branch", "index", "address", "label"))
    issued = IssuedAddress(
        index=integer_of(body["index"], "index"),
        address=text_of(body["address"], "address"),
        label=optional_of(text_of, body["label"], "label"),
        seq=entry.seq,
    )
    if body["branch"] != "receive" or any(known.index == issued.index for known in state.issued):
        raise altered(f"entry:{entry.seq}: the address at index {issued.index} was handed out before")
    return replace(state, issued=(*state.issued, issued))


def _labelled(state: State, entry: Entry) -> State:
    body = fields_of(entry.body, "the body", ("type", "ref", "label", "origin", "spendable"), ("line",))
    record = LabelRecord(
        type=text_of(body["type"], "type"),
        ref=text_of(body["ref"], "ref"),
        label=optional_of(text_of, body["label"], "label"),
        origin=optional_of(text_of, body["origin"], "origin"),
        spendable=optional_of(boolean_of, body["spendable"], "spendable"),
        line=optional_of(text_of, body.get("line"), "line"),
    )
    return replace(state, labels={**state.labels, (record.type, record.ref): record})


def _frozen(state: State, entry: Entry) -> State:
    return replace(state, frozen=state.frozen | _outpoints(entry))


def _unfrozen(state: State, entry: Entry) -> State:
    return replace(state, frozen=state.frozen - _outpoints(entry))


def _outpoints(entry: Entry) -> frozenset[OutPoint]:
    body = fields_of(entry.body, "the body", ("outpoints", "reason"))
    optional_of(text_of, body["reason"], "reason")
    return frozenset(list_of(outpoint_of, body["outpoints"], "outpoints"))


def _accepted(state: State, entry: Entry) -> State:
    body = fields_of(entry.body, "the body", ("outpoints", "txids", "prior_history", "reason"))
    prior = optional_of(_prior_of, body["prior_history"], "prior_history")
    return replace(
        state,
        taken_in=state.taken_in | frozenset(list_of(outpoint_of, body["outpoints"], "outpoints")),
        explained=state.explained | frozenset(list_of(hash_of, body["txids"], "txids")),
        prior_history=prior or state.prior_history,
    )


def _prior_of(value: JsonValue, what: str) -> PriorHistory:
    found = fields_of(value, what, ("count", "sum_sats"))
    return PriorHistory(integer_of(found["count"], "count"), sats_of(found["sum_sats"], "sum_sats"))


_STEPS: dict[str, Step] = {
    ADOPTED: _adopted_again,
    "address_issued": _issued,
    "label_set": _labelled,
    "coins_frozen": _frozen,
    "coins_unfrozen": _unfrozen,
    "coins_accepted": _accepted,
    "chain_observed": apply_observation,
}
