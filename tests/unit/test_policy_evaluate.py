"""Decisions: each rule by itself, at its bound, in words that an officer understands."""

from dataclasses import replace
from typing import Any

import pytest

from custody.bitcoin.amount import Sats
from custody.codes import Code
from custody.errors import NotYet, PolicyDenied
from custody.policy.decision import Decision, Effect, Gate, Missing, Reason, require_allowed, require_not_denied
from custody.policy.evaluate import evaluate
from custody.policy.facts import (
    InputFact,
    OfficerFact,
    OutflowRecord,
    OwnOutputFact,
    PayeeFact,
    SpendRecord,
)
from custody.spend.proposal import ProposalKind
from custody.workflow.time_zones import time_zone
from support.policies import (
    BTC,
    HOUR_S,
    MONDAY,
    a_history,
    a_payment,
    bank,
    decide,
    denied,
    drop,
    missing,
    put,
    words,
)

APPROVED = a_history(("amir", 3), ("bilal", 2))
STRANGER = (PayeeFact("stranger", Sats(5 * BTC)),)
MOVE = {"kind": ProposalKind.INTERNAL, "payees": ()}
CANCEL = {"kind": ProposalKind.CANCEL, "payees": ()}
BUMP = {"kind": ProposalKind.BUMP, "replaced_fee": Sats(19_999), "replaced_was_approved": True}
SWEEP = {
    "kind": ProposalKind.EMERGENCY,
    "path": "sweep",
    "payees": (PayeeFact("vault", Sats(90 * BTC), "recovery-vault", MONDAY),),
}


# Shape and sections


def test_an_approved_payment_is_allowed_and_every_rule_says_why() -> None:
    decision = decide(a_payment(), APPROVED)
    assert decision.is_allowed and not decision.is_denied and decision.missing == ()
    assert {reason.effect for reason in decision.reasons} == {Effect.PERMIT}
    assert [reason.rule for reason in decision.reasons] == [
        "suspension", "expiry", "drafter", "payment", "payment.unlisted", "payment.tiers.routine",
        "payment.tiers.routine.approvals", "payment.tiers.routine.waiting", "payment.tiers.routine.hours",
        "payment.limits.payment", "payment.limits.day", "payment.limits.week", "payment.limits.month",
        "payment.fee.max", "payment.fee.max_rate", "payment.fee.max_percent", "payment.confirmations",
        "payment.inputs", "payment.locktime", "payment.replaceable", "payment.expiry",
        "coins.frozen", "coins.address_reuse", "coins.address_cap", "coins.keep_apart",
    ]  # fmt: skip
    assert words(decision, "payment") == "it pays 4.99980000 BTC (499,980,000 sat) to 1 destination"
    assert words(decision, "payment.unlisted") == "1 destination, all on the allowlist"
    assert (
        words(decision, "payment.tiers.routine.approvals") == "it needs approval by 2 approver; approved by amir, bilal"
    )
    assert words(decision, "drafter") == "dina drafted and signed it"
    assert words(decision, "expiry") == (
        "it lives for another 24 hours, until 2026-03-03T06:00:00Z (tue 2026-03-03 11:00 Asia/Karachi)"
    )


@pytest.mark.parametrize("kind", ["payment", "internal", "bump", "cancel"])
def test_a_kind_without_a_section_is_forbidden(kind: str) -> None:
    decision = decide(a_payment(kind=ProposalKind(kind)), APPROVED, policy=bank(drop(kind)))
    assert denied(decision) == {kind}
    assert words(decision, kind) == f"the policy has no section `{kind}`: proposals of this kind are forbidden"


def test_a_payment_that_pays_nobody_is_of_another_kind() -> None:
    decision = decide(a_payment(payees=()), APPROVED)
    assert "payment" in denied(decision)
    assert words(decision, "payment") == "it pays nobody; a move within the vault is of kind `internal`"


def test_a_path_belongs_to_an_emergency_only() -> None:
    decision = decide(a_payment(path="sweep"), APPROVED)
    assert denied(decision) == {"kind"}
    assert words(decision, "kind") == "a proposal of kind `payment` can't go by the emergency path `sweep`"


def test_the_rules_of_another_zone_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="another time zone"):
        evaluate(bank(), a_payment(), APPROVED, Gate.SIGN, zone=time_zone("UTC"))


# Suspension, expiry, drafter


@pytest.mark.parametrize("gate", [*Gate])
def test_a_suspension_forbids_at_every_gate(gate: Gate) -> None:
    decision = decide(a_payment(), replace(APPROVED, suspended_by="farid"), gate)
    assert denied(decision) == {"suspension"}
    assert words(decision, "suspension") == "spending is suspended by farid until it is resumed"


def test_a_cancel_protects_also_while_spending_is_suspended() -> None:
    decision = decide(a_payment(**CANCEL), replace(APPROVED, suspended_by="farid"))
    assert decision.is_allowed
    assert words(decision, "suspension") == "spending is suspended by farid; a cancel only takes a payment back"


