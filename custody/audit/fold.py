"""Fold journal entries into a `State`: the only way in which state comes about.

A kind that this version does not know is UPGRADE_NEEDED on an intact journal; a body that
could not have been written here, or that contradicts what stands before it, is
JOURNAL_ALTERED. The chain between entries is checked elsewhere (`journal.py`), signatures
and scripts by whoever relies on them.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from custody.audit.chain_view import prior_total
from custody.audit.fold_chain import apply_observation
from custody.audit.fold_governance import CHANGE_SIGNED, GOVERNANCE_KINDS, advance, apply_governance, disregard
from custody.audit.fold_proposals import PROPOSAL_KINDS, apply_proposal_event
from custody.audit.fold_receive import RECEIVE_KINDS, apply_receive_event
from custody.audit.fold_reserves import ATTESTED, apply_attested
from custody.audit.governance import ChangeRecord, ChangeStatus
from custody.audit.journal import Entry
from custody.audit.journal_fields import altered
from custody.audit.signers import SIGNER_KINDS, apply_signer_event
from custody.audit.state import IssuedAddress, LostJournal, PriorHistory, State
from custody.audit.state_builder import StateBuilder
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import Altered, CustodyError, JsonValue, UpgradeNeeded
from custody.spend.document import (
    boolean_of,
    fields_of,
    hash_of,
    integer_of,
    list_of,
    malformed,
    optional_of,
    outpoint_of,
    sats_of,
    text_of,
)
from custody.spend.labels import LabelRecord
from custody.vault.vault import Vault

ADOPTED = "vault_adopted"
RESTORED = "vault_restored"

Step = Callable[[StateBuilder, Entry], None]


def fold(entries: Iterable[Entry]) -> State:
    """Return the state after `entries`, the first of which adopts the vault; each is asked for once and not kept.

    Raises:
        Altered: JOURNAL_ALTERED with the entry's position.
        UpgradeNeeded: an entry of an unknown kind.
    """
    replay = Replay()
    for entry in entries:
        replay.apply(entry)
    return replay.state


def fold_more(state: State, entries: Iterable[Entry]) -> State:
    """Return the state after further entries; `state` stays as it is. Raises as `fold`."""
    replay = Replay(StateBuilder.of(state))
    for entry in entries:
        replay.apply(entry)
    return replay.state


class Replay:
    """A fold that goes entry by entry, for whoever looks at the state between two of them."""

    def __init__(self, builder: StateBuilder | None = None) -> None:
        self._builder = builder

    @property
    def has_begun(self) -> bool:
        """Whether a vault is adopted."""
        return self._builder is not None

    @property
    def builder(self) -> StateBuilder:
        """The state while it is being folded: to look at, between two entries.

        Raises:
            Altered: no entry adopted a vault yet.
        """
        if self._builder is None:
            raise altered("the journal is empty: it adopts no vault")
        return self._builder

    @property
    def state(self) -> State:
        """The state so far. Raises as `builder`."""
        return self.builder.freeze()

    def apply(self, entry: Entry) -> None:
        """Apply the next entry.

        Where it raises, the entry counts for nothing but the chain's time that it saw: an auditor goes on from there.

        Raises:
            Altered: JOURNAL_ALTERED with the entry's position. UpgradeNeeded: its kind is unknown.
        """
        if self._builder is None:
            with _within(entry):
                self._builder = _adopted(entry)
            return
        step = _step_of(entry.kind)
        if step is None:
            raise _unknown_kind(entry)
        with _within(entry):
            if entry.tip is not None:
                governance = advance(self._builder.governance, entry.tip.median_time_past, entry.seq)
                self._builder.governance = governance
            step(self._builder, entry)
        self._builder.head_seq = entry.seq


def _step_of(kind: str) -> Step | None:
    if kind in PROPOSAL_KINDS:
        return apply_proposal_event
    if kind in SIGNER_KINDS:
        return _signer_told
    if kind in RECEIVE_KINDS:
        return apply_receive_event
    return _governed if kind in GOVERNANCE_KINDS else _STEPS.get(kind)


def _signer_told(state: StateBuilder, entry: Entry) -> None:
    state.signers = apply_signer_event(state.signers, entry, state.cosigner_names)


def _governed(state: StateBuilder, entry: Entry) -> None:
    before = state.governance.changes
    state.governance = apply_governance(state.governance, entry, state.vault_facts)
    if entry.kind == CHANGE_SIGNED:
        state.frozen -= {
            outpoint
            for change_id, record in state.governance.changes.items()
            if _came_into_force(record, before.get(change_id))
            for outpoint in record.change.payload.outpoints
        }


def _came_into_force(record: ChangeRecord, before: ChangeRecord | None) -> bool:
    was_in_force = before is not None and before.status is ChangeStatus.IN_FORCE
    return record.status is ChangeStatus.IN_FORCE and not was_in_force


@contextmanager
def _within(entry: Entry) -> Iterator[None]:
    """Whatever is wrong in a body becomes JOURNAL_ALTERED with the entry's position."""
    try:
        yield
    except UpgradeNeeded:
        raise
    except CustodyError as error:
        if isinstance(error, Altered) and error.details.get("seq") == entry.seq:
            raise
        raise altered(f"entry:{entry.seq}: {error.message}", seq=entry.seq) from error


