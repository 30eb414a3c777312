"""After a lost race a step decides anew, on what it reads then; nothing is carried over."""

from pathlib import Path

import pytest

from custody.audit.journal import Entry
from custody.codes import Code
from custody.errors import Conflict
from custody.workflow.create_vault import create_vault
from custody.workflow.issue_address import issue_address
from custody.workflow.office import Desk, Surroundings, decide_again, open_office
from custody.workspace.journal_store import open_journal
from custody.workspace.layout import Workspace
from custody_cli.system import SystemClock, SystemNonces
from support.vaults import make_vault

SURROUNDINGS = Surroundings(SystemClock(), SystemNonces(), "ann")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with a vault and nothing else in its journal."""
    create_vault(make_vault(), tmp_path / "w", ungoverned=False, actor=None, clock=SystemClock(), ids=SystemNonces())
    return Workspace(tmp_path / "w")


def from_elsewhere(workspace: Workspace) -> None:
    """Append as another office does: past this workspace's lock, through the store."""
    issue_address(Desk(open_office(workspace), SURROUNDINGS), label="elsewhere")


def issued(workspace: Workspace) -> list[object]:
    return [entry.body["index"] for entry in open_journal(workspace).entries() if entry.kind == "address_issued"]


def test_a_lost_race_is_decided_again_on_the_new_head(workspace: Workspace) -> None:
    heads: list[Entry] = []

    def step(desk: Desk) -> int:
        heads.append(desk.office.head)
        if len(heads) == 1:
            from_elsewhere(workspace)
        return issue_address(desk, label=None).index

    assert decide_again(workspace, SURROUNDINGS, step) == 1
    assert [head.seq for head in heads] == [0, 1]
    assert issued(workspace) == [0, 1]


def test_a_refusal_after_a_lost_race_is_a_conflict_whose_answer_changed(workspace: Workspace) -> None:
    def step(desk: Desk) -> int:
        if len(desk.office.entries) > 1:
            raise Conflict(Code.PROPOSAL_STATE, "no longer possible", advice="Look.")
        from_elsewhere(workspace)
        return issue_address(desk, label=None).index

    with pytest.raises(Conflict) as caught:
        decide_again(workspace, SURROUNDINGS, step)
    assert caught.value.code is Code.JOURNAL_MOVED
    assert caught.value.details == {"error": "PROPOSAL_STATE", "journal_moved": 1}
    assert "no longer possible" in caught.value.message
    assert issued(workspace) == [0]


def test_a_first_refusal_says_nothing_of_a_race(workspace: Workspace) -> None:
    def step(_desk: Desk) -> int:
        raise Conflict(Code.PROPOSAL_STATE, "not possible", advice="Look.")

    with pytest.raises(Conflict) as caught:
        decide_again(workspace, SURROUNDINGS, step)
    assert caught.value.details == {}


def test_gives_up_after_five_lost_races(workspace: Workspace) -> None:
    def step(desk: Desk) -> int:
        from_elsewhere(workspace)
        return issue_address(desk, label=None).index

    with pytest.raises(Conflict) as caught:
        decide_again(workspace, SURROUNDINGS, step)
    assert caught.value.code is Code.JOURNAL_MOVED
    assert caught.value.details["journal_moved"] == 5
    assert issued(workspace) == [0, 1, 2, 3, 4]


def test_what_was_half_recorded_is_not_recorded_again(workspace: Workspace) -> None:
    def step(desk: Desk) -> int:
        issue_address(desk, label="first")
        from_elsewhere(workspace)
        return issue_address(desk, label="second").index

    with pytest.raises(Conflict) as caught:
        decide_again(workspace, SURROUNDINGS, step)
    assert caught.value.code is Code.JOURNAL_MOVED
    assert issued(workspace) == [0, 1]