@pytest.mark.parametrize("gate", [*Gate])
def test_an_expired_proposal_is_forbidden_at_every_gate(gate: Gate) -> None:
    decision = decide(a_payment(expires=MONDAY), APPROVED, gate)
    assert denied(decision) == {"expiry"}
    assert words(decision, "expiry") == "it expired at 2026-03-02T06:00:00Z (mon 2026-03-02 11:00 Asia/Karachi)"


@pytest.mark.parametrize(
    ("rest", "shown"),
    [(1, "1 second"), (59, "59 seconds"), (60, "1 minute"), (61, "1 minute"), (7_199, "119 minutes")],
)
def test_the_rest_of_a_life_is_told_in_whole_minutes(rest: int, shown: str) -> None:
    assert words(decide(a_payment(expires=MONDAY + rest), APPROVED), "expiry").startswith(
        f"it lives for another {shown}, until"
    )


def test_a_life_until_the_end_of_time_has_words_too() -> None:
    last = 253_402_300_799
    decision = decide(a_payment(expires=last), APPROVED)
    assert denied(decision) == {"payment.expiry"}
    assert words(decision, "payment.expiry") == "it would live until 9999-12-31T23:59:59Z, longer than 14 days"


@pytest.mark.parametrize("gate", [Gate.APPROVE, Gate.SIGN, Gate.FINALIZE, Gate.BROADCAST])
def test_a_draft_that_nobody_signed_is_not_yet(gate: Gate) -> None:
    decision = decide(a_payment(drafter=None), APPROVED, gate)
    assert decision.missing == (
        Missing("drafter", "the drafter's signature: nobody has signed the draft as their own", ("dina",)),
    )


def test_a_draft_is_not_signed_before_it_is_drafted() -> None:
    decision = decide(a_payment(drafter=None), APPROVED, Gate.DRAFT)
    assert decision.is_allowed and words(decision, "drafter") == ""


# Destinations


def test_a_stranger_is_denied() -> None:
    decision = decide(a_payment(payees=STRANGER), APPROVED)
    assert denied(decision) == {"payment.unlisted"}
    assert words(decision, "payment.unlisted") == "`stranger` is not on the allowlist; other destinations are denied"


def test_an_entry_is_usable_from_its_very_second() -> None:
    soon = PayeeFact("payee", Sats(BTC), "supplier", MONDAY + 1)
    decision = decide(a_payment(payees=(soon,)), APPROVED)
    assert denied(decision) == {"payment.unlisted"}
    assert "`payee` is entry `supplier`, usable from 2026-03-02T06:00:01Z (mon " in words(decision, "payment.unlisted")
    assert decide(a_payment(payees=(replace(soon, usable_from=MONDAY),)), APPROVED).is_allowed
    assert denied(decide(a_payment(payees=(replace(soon, usable_from=None),)), APPROVED)) == {"payment.unlisted"}


def test_a_stranger_lifts_to_the_named_tier_and_never_lower() -> None:
    lifting = bank(put("payment.unlisted", "large"))
    decision = decide(a_payment(payees=STRANGER), APPROVED, policy=lifting)
    assert missing(decision) == {"payment.tiers.large.approvals", "payment.tiers.large.waiting"}
    assert words(decision, "payment.unlisted") == "`stranger` is not on the allowlist; it needs at least tier `large`"
    assert words(decision, "payment.tiers.large").endswith(
        "belongs to tier `routine`; a destination outside the allowlist lifts it to tier `large`"
    )
    listed = PayeeFact("payee", Sats(BTC), "supplier", MONDAY)
    mixed = decide(a_payment(payees=(listed, *STRANGER)), APPROVED, policy=lifting)
    assert missing(mixed) == {"payment.tiers.large.approvals", "payment.tiers.large.waiting"}
    lowering = bank(put("payment.unlisted", "routine"))
    large = a_payment(payees=(replace(STRANGER[0], value=Sats(50 * BTC)),))
    assert "payment.tiers.large.approvals" in missing(decide(large, APPROVED, policy=lowering))


# Tiers


@pytest.mark.parametrize(("amount", "tier"), [(10 * BTC, "routine"), (10 * BTC + 1, "large"), (1_000 * BTC, "large")])
def test_a_tier_reaches_to_its_amount_fee_included(amount: int, tier: str) -> None:
    assert f"payment.tiers.{tier}" in {one.rule for one in decide(a_payment(amount), APPROVED).reasons}


def test_an_amount_without_a_tier_is_forbidden() -> None:
    decision = decide(a_payment(1_000 * BTC + 1), APPROVED)
    assert denied(decision) == {"payment.tiers", "payment.limits.payment", "payment.limits.day"}
    assert words(decision, "payment.tiers") == (
        "no tier is large enough for 1,000.00000001 BTC (100,000,000,001 sat), payees and fee together"
    )


# Approvals


def test_missing_approvals_name_everybody_who_can_give_one() -> None:
    decision = decide(a_payment(), a_history(("amir", 1)))
    assert decision.missing == (
        Missing(
            "payment.tiers.routine.approvals",
            "1 more approval: it needs 2 approver, each a different person; approved so far by amir",
            ("bilal", "chanda"),
        ),
    )


