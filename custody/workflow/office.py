"""One office at work on one vault: what the journal says now, and appending to it.

`open_office` reads: it takes no lock and writes nothing. `editing` holds the workspace's
writer lock from before the journal is read until after the last append, so that what a
step decides and what it appends rest on one head; the store's compare-and-append stands
behind that. State is never kept: it is folded anew from the entries each time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from custody.audit.fold import fold, fold_more
from custody.audit.journal import Entry, EntryTip
from custody.audit.state import State
from custody.codes import Code
from custody.errors import CheckFailed, Conflict, CustodyError, JsonValue
from custody.ports import Clock, NonceSource
from custody.vault.device_profile import DeviceProfile
from custody.vault.vault import Vault
from custody.workflow.clock import rfc3339
from custody.workflow.open_vault import require_adopted_file
from custody.workspace.journal_store import open_journal
from custody.workspace.layout import Workspace
from custody.workspace.lock import writer_lock

Event = tuple[str, dict[str, JsonValue]]
"""Kind and body of an entry to come."""

_MAX_DECISIONS = 5
"""So many lost races in a row are no accident any more: the person should see it."""

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a step takes from outside: the clock for the record, fresh ids, who says that they act, and facts."""

    clock: Clock
    nonces: NonceSource
    actor: str | None
    profiles: Mapping[str, DeviceProfile] = field(default_factory=dict)
    """What is known of models of hardware signers; none: nothing is claimed of any."""


@dataclass(frozen=True, slots=True)
class Office:
    """A vault, its workspace and its state at one head of the journal."""

    workspace: Workspace
    vault: Vault
    entries: tuple[Entry, ...]
    state: State

    @property
    def head(self) -> Entry:
        """The journal's newest entry."""
        return self.entries[-1]


@dataclass(slots=True)
class Desk:
    """An office whose writer lock this process holds."""

    office: Office
    surroundings: Surroundings

    @property
    def state(self) -> State:
        """The state after everything that was recorded so far."""
        return self.office.state

    @property
    def vault(self) -> Vault:
        """The adopted vault."""
        return self.office.vault

    def tentative(self, events: Sequence[Event]) -> State:
        """Return the state as it would be after `events`; nothing is written."""
        return fold_more(self.state, self._entries(events, request_id="0" * 32))

    def record(self, events: Sequence[Event]) -> None:
        """Append all events as one step, durable when this returns.

        Raises:
            Conflict: JOURNAL_MOVED if another process appended all the same.
        """
        if not events:
            return
        entries = self._entries(events, request_id=self.surroundings.nonces.nonce())
        # Folded before it is written: an entry that the fold refuses never gets in.
        state = fold_more(self.state, entries)
        open_journal(self.office.workspace).append(entries, expected_head=self.office.head.hash)
        self.office = replace(self.office, entries=(*self.office.entries, *entries), state=state)

    def record_authority(self, events: Sequence[Event]) -> None:
        """Append events that claim authority, if each of them would count.

        Raises:
            CheckFailed: AUTHORITY_REFUSED with the reason for which one would be disregarded.
        """
        known = len(self.state.governance.disregarded)
        refused = self.tentative(events).governance.disregarded[known:]
        if refused:
            raise CheckFailed(
                Code.AUTHORITY_REFUSED,
                f"it would count for nothing: {refused[0].words}",
                advice="Nothing was written. Look at what is in force with `custody officer list` and `change list`.",
            )
        self.record(events)

    def _entries(self, events: Sequence[Event], *, request_id: str) -> list[Entry]:
        made: list[Entry] = []
        previous, tip = self.office.head, self._tip()
        for kind, body in events:
            entry = Entry.make(
                journal_id=previous.journal_id,
                seq=previous.seq + 1,
                time=rfc3339(self.surroundings.clock.now()),
                tip=tip,
                actor=self.surroundings.actor,
                kind=kind,
                body=body,
                request_id=request_id,
                prev=previous.hash,
            )
            made.append(entry)
            previous = entry
        return made

    def _tip(self) -> EntryTip | None:
        seen = self.office.state.tip
        return None if seen is None else EntryTip(seen.height, seen.block_hash, seen.median_time_past)


def open_office(workspace: Workspace) -> Office:
    """Read the workspace's vault and journal.

    Raises:
        Altered: the vault file or the journal is not what was adopted and appended.
        UpgradeNeeded: an intact journal holds an entry of a kind that this version does not know.
    """
    entries = tuple(open_journal(workspace).entries())
    state = fold(entries)
    vault = Vault.from_document(dict(state.vault_document))
    require_adopted_file(workspace, vault)
    return Office(workspace, vault, entries, state)


@contextmanager
def editing(workspace: Workspace, surroundings: Surroundings) -> Iterator[Desk]:
    """Hold the writer lock, read, and let the caller decide and append.

    Raises:
        Conflict: WORKSPACE_LOCKED while another command writes.
    """
    with writer_lock(workspace.lock_file):
        workspace.make_folders()  # an office that joined has a vault file and settings, and no more
        yield Desk(open_office(workspace), surroundings)


def decide_again(workspace: Workspace, surroundings: Surroundings, step: Callable[[Desk], _Answer]) -> _Answer:
    """Run `step` at a desk; where another office appended first, read anew and let it decide once more.

    Nothing is carried over from a lost race: the step sees only the new head, and may answer or refuse otherwise
    than before: a refusal after a lost race is a conflict, whatever it would have been at the start. A step that had
    already recorded something when it lost the race is not run again, since it would record that twice.

    Raises:
        Conflict: JOURNAL_MOVED after five lost races, after a part was recorded, or where the answer changed.
    """
    return _decided(workspace, surroundings, step, lambda desk, read_at: desk.office.head == read_at)


def decide_again_from_the_start(
    workspace: Workspace, surroundings: Surroundings, step: Callable[[Desk], _Answer]
) -> _Answer:
    """As `decide_again`, for a step that may be run again after it recorded something: what it records before its
    last append is only what was seen (observations, signatures that are known then), and seen twice is seen once.

    Raises:
        Conflict: JOURNAL_MOVED after five lost races, or where the answer changed.
    """
    return _decided(workspace, surroundings, step, lambda _desk, _read_at: True)


def _decided(
    workspace: Workspace,
    surroundings: Surroundings,
    step: Callable[[Desk], _Answer],
    may_repeat: Callable[[Desk, Entry], bool],
) -> _Answer:
    moved = 0
    while True:
        desk: Desk | None = None
        try:
            with editing(workspace, surroundings) as desk:
                read_at = desk.office.head
                return step(desk)
        except CustodyError as error:
            lost = isinstance(error, Conflict) and error.code is Code.JOURNAL_MOVED
            moved += lost
            if lost and moved < _MAX_DECISIONS and desk is not None and may_repeat(desk, read_at):
                continue
            if moved and not lost:
                raise _answer_changed(error, moved) from error
            if moved:
                error.details["journal_moved"] = moved
            raise


def _answer_changed(error: CustodyError, moved: int) -> Conflict:
    """Return the conflict of a step that would have been done, had another office not written first."""
    return Conflict(
        Code.JOURNAL_MOVED,
        f"another office wrote first, and the answer is no now: {error.message}",
        advice=error.advice,
        details={**error.details, "error": str(error.code), "journal_moved": moved},
    )
