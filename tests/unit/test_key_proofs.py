"""Ages of proofs by the journal's tips alone, and what the policy's interval makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.key_proofs import KeyProof, ProofClock, ProofKind, overdue_findings
from custody.audit.signers import SignerRecord
from custody.audit.state import SeenTip
from custody.codes import Code

DAY = 86_400
START = 1_800_000_000


def tips(*days: int) -> tuple[SeenTip, ...]:
    return tuple(SeenTip(144 * day, "ab" * 32, START + day * DAY) for day in days)


def proof(day: int | None) -> KeyProof:
    return KeyProof(ProofKind.REHEARSAL, 7, None if day is None else START + day * DAY, "1")


@pytest.mark.parametrize(
    ("day", "interval_days", "expected"),
    [
        (10, 5, (1440, 0, False)),
        (4, 6, (576, 6, False)),
        (4, 5, (576, 6, True)),
        (None, 9, (144, 9, False)),
        (None, 8, (144, 9, True)),
        (0, 9, (144, 9, False)),
    ],
    ids=["now", "on the day", "a day late", "before the first sync", "before it, and late", "before what was seen"],
)
def test_age_is_counted_by_the_tips(day: int | None, interval_days: int, expected: tuple[int, int, bool]) -> None:
    clock = ProofClock(tips(1, 4, 10), interval_days * DAY)
    found = clock.standing("c1", "00000000", SignerRecord(), proof(day))
    assert (found.height, found.age_days, found.is_overdue) == expected


def test_a_proof_between_two_tips_counts_from_the_lower_block() -> None:
    found = ProofClock(tips(1, 4, 10), None).standing("c1", "00000000", SignerRecord(), proof(7))
    assert (found.height, found.age_blocks, found.age_days) == (576, 864, 3)


def test_a_key_that_never_proved_is_overdue_only_where_somebody_asks() -> None:
    asked = ProofClock(tips(1), DAY).standing("c1", "00000000", SignerRecord(), None)
    unasked = ProofClock(tips(1), None).standing("c1", "00000000", SignerRecord(), None)
    assert (asked.is_overdue, unasked.is_overdue) == (True, False)
    (finding,) = overdue_findings([asked, unasked], DAY)
    assert (finding.code, finding.where) == (Code.KEY_PROOF_OVERDUE, "cosigner:c1")
    assert "never proved that it is alive" in finding.message
    assert overdue_findings([asked], None) == ()


def test_without_a_tip_no_age_is_known_and_nothing_is_overdue() -> None:
    found = ProofClock((), DAY).standing("c1", "00000000", SignerRecord(), proof(None))
    assert (found.height, found.age_days, found.is_overdue) == (None, None, False)


@given(st.lists(st.integers(0, 5_000), min_size=1, max_size=20, unique=True), st.integers(-10, 6_000))
def test_a_later_proof_is_never_older(days: list[int], day: int) -> None:
    clock = ProofClock(tips(*sorted(days)), 30 * DAY)
    one, later = (clock.standing("c1", "00000000", SignerRecord(), proof(at)) for at in (day, day + 1))
    assert one.age_seconds is not None and later.age_seconds is not None
    assert later.age_seconds <= one.age_seconds
    assert one.is_overdue or not later.is_overdue