def test_nobody_approves_twice_nor_their_own_draft() -> None:
    twice = decide(a_payment(), a_history(("amir", 2), ("amir", 1)))
    assert missing(twice) == {"payment.tiers.routine.approvals"}
    own = decide(a_payment(), a_history(("amir", 2), ("dina", 1)))
    assert missing(own) == {"payment.tiers.routine.approvals"}
    assert own.missing[0].what.endswith(
        "approved so far by amir; dina drafted it, and a drafter's own approval doesn't count"
    )
    assert own.missing[0].sources == ("bilal", "chanda")
    lenient = bank(put("payment.drafter_approves", True))
    assert decide(a_payment(), a_history(("amir", 2), ("dina", 1)), policy=lenient).is_allowed
    asked = decide(a_payment(), a_history(("amir", 2)), policy=lenient)
    assert asked.missing[0].sources == ("bilal", "chanda", "dina")
    assert "doesn't count" not in asked.missing[0].what


def test_one_person_fills_one_place_and_the_best_one() -> None:
    large = a_payment(600 * BTC)
    two_hats = decide(large, a_history(("amir", 9), ("chanda", 9)))
    assert two_hats.missing[0].what.startswith("1 more approval: it needs 2 approver and 1 board")
    assert two_hats.missing[0].sources == ("bilal", "esma")
    assert decide(large, a_history(("chanda", 9), ("amir", 9), ("bilal", 9))).is_allowed
    assert decide(large, a_history(("chanda", 9), ("amir", 9), ("esma", 9))).is_allowed


def test_where_nobody_can_give_it_the_words_say_so() -> None:
    few = a_history(("amir", 1), officers=(OfficerFact("amir", frozenset({"approver"})),))
    decision = decide(a_payment(), few)
    assert decision.missing[0].sources == ()
    assert decision.missing[0].what.endswith("approved so far by amir; no officer in force can give it")


def test_roles_of_two_approvals_by_one_person_are_one_person_s() -> None:
    first, *_rest = a_history(("amir", 9)).approvals
    second = replace(first, roles=frozenset({"board"}), time=first.time + HOUR_S)
    history = a_history(("bilal", 9), approvals=(first, second, *a_history(("bilal", 8)).approvals))
    decision = decide(a_payment(600 * BTC), history)
    assert decision.missing[0].what.startswith("1 more approval")


def test_nobody_is_asked_where_the_policy_says_none() -> None:
    policy = bank(put("payment.tiers.0.approvals", "none"))
    decision = decide(a_payment(), a_history(), policy=policy)
    assert decision.is_allowed
    assert words(decision, "payment.tiers.routine.approvals") == "nobody is asked"


# Waiting and hours


def test_the_wait_begins_with_the_last_approval_needed() -> None:
    large = a_payment(600 * BTC)
    early = decide(large, a_history(("amir", 9), ("bilal", 9), ("esma", 5)))
    assert early.missing == (
        Missing(
            "payment.tiers.large.waiting",
            "signing waits until 2026-03-02T07:00:00Z (mon 2026-03-02 12:00 Asia/Karachi), "
            "6 hours after the last approval needed",
        ),
    )
    assert decide(large, a_history(("amir", 9), ("bilal", 9), ("esma", 6))).is_allowed
    further = decide(large, a_history(("amir", 9), ("bilal", 9), ("esma", 6), ("chanda", 0)))
    assert further.is_allowed
    assert words(further, "payment.tiers.large.waiting").startswith("signing may begin since 2026-03-02T06:00:00Z")
    unknown = decide(large, a_history(("amir", 9)))
    assert words(unknown, "payment.tiers.large.waiting") == "signing waits until 6 hours after the last approval needed"


def test_hours_are_asked_at_the_end_of_the_wait() -> None:
    late = decide(a_payment(600 * BTC), a_history(("amir", 9), ("bilal", 9), ("esma", 0)))
    assert missing(late) == {"payment.tiers.large.waiting", "payment.tiers.large.hours"}
    assert words(late, "payment.tiers.large.hours") == (
        "signing may begin at 2026-03-03T04:00:00Z (tue 2026-03-03 09:00 Asia/Karachi): "
        "office hours are mon, tue, wed, thu, fri 09:00 to 17:00 in Asia/Karachi"
    )


@pytest.mark.parametrize("gate", [Gate.FINALIZE, Gate.BROADCAST])
def test_waiting_and_hours_are_not_asked_after_signing(gate: Gate) -> None:
    night = replace(a_history(("amir", -12), ("bilal", -12), ("esma", -12)), now=MONDAY + 12 * HOUR_S)
    assert decide(a_payment(600 * BTC), night, gate).is_allowed
    assert decide(a_payment(600 * BTC, signing_began=True), night, Gate.SIGN).is_allowed
    for earlier in (Gate.DRAFT, Gate.APPROVE, Gate.SIGN):
        expected = {"payment.tiers.large.waiting", "payment.tiers.large.hours"}
        assert missing(decide(a_payment(600 * BTC), night, earlier)) == expected
    for earlier in (Gate.DRAFT, Gate.APPROVE):
        signed = a_payment(600 * BTC, signing_began=True)
        assert "payment.tiers.large.waiting" in missing(decide(signed, night, earlier))


# Limits