def _unknown_kind(entry: Entry) -> UpgradeNeeded:
    return UpgradeNeeded(
        Code.UPGRADE_NEEDED,
        f"entry:{entry.seq}: this version does not know the kind `{entry.kind}`",
        advice="Use a newer version of this program; the journal itself is intact.",
        details={"seq": entry.seq, "kind": entry.kind},
    )


def _adopted(entry: Entry) -> StateBuilder:
    if entry.kind != ADOPTED:
        raise malformed("the first entry adopts no vault")
    body = fields_of(entry.body, "the body", ("document", "vault_id", "ungoverned"))
    document = body["document"]
    vault = Vault.from_document(document)
    if not isinstance(document, dict) or vault.vault_id != body["vault_id"]:
        raise malformed("the vault document is not that of the vault_id beside it")
    ungoverned = boolean_of(body["ungoverned"], "ungoverned")
    return StateBuilder(document, vault.vault_id, vault.network, ungoverned, head_seq=entry.seq)


def _adopted_again(state: StateBuilder, _entry: Entry) -> None:
    raise malformed(f"a second vault is adopted after `{state.vault_id}`")


def _restored(state: StateBuilder, entry: Entry) -> None:
    body = fields_of(entry.body, "the body", ("source", "lost_head"))
    lost = LostJournal(text_of(body["source"], "source"), optional_of(hash_of, body["lost_head"], "lost_head"))
    if entry.seq != 1:
        # Later it would only take a vault's governance away from those who have it.
        state.governance = disregard(state.governance, entry, "only a journal's second entry can replace a lost one")
        return
    state.lost_journal = lost


def _issued(state: StateBuilder, entry: Entry) -> None:
    body = fields_of(entry.body, "the body", ("branch", "index", "address", "label"))
    issued = IssuedAddress(
        index=integer_of(body["index"], "index"),
        address=text_of(body["address"], "address"),
        label=optional_of(text_of, body["label"], "label"),
        seq=entry.seq,
    )
    if body["branch"] != "receive" or issued.index in state.issued:
        raise malformed(f"the address at index {issued.index} was handed out before, or on another branch")
    if issued.index > state.highest[Branch.RECEIVE] + 1:
        words = f"it hands out index {issued.index}, the next one is {state.highest[Branch.RECEIVE] + 1}"
        state.governance = disregard(state.governance, entry, words)
        return
    state.use(Branch.RECEIVE, issued.index)
    state.issued[issued.index] = issued


def _labelled(state: StateBuilder, entry: Entry) -> None:
    body = fields_of(entry.body, "the body", ("type", "ref", "label", "origin", "spendable"), ("line",))
    record = LabelRecord(
        type=text_of(body["type"], "type"),
        ref=text_of(body["ref"], "ref"),
        label=optional_of(text_of, body["label"], "label"),
        origin=optional_of(text_of, body["origin"], "origin"),
        spendable=optional_of(boolean_of, body["spendable"], "spendable"),
        line=optional_of(text_of, body.get("line"), "line"),
    )
    state.labels[record.type, record.ref] = record


def _frozen(state: StateBuilder, entry: Entry) -> None:
    state.frozen |= _outpoints(entry)


def _unfrozen(state: StateBuilder, entry: Entry) -> None:
    outpoints = _outpoints(entry)
    if state.governance.is_founded:
        state.governance = disregard(state.governance, entry, "a founded vault unfreezes by a signed change alone")
        return
    state.frozen -= outpoints


def _outpoints(entry: Entry) -> set[OutPoint]:
    body = fields_of(entry.body, "the body", ("outpoints", "reason"))
    optional_of(text_of, body["reason"], "reason")
    return set(list_of(outpoint_of, body["outpoints"], "outpoints"))


def _accepted(state: StateBuilder, entry: Entry) -> None:
    body = fields_of(entry.body, "the body", ("outpoints", "txids", "prior_history", "reason"))
    optional_of(text_of, body["reason"], "reason")
    prior = optional_of(_prior_of, body["prior_history"], "prior_history")
    if prior is not None:
        # Accepted as shown: not before it was all seen, and not another count or sum.
        if not state.has_complete_sync or prior != prior_total(state.freeze()):
            raise malformed("prior history is accepted with another count or sum than it has")
        state.prior_history = prior
    state.taken_in.update(list_of(outpoint_of, body["outpoints"], "outpoints"))
    state.explained.update(list_of(hash_of, body["txids"], "txids"))


def _prior_of(value: JsonValue, what: str) -> PriorHistory:
    found = fields_of(value, what, ("count", "sum_sats"))
    return PriorHistory(integer_of(found["count"], "count"), sats_of(found["sum_sats"], "sum_sats"))


_STEPS: dict[str, Step] = {
    ADOPTED: _adopted_again,
    RESTORED: _restored,
    "address_issued": _issued,
    "label_set": _labelled,
    "coins_frozen": _frozen,
    "coins_unfrozen": _unfrozen,
    "coins_accepted": _accepted,
    "chain_observed": apply_observation,
    ATTESTED: apply_attested,
}
