"""`custody proposal add FOLDER`: everything signed that lies on a card, and what became of the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from custody.errors import JsonValue
from custody.workflow.office import Desk
from custody.workflow.proposal_view import ProposalView, view_proposal
from custody.workflow.read_card import FoundFile, read_card
from custody.workflow.take_back_card import TakenBack, Verdict, take_back_card
from custody_cli.output import Answer, AnswerValue, Line, Style, Styled, finding_lines, findings_json
from custody_cli.proposal_screen import proposal_lines
from custody_cli.session import Session
from custody_cli.steps import at_desk

_STYLES = {Verdict.TAKEN: Style.GOOD, Verdict.REFUSED: Style.BAD, Verdict.IGNORED: Style.FAINT}


def add_from_cards(session: Session, folders: Sequence[Path]) -> Answer:
    """Read the folders once, judge all, record the good ones. Exit 3 where a file was refused."""
    found: list[FoundFile] = []
    for folder in folders:
        read = read_card(folder)
        # Files of several folders may share a name.
        found += read if len(folders) == 1 else [replace(one, name=str(folder / one.name)) for one in read]

    def step(desk: Desk) -> Answer:
        taken = take_back_card(desk, found)
        views = [view_proposal(desk.state, desk.vault, desk.state.proposals[one]) for one in taken.proposal_ids]
        return Answer(_json(taken, views), lambda: _lines(taken, views), taken.exit_code)

    return at_desk(session, step)


def _json(taken: TakenBack, views: Sequence[ProposalView]) -> "dict[str, AnswerValue]":
    files: list[JsonValue] = [one.to_json() for one in taken.files]
    refused = [one.finding() for one in taken.refused]
    shown = views[-1].to_json() if views else {}
    return {
        **shown,
        "files": files,
        "proposals": [view.proposal_id for view in views],
        "new_signatures": taken.new_signatures,
        "refused": findings_json(refused),
    }


def _lines(taken: TakenBack, views: Sequence[ProposalView]) -> Iterator[Line]:
    for one in taken.files:
        text = f"{one.verdict:<8} {one.name}: {one.words}"
        style = _STYLES.get(one.verdict)
        yield text if style is None else Styled(text, style)
    yield f"{taken.new_signatures} new signature(s) recorded"
    yield from finding_lines(taken.notes)
    if taken.refused:
        yield ""
        yield from finding_lines([one.finding() for one in taken.refused])
    for view in views:
        yield ""
        yield from proposal_lines(view)