def spend(amount: int, ended_ago: int | None = None, group: str = "other") -> SpendRecord:
    return SpendRecord(group, amount, MONDAY - 999 * HOUR_S, None if ended_ago is None else MONDAY - ended_ago)


def test_a_window_lets_go_at_its_very_second() -> None:
    full, day = a_payment(600 * BTC), 24 * HOUR_S
    approvals = (("amir", 9), ("bilal", 9), ("esma", 9))
    assert decide(full, a_history(*approvals, spends=(spend(400 * BTC),))).is_allowed
    over = decide(full, a_history(*approvals, spends=(spend(400 * BTC + 1, day - 1),)))
    assert denied(over) == {"payment.limits.day"}
    assert words(over, "payment.limits.day") == (
        "limit per day 1,000 BTC (100,000,000,000 sat): 400.00000001 BTC (40,000,000,001 sat) counted in 24 hours "
        "by 1 other proposal; with this one 1,000.00000001 BTC (100,000,000,001 sat); it fits from "
        "2026-03-02T06:00:01Z (mon 2026-03-02 11:00 Asia/Karachi) if nothing else happens"
    )
    assert decide(full, a_history(*approvals, spends=(spend(400 * BTC + 1, day),))).is_allowed


def test_a_living_proposal_counts_until_it_ends() -> None:
    decision = decide(a_payment(600 * BTC), a_history(spends=(spend(500 * BTC), spend(1, 0, "third"))), Gate.DRAFT)
    assert denied(decision) == {"payment.limits.day"}
    assert "by 2 other proposals" in words(decision, "payment.limits.day")
    assert words(decision, "payment.limits.day").endswith(
        "it fits when enough of the others have ended, and one window has passed"
    )


def test_a_set_of_replacements_counts_once_at_its_largest() -> None:
    group = (spend(300 * BTC, None, "rent"), spend(400 * BTC, HOUR_S, "rent"), spend(100 * BTC, 0, "rent"))
    assert denied(decide(a_payment(600 * BTC), a_history(spends=group), Gate.DRAFT)) == set()
    assert denied(decide(a_payment(600 * BTC + 1), a_history(spends=group), Gate.DRAFT)) == {"payment.limits.day"}


def test_the_own_group_counts_once_with_the_request() -> None:
    own = (spend(900 * BTC, 25 * HOUR_S, "own"), spend(700 * BTC, None, "own"))
    decision = decide(a_payment(600 * BTC), a_history(spends=(*own, spend(300 * BTC))), Gate.DRAFT)
    assert denied(decision) == set()
    assert "with this one 1,000 BTC" in words(decision, "payment.limits.day")
    over = decide(a_payment(600 * BTC), a_history(spends=(*own, spend(301 * BTC))), Gate.DRAFT)
    assert denied(over) == {"payment.limits.day"}


def test_an_outflow_that_nobody_explained_counts_one_window_long() -> None:
    def at(ago: int) -> set[str]:
        outflows = (OutflowRecord(401 * BTC, MONDAY - ago),)
        decision = decide(a_payment(600 * BTC), a_history(outflows=outflows), Gate.DRAFT)
        return denied(decision)

    assert at(24 * HOUR_S - 1) == {"payment.limits.day"}
    assert at(24 * HOUR_S) == set()
    outflows = (OutflowRecord(300 * BTC, MONDAY), OutflowRecord(300 * BTC, MONDAY - HOUR_S))
    both = decide(a_payment(600 * BTC), a_history(outflows=outflows), Gate.DRAFT)
    assert "by 0 other proposals and 2 unexplained outflows" in words(both, "payment.limits.day")
    old = (*outflows, OutflowRecord(1, MONDAY - 24 * HOUR_S))
    third = decide(a_payment(600 * BTC), a_history(outflows=old), Gate.DRAFT)
    assert words(third, "payment.limits.day") == words(both, "payment.limits.day")
    assert "and 3 unexplained outflows" in words(third, "payment.limits.week")
    assert "it fits from 2026-03-03T05:00:00Z" in words(both, "payment.limits.day")


@pytest.mark.parametrize(("name", "hours"), [("day", 24), ("week", 168), ("month", 720)])
def test_each_window_has_its_length(name: str, hours: int) -> None:
    edits = [put(f"payment.limits.{one}", "unlimited") for one in ("payment", "day", "week", "month")]
    policy = bank(*edits, put(f"payment.limits.{name}", "9btc"))
    for ago, expected in ((hours * HOUR_S - 1, {f"payment.limits.{name}"}), (hours * HOUR_S, set())):
        decision = decide(a_payment(), a_history(spends=(spend(5 * BTC, ago),)), Gate.DRAFT, policy)
        assert denied(decision) == expected
        assert words(decision, "payment.limits.payment").endswith("is within the limit per payment: unlimited")


def test_what_is_larger_than_a_window_never_fits_it() -> None:
    policy = bank(put("payment.limits.day", "4btc"))
    decision = decide(a_payment(), a_history(spends=(spend(1, 0),)), Gate.DRAFT, policy)
    assert words(decision, "payment.limits.day").endswith("5.00000001 BTC (500,000,001 sat); it never fits")


