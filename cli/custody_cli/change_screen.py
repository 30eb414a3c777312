"""Changes of governance as a person reads them: what changes, who signed, who is awaited, what to run next."""

from collections.abc import Iterator

from custody.audit.governance import ChangeStatus
from custody.policy.explain import explain_policy
from custody.spend.expiry import format_time
from custody.workflow.change_governance import ChangeView
from custody_cli.output import Answer, Line, Style, Styled

_STYLES = {
    ChangeStatus.IN_FORCE: Style.GOOD,
    ChangeStatus.PENDING: Style.CARE,
    ChangeStatus.WAITING: Style.CARE,
    ChangeStatus.STALE: Style.FAINT,
    ChangeStatus.VETOED: Style.BAD,
    ChangeStatus.REJECTED: Style.BAD,
}
_OPEN = (ChangeStatus.PENDING, ChangeStatus.WAITING)
_SHORT = 16


def change_answer(view: ChangeView) -> Answer:
    """Return a change as the answer of any of its steps."""
    return Answer(view.to_json(), lambda: change_lines(view))


def change_line(view: ChangeView) -> Line:
    """Return one change as a line of a list."""
    change = view.record.change
    facts = "; ".join(value for label, value in change.facts() if label != "descriptor" and value != "none")
    text = f"{change.change_id[:_SHORT]}  {view.record.status:<9} {change.kind:<9} {facts}"
    return Styled(text if len(text) <= 160 else text[:157] + "...", _STYLES[view.record.status])


def change_lines(view: ChangeView) -> Iterator[Line]:
    """Show one change whole."""
    record, change = view.record, view.record.change
    yield Styled(f"Change {change.change_id[:_SHORT]}: {change.kind}, {record.status}", _STYLES[record.status])
    yield f"id         {change.change_id}"
    yield f"statement  number {change.number}, digest {view.statement.digest}"
    for label, value in change.facts():
        yield f"{label:<10} {value}"
    if change.reason is not None:
        yield f"reason     {change.reason}"
    if view.diff is not None:
        for word, style, lines in (
            ("EASIER", Style.CARE, view.diff.easier),
            ("HARDER", Style.GOOD, view.diff.harder),
            ("OTHER", Style.FAINT, view.diff.neutral),
        ):
            yield from (Styled(f"{word:<10} {line}", style) for line in lines)
        if not view.diff.easier:
            yield Styled("Nothing becomes easier: it needs no waiting time.", Style.GOOD)
    if view.policy is not None and view.record.status in _OPEN:
        yield "THE POLICY SAYS"
        yield from (f"  {sentence}" for sentence in explain_policy(view.policy))
    yield f"SIGNED     by {', '.join(record.approvers) or 'nobody'}"
    if record.refusers:
        yield Styled(f"REFUSED    by {', '.join(record.refusers)}", Style.BAD)
    for what, names in view.missing:
        yield Styled(f"WAITS      for {what}: {', '.join(names) or 'nobody can give it'}", Style.CARE)
    if record.status is ChangeStatus.WAITING and record.effective_from is not None:
        yield Styled(
            f"WAITS      until {format_time(record.effective_from)} by the chain's time; any officer can veto it with "
            "`custody change reject`",
            Style.CARE,
        )
    if record.status is ChangeStatus.PENDING:
        yield ""
        name = change.change_id[:_SHORT]
        yield f"NEXT       custody change approve {name} --as NAME --key FILE   by each of them, where they sit"
