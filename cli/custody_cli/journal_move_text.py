"""What `custody journal move` says: where the journal is now, and what the other offices need."""

from collections.abc import Iterator

from custody.workflow.move_journal import MovedJournal
from custody.workspace.settings import JournalSettings
from custody_cli.output import Line, Style, Styled


def moved_lines(moved: MovedJournal) -> Iterator[Line]:
    """Yield the answer of a move as text."""
    where = "this workspace's journal.db" if moved.place is None else "the database"
    done = "called off: the journal still is" if moved.called_off else "the journal is"
    yield Styled(f"{done} in {where}: {moved.entries} entries", Style.GOOD)
    yield f"head {moved.head}"
    if moved.kept is not None:
        yield f"kept as {moved.kept.name}, read-only; nothing opens it"
    if moved.place is not None:
        yield "another office joins with a copy of vault.yaml and these lines in its custody.yaml:"
        yield "  journal:"
        for key, value in JournalSettings(moved.place, moved.journal_id).to_document().items():
            yield f'    {key}: "{value}"'