def test_zero_is_zero() -> None:
    policy = bank(put("payment.limits.month", "0sat"))
    assert denied(decide(a_payment(), APPROVED, policy=policy)) == {"payment.limits.month"}


# The transaction


def test_the_fee_has_three_caps() -> None:
    assert denied(decide(a_payment(fee=Sats(1_000_000), vsize=5_000), APPROVED)) == set()
    assert denied(decide(a_payment(fee=Sats(1_000_001), vsize=5_001), APPROVED)) == {"payment.fee.max"}
    assert denied(decide(a_payment(fee=Sats(80_000), vsize=400), APPROVED)) == set()
    rate = decide(a_payment(fee=Sats(80_001), vsize=400), APPROVED)
    assert denied(rate) == {"payment.fee.max_rate"}
    # 200.0025 sat/vB: rounded up to the next thousandth, never down.
    assert words(rate, "payment.fee.max_rate") == "200.003 sat/vB is above the limit: 200 sat/vB"
    small = (PayeeFact("payee", Sats(2_000_000), "supplier", MONDAY),)
    assert denied(decide(a_payment(payees=small), APPROVED)) == set()
    share = decide(a_payment(payees=small, fee=Sats(20_001)), APPROVED)
    assert denied(share) == {"payment.fee.max_percent"}
    assert words(share, "payment.fee.max_percent") == (
        "the fee of 0.00020001 BTC (20,001 sat) is more than its share: 1 % of 0.02000000 BTC (2,000,000 sat)"
    )


def test_without_payees_the_share_is_of_what_comes_back() -> None:
    own = (OwnOutputFact("own", Sats(2_000_000), was_used=False, balance_after=Sats(2_000_000)),)
    assert denied(decide(a_payment(**MOVE, own_outputs=own), APPROVED)) == set()
    over = a_payment(**MOVE, own_outputs=own, fee=Sats(20_001), vsize=4_000)
    assert denied(decide(over, APPROVED)) == {"internal.fee.max_percent"}


def test_unlimited_is_a_word() -> None:
    policy = bank(*(put(f"payment.fee.{cap}", "unlimited") for cap in ("max", "max_rate", "max_percent")))
    decision = decide(a_payment(fee=Sats(4 * BTC)), APPROVED, policy=policy)
    assert decision.is_allowed
    assert words(decision, "payment.fee.max").endswith("is within its limit: unlimited")
    assert words(decision, "payment.fee.max_rate").endswith("is within the limit: unlimited")
    assert words(decision, "payment.fee.max_percent") == "the fee is within its share: unlimited"


def coin(number: int = 0, **changes: object) -> InputFact:
    return replace(InputFact(f"coin:{number}", Sats(BTC), 6, None, is_frozen=False), **changes)  # type: ignore[arg-type]


def test_every_coin_needs_its_confirmations() -> None:
    enough = decide(a_payment(inputs=(coin(),)), APPROVED)
    assert enough.is_allowed and words(enough, "payment.confirmations") == "every coin has at least 6 confirmations"
    decision = decide(a_payment(inputs=(coin(), coin(1, confirmations=5))), APPROVED)
    assert denied(decision) == {"payment.confirmations"}
    assert words(decision, "payment.confirmations") == "a coin needs 6 confirmations; coin:1 has 5"


@pytest.mark.parametrize(("number", "holds"), [(1, False), (2, True), (3, True), (4, False)])
def test_the_number_of_coins_has_two_bounds(number: int, holds: bool) -> None:
    policy = bank(put("payment.inputs", {"min": 2, "max": 3}))
    decision = decide(a_payment(inputs=tuple(coin(one) for one in range(number))), APPROVED, policy=policy)
    assert denied(decision) == (set() if holds else {"payment.inputs"})
    spent = f"it spends {number} coin{'' if number == 1 else 's'}; allowed are at least 2, at most 3"
    assert words(decision, "payment.inputs") == spent


@pytest.mark.parametrize(
    ("locktime", "holds"), [(0, True), (900_000, True), (900_001, False), (499_999_999, False), (500_000_000, False)]
)
def test_the_locktime_is_a_height_of_at_most_the_tip(locktime: int, holds: bool) -> None:
    assert denied(decide(a_payment(locktime=locktime), APPROVED)) == (set() if holds else {"payment.locktime"})
    lenient = decide(a_payment(locktime=locktime), APPROVED, policy=bank(put("payment.locktime", "any")))
    assert lenient.is_allowed and words(lenient, "payment.locktime") == "any locktime is fine"


def test_a_locktime_that_is_a_time_is_no_height_even_on_a_tall_chain() -> None:
    tall = replace(APPROVED, tip_height=600_000_000)
    assert denied(decide(a_payment(locktime=500_000_000), tall)) == {"payment.locktime"}
    assert denied(decide(a_payment(locktime=499_999_999), tall)) == set()


def test_replacement_is_signalled_where_required() -> None:
    silent = a_payment(signals_replacement=False)
    assert denied(decide(silent, APPROVED)) == {"payment.replaceable"}
    lenient = bank(put("payment.replaceable", "any"))
    decision = decide(silent, APPROVED, policy=lenient)
    assert decision.is_allowed and words(decision, "payment.replaceable") == "replacement needn't be signalled"
    loud = decide(a_payment(), APPROVED, policy=lenient)
    assert words(loud, "payment.replaceable") == "every input signals replacement"


