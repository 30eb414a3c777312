"""Ages of proofs by the journal's tips alone, and what the policy's interval makes of them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.key_proofs import KeyProof, ProofClock, ProofKind, overdue_findings
from custody.audit.signers import SignerRecord
from custody.audit.state import SeenTip
from custody.codes import Code
from custody.spend.expiry import expiry_after
from custody.workflow.key_standings import key_standings
from support.governed import GovernedLedger, simulated_vault
from support.ledger import OUTSIDE

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


def test_a65_an_old_payment_told_again_proves_no_key_alive() -> None:
    """An insider who can append drafts a mined transaction anew, and records its old signatures once more."""
    ledger = GovernedLedger(simulated_vault())
    ledger.receive(5_000_000)
    drafted = ledger.draft((OUTSIDE, 1_000_000))
    paid = ledger.propose(drafted)
    ledger.sign_really(paid, 1)
    ledger.sign_really(paid, 2)
    ledger.mine(1, drafted.proposal.unsigned_transaction)
    honest = key_standings(ledger.state, ledger.vault, ledger.state.signers)
    ledger.mine(5_000)
    again = replace(drafted.proposal, nonce="ab" * 16, expires=expiry_after(ledger.mtp()))
    told = ledger.propose(replace(drafted, proposal=again))
    assert told != paid
    ledger.sign_really(told, 1)
    late = key_standings(ledger.state, ledger.vault, ledger.state.signers)
    assert [one.proof for one in late] == [one.proof for one in honest]
    assert [one.age_blocks for one in late if one.proof is not None] == [5_001, 5_001]


def test_a65_a_signature_recorded_after_its_payment_was_mined_is_as_old_as_the_payment() -> None:
    ledger = GovernedLedger(simulated_vault())
    ledger.receive(5_000_000)
    drafted = ledger.draft((OUTSIDE, 1_000_000))
    paid = ledger.propose(drafted)
    ledger.mine(1, drafted.proposal.unsigned_transaction)
    ledger.mine(900)
    ledger.sign_really(paid, 1)
    first = key_standings(ledger.state, ledger.vault, ledger.state.signers)[0]
    assert (first.age_blocks, first.proof is not None) == (900, True)
