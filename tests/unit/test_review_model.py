"""Counting signatures, look-alikes, percent, the two engines, and `require_clean`."""

from dataclasses import replace

import pytest

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed
from custody.spend.lookalike import look_alikes
from custody.spend.progress import SigningProgress
from custody.spend.review import review
from custody.spend.review_fees import fee_percent
from custody.spend.review_model import ReviewContext, ReviewLimits, Verdict, require_clean
from custody.spend.review_time import relative_lock
from custody.workflow.review_psbt import engine_findings, review_psbt
from support.review_cases import OTHER_PAYEE, payment, simulated_vault, with_change, with_coin

VAULT = simulated_vault()
NAMES = ("ann", "bo", "cy")


@pytest.mark.parametrize(
    ("per_input", "signed", "missing"),
    [
        ([], (), 2),
        ([()], (), 2),
        ([("ann",)], ("ann",), 1),
        ([("ann", "bo"), ("ann",)], ("ann",), 1),
        ([("ann", "bo"), ("bo", "cy")], ("bo",), 0),
        ([("ann", "bo", "cy")], NAMES, 0),
    ],
)
def test_progress_counts_the_weakest_input(
    per_input: list[tuple[str, ...]], signed: tuple[str, ...], missing: int
) -> None:
    progress = SigningProgress.count(2, NAMES, per_input)
    assert (progress.signed, progress.missing) == (signed, missing)
    assert set(progress.signed) | set(progress.unsigned) == set(NAMES)


def test_look_alikes_need_head_and_tail_and_difference() -> None:
    one, other = "bc1qaaaaxxxxzzzz", "bc1qaabbyyyyzzzz"
    assert look_alikes([one], [other]) == {one: other}
    assert look_alikes([one, other], []) == {one: other, other: one}
    assert look_alikes([one, one], [one]) == {}
    assert look_alikes([one.upper()], [one]) == {}
    assert look_alikes(["3AbcdeXghJK", "3AbcdexGhJK"], []) != {}


def test_percent_is_never_rounded_down() -> None:
    assert fee_percent(1, 10**8) == "0.01"
    assert fee_percent(10, 100) == "10.00"
    assert fee_percent(0, 100) == "0.00"
    assert fee_percent(1, 0) == "-"


def test_relative_locks_of_bip_68() -> None:
    assert relative_lock(2, 0xFFFFFFFD) is None
    assert relative_lock(2, 0) is None
    assert relative_lock(1, 5) is None
    assert relative_lock(2, 5) == "5 block(s)"
    assert relative_lock(3, 1 << 22 | 2) == "1024 seconds"


def test_require_clean_raises_the_first_refusal_with_all_findings() -> None:
    answer = review(with_change(payment(VAULT), script_pubkey=OTHER_PAYEE), VAULT, ReviewContext())
    with pytest.raises(CheckFailed) as caught:
        require_clean(answer)
    assert caught.value.code is Code.OUTPUT_METADATA_CONTRADICTS_SCRIPT
    assert len(caught.value.details["findings"]) == len(answer.findings)  # type: ignore[arg-type]
    require_clean(review(payment(VAULT), VAULT, ReviewContext()))


def test_a_chain_of_the_callers_own_takes_the_note_away() -> None:
    assert review(payment(VAULT), VAULT, ReviewContext(coins_verified=True)).findings == ()


def test_a_replaced_transaction_that_was_named_is_a_note() -> None:
    old = payment(VAULT)
    context = ReviewContext(earlier=(old,), replaces=frozenset({old.unsigned_txid}))
    answer = review(payment(VAULT, fee=9_000), VAULT, context)
    assert answer.verdict is Verdict.CLEAN


def test_both_engines_are_asked_about_everything_of_ours() -> None:
    psbt = payment(VAULT)
    answer = review_psbt(psbt, VAULT, ReviewContext())
    assert engine_findings(answer, psbt, VAULT) == []
    elsewhere = replace(answer.outputs[1], script_pubkey=OTHER_PAYEE)
    forged = replace(answer, outputs=(answer.outputs[0], elsewhere))
    assert [(found.code, found.where) for found in engine_findings(forged, psbt, VAULT)] == [
        (Code.ENGINES_DISAGREE, "output:1")
    ]


def test_the_search_is_bounded_and_reaches_its_depth() -> None:
    psbt = with_change(payment(VAULT), derivations=(), witness_script=None)
    psbt = with_coin(psbt, derivations=())
    found = review(psbt, VAULT, ReviewContext(limits=ReviewLimits(search_depth=4)))
    assert [output.place is not None for output in found.outputs] == [False, True]
    lost = review(psbt, VAULT, ReviewContext(limits=ReviewLimits(search_depth=3)))
    assert [output.place is not None for output in lost.outputs] == [False, False]


def test_limits_are_the_designs() -> None:
    limits = ReviewLimits()
    assert (limits.change_gap, limits.change_limit, limits.search_depth) == (20, 10_000, 1_000)
    assert (limits.refuse_fee_percent, limits.warn_fee_percent, limits.max_fee) == (10, 5, 10_000_000)
    assert (limits.max_fee_rate.sat_kvb, limits.min_fee_rate.sat_kvb) == (1_000_000, 100)
    assert review(payment(VAULT), VAULT, ReviewContext()).network is Network.REGTEST