def test_a_life_has_a_longest() -> None:
    longest = 14 * 24 * HOUR_S
    assert decide(a_payment(expires=MONDAY + longest), APPROVED).is_allowed
    assert denied(decide(a_payment(expires=MONDAY + longest + 1), APPROVED)) == {"payment.expiry"}


# Coins


def test_a_frozen_coin_stays_but_a_cancel_may_spend_it() -> None:
    frozen = (coin(is_frozen=True), coin(1))
    decision = decide(a_payment(inputs=frozen), APPROVED)
    assert denied(decision) == {"coins.frozen"}
    assert words(decision, "coins.frozen") == "frozen: coin:0"
    cancel = decide(a_payment(**CANCEL, inputs=frozen), APPROVED)
    assert cancel.is_allowed and words(cancel, "coins.frozen") == "frozen, but a cancel may spend it: coin:0"
    assert words(decide(a_payment(**CANCEL), APPROVED), "coins.frozen") == "no coin is frozen"
    swept = decide(a_payment(**SWEEP, inputs=frozen), a_history(("amir", 1), ("chanda", 1), ("esma", 1)))
    assert denied(swept) == {"coins.frozen"}


def own(address: str = "own", **changes: object) -> OwnOutputFact:
    return replace(OwnOutputFact(address, Sats(BTC), was_used=False, balance_after=Sats(BTC)), **changes)  # type: ignore[arg-type]


def test_an_address_of_ours_is_paid_once() -> None:
    used = decide(a_payment(own_outputs=(own("b", was_used=True), own("a", was_used=True))), APPROVED)
    assert denied(used) == {"coins.address_reuse"}
    assert words(used, "coins.address_reuse") == "an address of ours may be paid only once: a, b"
    assert denied(decide(a_payment(own_outputs=(own(), own())), APPROVED)) == {"coins.address_reuse"}
    assert decide(a_payment(own_outputs=(own("a"), own("b"))), APPROVED).is_allowed
    lenient = bank(put("coins.address_reuse", "allowed"))
    again = decide(a_payment(own_outputs=(own(was_used=True),)), APPROVED, policy=lenient)
    assert again.is_allowed and words(again, "coins.address_reuse") == "addresses of ours may be paid again"


def test_an_address_of_ours_has_a_cap() -> None:
    at = own(balance_after=Sats(1_000 * BTC))
    assert decide(a_payment(own_outputs=(at,)), APPROVED).is_allowed
    decision = decide(a_payment(own_outputs=(replace(at, balance_after=Sats(1_000 * BTC + 1)),)), APPROVED)
    assert denied(decision) == {"coins.address_cap"}
    assert words(decision, "coins.address_cap").endswith("`own` would hold 1,000.00000001 BTC (100,000,000,001 sat)")
    unlimited = decide(a_payment(own_outputs=(at,)), APPROVED, policy=bank(put("coins.address_cap", "unlimited")))
    assert words(unlimited, "coins.address_cap").endswith("its limit: unlimited")


@pytest.mark.parametrize(
    ("labels", "holds"),
    [
        (("mining a", "mining b"), True),
        (("mining", None, "other"), True),
        (("a mining", "grant"), True),
        (("MINING a", "Grant b"), False),
        (("mining", "grant"), False),
    ],
)
def test_unlike_coins_stay_apart_by_the_beginning_of_their_labels(labels: tuple[str | None, ...], holds: bool) -> None:
    inputs = tuple(coin(number, label=label) for number, label in enumerate(labels))
    assert denied(decide(a_payment(inputs=inputs), APPROVED)) == (set() if holds else {"coins.keep_apart"})


def test_labels_are_escaped_in_words() -> None:
    inputs = (coin(label="grant\u202e"), coin(1, label="mining\n"))
    said = words(decide(a_payment(inputs=inputs), APPROVED), "coins.keep_apart")
    assert said == r"coins that are kept apart meet: coin:0 is `grant\u{202E}`; coin:1 is `mining\u{000A}`"


# Moves, bumps, cancels, emergencies


def test_a_move_within_the_vault_pays_nobody() -> None:
    assert decide(a_payment(**MOVE), APPROVED).is_allowed
    decision = decide(a_payment(kind=ProposalKind.INTERNAL), APPROVED)
    assert denied(decision) == {"internal"}
    assert words(decision, "internal").endswith("would leave the vault; a proposal of kind `internal` pays nobody")


def test_a_cancel_has_one_output_that_comes_back() -> None:
    assert decide(a_payment(**CANCEL), a_history(("dina", 1))).is_allowed
    assert denied(decide(a_payment(**CANCEL, own_outputs=()), APPROVED)) == {"cancel.outputs", "cancel.fee.max_percent"}
    two = decide(a_payment(**CANCEL, own_outputs=(own("a"), own("b"))), APPROVED)
    assert denied(two) == {"cancel.outputs"}
    assert words(two, "cancel.outputs") == "a cancel has exactly one output to the vault, this one has 2"
    assert denied(decide(a_payment(kind=ProposalKind.CANCEL), APPROVED)) == {"cancel"}


