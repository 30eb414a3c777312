"""What a device returns is judged anew when it comes back: only its own key counts, and the journal may have moved."""

from pathlib import Path

import pytest

from custody.codes import Code
from custody.errors import Conflict, DeviceUnavailable
from custody.spend.review_model import ReviewLimits
from custody.workflow.office import Surroundings, editing
from custody.workflow.sign_proposal import HandedOver, hand_over, take_back
from custody.workspace.layout import Workspace
from support.rehearsal import Rehearsal, stranger


class Fixed:
    """A clock that stands, and ids that count."""

    def __init__(self) -> None:
        self.made = 0

    def now(self) -> int:
        return 1_767_300_000

    def nonce(self) -> str:
        self.made += 1
        return f"{self.made:032x}"


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    made = Rehearsal(tmp_path / "office")
    made.fund(2)
    made.draft("--to", f"{stranger(1)}=60btc")
    return made


def handed(office: Rehearsal) -> HandedOver:
    """Hand the proposal over to c1's device; the desk is free again when this returns."""
    with editing(Workspace(office.folder), Surroundings(Fixed(), Fixed(), None)) as desk:
        return hand_over(desk, None, office.vault.cosigners[0], given_acks=(), limits=ReviewLimits())


def taken(office: Rehearsal, given: HandedOver, returned: bytes) -> int:
    """Take a device's answer back, and return how many signatures are new."""
    with editing(Workspace(office.folder), Surroundings(Fixed(), Fixed(), None)) as desk:
        return take_back(desk, given, returned, device_name="c1").new_signatures


def test_signatures_by_other_keys_are_not_taken_from_this_device(office: Rehearsal) -> None:
    given = handed(office)
    by_both = office.device(2).sign(office.device(1).sign(given.psbt))
    assert taken(office, given, by_both) == 2  # of two inputs, c1's alone
    assert office.json(["proposal", "show"])["signing"]["signed"] == ["c1"]
    by_c2_alone = office.device(2).sign(given.psbt)
    with pytest.raises(DeviceUnavailable) as refused:
        taken(office, given, by_c2_alone)
    assert refused.value.code is Code.DEVICE_NO_SIGNATURE


def test_a_signature_that_exists_is_recorded_although_the_proposal_was_withdrawn(office: Rehearsal) -> None:
    given = handed(office)
    office.json(["proposal", "withdraw", given.proposal_id[:16], "--reason", "too late"])
    assert taken(office, given, office.device(1).sign(given.psbt)) == 2
    shown = office.json(["proposal", "show", given.proposal_id[:16]])
    assert (shown["state"], shown["signing"]["signed"]) == ("still-spendable", ["c1"])


def test_nothing_is_taken_for_a_payment_that_is_in_a_block(office: Rehearsal) -> None:
    given = handed(office)
    drafted = office.json(["proposal", "show"])
    office.send(drafted, 2, 3)
    office.mine(1)
    office.json(["coins", "sync"])
    with pytest.raises(Conflict) as refused:
        taken(office, given, office.device(1).sign(given.psbt))
    assert refused.value.code is Code.PROPOSAL_STATE


def test_the_same_answer_twice_writes_nothing_the_second_time(office: Rehearsal) -> None:
    given = handed(office)
    signed = office.device(1).sign(given.psbt)
    assert (taken(office, given, signed), taken(office, given, signed)) == (2, 0)
