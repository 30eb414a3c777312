"""Changes of governance that had to wait: their signatures are proven, and that their time came is not.

A journal's reader has the chain's time. A signer offline has only the word of whoever made a bundle:
that the waiting is over, and that nobody refused meanwhile. So a person settles such changes, by
advancing the pin; until then they wait on, whatever a bundle says.
"""

from custody.audit.governance import ChangeRecord, ChangeStatus, GovernanceState
from custody.errors import JsonValue
from custody.spend.expiry import format_time


def waited_changes(gov: GovernanceState) -> tuple[ChangeRecord, ...]:
    """Return every change whose effect came, or comes, by time, in the order of their numbers."""
    waited = (one for one in gov.changes.values() if one.effective_from is not None)
    return tuple(sorted(waited, key=lambda one: one.change.number))


def decided_up_to(gov: GovernanceState) -> int:
    """Return the newest statement's number, or that of the one before the first change that still waits."""
    waiting = [one.change.number for one in waited_changes(gov) if one.status is ChangeStatus.WAITING]
    return min(waiting) - 1 if waiting else max(0, gov.next_number - 1)


def change_words(record: ChangeRecord) -> str:
    """Return what a change does, in one line for people."""
    change = record.change
    facts = "; ".join(value for label, value in change.facts() if label != "descriptor" and value != "none")
    return f"statement {change.number}, {change.kind}: {facts}"


def status_words(record: ChangeRecord) -> str:
    """Return what is said to have become of a change that had to wait."""
    since = "" if record.effective_from is None else format_time(record.effective_from)
    match record.status:
        case ChangeStatus.IN_FORCE:
            return f"said to be in force since {since}"
        case ChangeStatus.WAITING:
            return f"waits until {since}"
        case ChangeStatus.VETOED:
            return f"refused by {', '.join(record.refusers)}"
        case _:
            return f"came to nothing ({record.status})"


def waited_json(record: ChangeRecord, *, settled: bool) -> dict[str, JsonValue]:
    """Return a change that had to wait; `settled` is whether the signer's pin confirms what became of it."""
    return {
        "number": record.change.number,
        "kind": str(record.change.kind),
        "does": [{"what": label, "value": value} for label, value in record.change.facts()],
        "status": str(record.status),
        "effective_from": None if record.effective_from is None else format_time(record.effective_from),
        "settled": settled,
    }