def test_a_bump_raises_the_fee() -> None:
    assert decide(a_payment(600 * BTC, **BUMP), a_history(("amir", 1))).is_allowed
    same = decide(a_payment(**BUMP | {"replaced_fee": Sats(20_000)}), APPROVED)
    assert denied(same) == {"bump"}
    assert words(same, "bump").endswith("pays 0.00020000 BTC (20,000 sat) after 0.00020000 BTC (20,000 sat)")
    free = decide(a_payment(**BUMP | {"replaced_fee": Sats(0)}), APPROVED)
    assert words(free, "bump") == "it raises the fee from 0 BTC (0 sat) to 0.00020000 BTC (20,000 sat)"
    none = decide(a_payment(**BUMP | {"replaced_fee": None}), APPROVED)
    assert denied(none) == {"bump"} and words(none, "bump").endswith("this one replaces none")


def test_a_bump_of_what_nobody_approved_needs_the_payment_s_tier_too() -> None:
    request = a_payment(600 * BTC, **BUMP | {"replaced_was_approved": False})
    decision = decide(request, a_history(("amir", 9)))
    assert missing(decision) == {"payment.tiers.large.approvals", "payment.tiers.large.waiting"}
    assert decide(request, a_history(("amir", 9), ("bilal", 9), ("esma", 9))).is_allowed


def test_what_a_caller_leaves_unsaid_is_the_stricter_fact() -> None:
    request = a_payment()
    assert (request.replaced_was_approved, request.signing_began, request.replaced_fee) == (False, False, None)


def test_a_bump_counts_in_the_limits_and_pays_no_stranger() -> None:
    over = decide(a_payment(600 * BTC, **BUMP), a_history(("amir", 1), spends=(spend(500 * BTC),)))
    assert denied(over) == {"payment.limits.day"}
    assert denied(decide(a_payment(**BUMP, payees=STRANGER), APPROVED)) == {"payment.unlisted"}


def test_a_bump_of_a_move_has_no_payees_and_no_limits() -> None:
    zero = bank(put("payment.limits.day", "0sat"))
    assert decide(a_payment(**BUMP | {"payees": ()}), APPROVED, policy=zero).is_allowed
    assert decide(a_payment(**BUMP | {"payees": ()}), APPROVED, policy=bank(drop("payment"))).is_allowed
    paying = decide(a_payment(**BUMP), APPROVED, policy=bank(drop("payment")))
    assert denied(paying) == {"payment"}
    assert words(paying, "payment") == "the policy has no section `payment`: a bump can't pay anybody either"


SWEEPERS = a_history(("amir", 1), ("chanda", 1), ("esma", 1))


def test_an_emergency_goes_by_its_own_rules_only() -> None:
    night = replace(SWEEPERS, now=MONDAY + 12 * HOUR_S, spends=(spend(5_000 * BTC),))
    used = (own(was_used=True, balance_after=Sats(9_000 * BTC)),)
    inputs = (coin(label="mining", confirmations=1), coin(1, label="grant"))
    decision = decide(a_payment(**SWEEP, own_outputs=used, inputs=inputs), night)
    assert decision.is_allowed
    assert words(decision, "emergency.sweep") == "it pays 90 BTC (9,000,000,000 sat) to 1 destination"
    assert words(decision, "emergency.sweep.destinations") == "every payee is one that path `sweep` names"


def test_an_emergency_path_is_open_while_suspended_only_where_it_says_so() -> None:
    suspended = replace(SWEEPERS, suspended_by="farid")
    decision = decide(a_payment(**SWEEP), suspended)
    assert decision.is_allowed
    assert words(decision, "suspension") == (
        "spending is suspended by farid; emergency path `sweep` stays open meanwhile"
    )
    closed = bank(put("emergency.0.while_suspended", False))
    assert denied(decide(a_payment(**SWEEP), suspended, policy=closed)) == {"suspension"}
    # The path opens nothing for a payment of another kind that names it.
    assert denied(decide(a_payment(path="sweep"), replace(APPROVED, suspended_by="farid"))) == {"kind", "suspension"}


def test_an_emergency_pays_its_destinations_only() -> None:
    stranger = PayeeFact("stranger", Sats(BTC))
    soon = PayeeFact("vault", Sats(BTC), "recovery-vault", MONDAY + 1)
    supplier = PayeeFact("shop", Sats(BTC), "supplier", MONDAY)
    decision = decide(a_payment(**SWEEP | {"payees": (*SWEEP["payees"], stranger, soon, supplier)}), SWEEPERS)
    assert denied(decision) == {"emergency.sweep.destinations"}
    assert words(decision, "emergency.sweep.destinations") == (
        "path `sweep` pays only recovery-vault; `stranger` is not on the allowlist | "
        "path `sweep` pays only recovery-vault; `vault` is entry `recovery-vault`, usable from 2026-03-02T06:00:01Z "
        "(mon 2026-03-02 11:00 Asia/Karachi) | path `sweep` pays only recovery-vault; `shop` is entry `supplier`"
    )
    nobody = decide(a_payment(**SWEEP | {"payees": ()}), SWEEPERS)
    assert denied(nobody) == {"emergency.sweep"}


