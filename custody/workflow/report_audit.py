"""What an audit of its journal says against a report: whatever refuses there is an alarm here.

The sums of a report rest on observations that nobody signs. An audit shows which of them the journal itself proves
false: without it a report would tell change as income, and a payment as never made. It is still made, because one
false entry in a journal that only grows must not end all reports.
"""

from collections.abc import Iterable, Sequence

from custody.audit.journal import Entry
from custody.codes import Code
from custody.errors import Finding, refusals
from custody.ports import Progress
from custody.workflow.audit_entries import EntryAudit
from custody.workflow.audited import Findings, Placed

_TOLD_BY_REPORT = frozenset({Code.UNEXPLAINED_OUTFLOW, Code.OUTFLOW_ON_WORD})
"""With its amount and its transaction, where it lies within the period."""


def audited_entries(entries: Iterable[Entry], progress: Progress) -> tuple[Placed, ...]:
    """Return what an audit finds in entries whose chain was verified before."""
    found = Findings()
    audit = EntryAudit(found, None)
    for entry in entries:
        audit.take(entry, entry.seq + 1)
    audit.finish(progress)
    return tuple(found.placed)


def alarms_of(audited: Sequence[Placed], known: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return what a report has to say of its journal: `known`, and what refuses in the audit."""
    refused = refusals([one.finding for one in audited])
    alarms = tuple(one for one in refused if one.code not in _TOLD_BY_REPORT)
    places = {(one.code, one.where) for one in alarms}
    return (*alarms, *(one for one in known if (one.code, one.where) not in places))
