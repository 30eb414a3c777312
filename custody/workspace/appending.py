"""What every store demands before it appends: nobody was quicker, and the entries follow."""

from collections.abc import Sequence

from custody.audit.journal import Entry, check_chain
from custody.audit.journal_fields import altered
from custody.codes import Code
from custody.errors import Altered, Conflict


def require_head(newest: Entry | None, expected_head: str | None) -> None:
    """Demand that the newest entry is the one that the caller decided on.

    Raises:
        Conflict: JOURNAL_MOVED.
    """
    found = None if newest is None else newest.hash
    if found != expected_head:
        raise Conflict(
            Code.JOURNAL_MOVED,
            "somebody else wrote to the journal in the meantime",
            advice="Look at what is new with `custody journal show`, then do it again.",
            details={"expected_head": expected_head, "head": found},
        )


def require_appendable(entries: Sequence[Entry], newest: Entry | None, journal_id: str) -> None:
    """Refuse what only a bug of ours could hand in, before it becomes history.

    Raises:
        ValueError: an entry is of another journal, not what its hash covers, or doesn't follow.
    """
    try:
        for entry in entries:
            require_same_journal(entry, journal_id)
            if Entry.from_stored(entry.canonical, entry.hash) != entry:
                raise altered(f"entry:{entry.seq}: the fields are not those that its hash covers")
        check_chain(entries, after=newest)
    except Altered as error:
        raise ValueError(f"entries can't be appended: {error.message}") from error


def require_same_journal(entry: Entry, journal_id: str) -> None:
    """Demand that an entry belongs to the journal.

    Raises:
        Altered: JOURNAL_ALTERED.
    """
    if entry.journal_id != journal_id:
        raise altered(f"entry:{entry.seq}: journal id is not that of the store")