def test_an_emergency_has_limits_of_its_own() -> None:
    policy = bank(put("emergency.0.limits.week", "100btc"))
    history = replace(SWEEPERS, spends=(spend(11 * BTC, 48 * HOUR_S),))
    assert denied(decide(a_payment(**SWEEP), history, policy=policy)) == {"emergency.sweep.limits.week"}


def test_an_unknown_path_is_forbidden() -> None:
    unknown = decide(a_payment(**SWEEP | {"path": "other"}), SWEEPERS)
    assert denied(unknown) == {"emergency"}
    assert words(unknown, "emergency") == "the policy has no emergency path `other`"
    unnamed = decide(a_payment(**SWEEP | {"path": None}), SWEEPERS)
    assert denied(unnamed) == {"emergency"} and words(unnamed, "emergency") == "no path is named"


# Each kind asks all its own rules


@pytest.mark.parametrize(
    ("request_", "rule"), [(MOVE, "internal"), (BUMP, "bump"), (CANCEL, "cancel"), (SWEEP, "emergency.sweep")]
)
def test_each_kind_asks_its_own_people_and_its_own_caps(request_: dict[str, Any], rule: str) -> None:
    nobody = decide(a_payment(**request_), a_history())
    assert missing(nobody) == {f"{rule}.approvals"} and denied(nobody) == set()
    enough = a_history(("amir", 1), ("bilal", 1), ("chanda", 1), ("esma", 1))
    large = a_payment(**request_, fee=Sats(BTC), vsize=100_000)
    assert f"{rule}.fee.max" in denied(decide(large, enough))


@pytest.mark.parametrize("request_", [MOVE, BUMP, {}])
def test_each_ordinary_kind_but_a_cancel_leaves_frozen_coins(request_: dict[str, Any]) -> None:
    assert denied(decide(a_payment(**request_, inputs=(coin(is_frozen=True),)), APPROVED)) == {"coins.frozen"}


@pytest.mark.parametrize("request_", [MOVE, BUMP, CANCEL, {}])
def test_each_ordinary_kind_pays_an_address_of_ours_once(request_: dict[str, Any]) -> None:
    used = (own(was_used=True),)
    assert denied(decide(a_payment(**request_, own_outputs=used), APPROVED)) == {"coins.address_reuse"}


# What callers do with a decision


def test_a_denial_is_raised_with_every_rule_that_forbids() -> None:
    decision = decide(a_payment(payees=STRANGER, locktime=900_001), APPROVED)
    with pytest.raises(PolicyDenied) as caught:
        require_not_denied(decision)
    assert (caught.value.code, caught.value.exit_code) == (Code.POLICY_DENIED, 4)
    assert caught.value.message.startswith("the spend policy says no: `stranger` is not on the allowlist")
    assert "; locktime 900001 is not a height" in caught.value.message
    assert caught.value.lead == "the spend policy says no"
    assert caught.value.points == tuple(decision.to_json()["reasons"])
    assert caught.value.details["decision"] == decision.to_json()
    with pytest.raises(PolicyDenied):
        require_allowed(decision)


def test_what_is_missing_is_a_not_yet() -> None:
    decision = decide(a_payment(), a_history(("amir", 1)))
    require_not_denied(decision)
    with pytest.raises(NotYet) as caught:
        require_allowed(decision)
    assert (caught.value.code, caught.value.exit_code) == (Code.APPROVALS_MISSING, 5)
    assert caught.value.message.startswith("not yet: 1 more approval")
    assert caught.value.details["decision"] == decision.to_json()
    require_allowed(decide(a_payment(), APPROVED))


def test_nothing_that_permits_is_a_denial() -> None:
    empty = Decision((Reason("some", Effect.MISSING, "words"),))
    assert empty.is_denied and not empty.is_allowed
    with pytest.raises(PolicyDenied, match="no rule of the policy permits it"):
        require_not_denied(empty)


def test_a_decision_in_json() -> None:
    decision = decide(a_payment(locktime=900_001), a_history(("amir", 1), ("bilal", 1)))
    answer = decision.to_json()
    assert (answer["allowed"], answer["missing"]) == (False, [])
    assert answer["reasons"] == ["locktime 900001 is not a height of at most the tip's, 900000"]
    assert answer["rules"] == [reason.to_json() for reason in decision.reasons]
    assert {"rule": "coins.frozen", "effect": "permit", "words": "no coin is frozen"} in answer["rules"]  # type: ignore[operator]
    assert [str(gate) for gate in Gate] == ["draft", "approve", "sign", "finalize", "broadcast"]
    effects = {str(effect) for effect in Effect}
    assert effects == {"permit", "forbid", "missing"}
    waiting = decide(a_payment(), a_history(("amir", 1))).to_json()
    assert waiting["reasons"] == [reason["words"] for reason in waiting["rules"]]  # type: ignore[union-attr,index]
    assert waiting["missing"] == [
        {
            "rule": "payment.tiers.routine.approvals",
            "what": "1 more approval: it needs 2 approver, each a different person; approved so far by amir",
            "from": ["bilal", "chanda"],
        }
    ]
