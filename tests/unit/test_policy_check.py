"""What `policy check` finds: each finding by itself."""

import pytest

from custody.codes import Code
from custody.errors import Finding, Severity
from custody.policy.check import check_policy, unreachable_quorums
from custody.policy.facts import OfficerFact
from custody.policy.load import load_policy
from custody_policies.templates import template, template_names
from support.policies import OFFICERS, Edit, bank, drop, put


def found(*edits: Edit) -> list[tuple[Code, str]]:
    return [(one.code, one.where) for one in check_policy(bank(*edits))]


def only(*edits: Edit) -> Finding:
    findings = check_policy(bank(*edits))
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize("name", template_names())
def test_nothing_is_found_in_a_template(name: str) -> None:
    assert [one for one in check_policy(load_policy(template(name))) if one.severity is not Severity.NOTE] == []


def test_nothing_is_found_in_the_bank_with_its_officers() -> None:
    assert check_policy(bank(), OFFICERS) == ()


def test_a_tier_that_is_not_above_the_one_before_is_unreachable() -> None:
    finding = only(put("payment.tiers.0.up_to", "1000btc"))
    assert (finding.code, finding.severity) == (Code.POLICY_TIER_UNREACHABLE, Severity.WARN)
    assert finding.where == "payment.tiers.large"
    assert "its `up_to` is not above that of tier `routine` before it" in finding.message
    assert found(put("payment.tiers.0.up_to", "unlimited")) == [(Code.POLICY_TIER_UNREACHABLE, "payment.tiers.large")]
    assert found(put("payment.tiers.0.up_to", "999.99999999btc")) == []


def test_a_tier_above_the_limit_per_payment_is_unreachable_unless_strangers_lift_to_it() -> None:
    low = (put("payment.limits.payment", "10btc"),)
    finding = only(*low)
    assert (finding.code, finding.where) == (Code.POLICY_TIER_UNREACHABLE, "payment.tiers.large")
    assert "`limits.payment` lets no payment be that large" in finding.message
    assert found(*low, put("payment.unlisted", "large")) == []
    assert found(put("payment.limits.payment", "10.00000001btc")) == []


@pytest.mark.parametrize(
    "edit",
    [
        put("payment.tiers.1.approvals", {"approver": 1, "board": 1}),
        put("payment.tiers.1.approvals", {"approver": 1, "board": 2}),
        put("payment.tiers.0.waiting", "7h"),
        put("payment.tiers.1.hours", "any"),
        put("payment.tiers.1.hours.to", "17:01"),
        put("payment.tiers.1.hours.days", ["mon", "sat"]),
    ],
)
def test_a_tier_that_asks_for_less_than_the_one_below_is_weaker(edit: Edit) -> None:
    finding = only(edit)
    assert (finding.code, finding.severity, finding.where) == (
        Code.POLICY_TIER_WEAKER,
        Severity.WARN,
        "payment.tiers.large",
    )
    assert "it asks for less than tier `routine` below it: large." in finding.message


def test_an_allowlist_that_makes_nothing_easier_is_idle() -> None:
    assert found(put("payment.unlisted", "routine")) == [(Code.POLICY_ALLOWLIST_IDLE, "payment.unlisted")]
    assert found(put("payment.unlisted", "large")) == []


def test_a_limit_never_binds_behind_a_smaller_one() -> None:
    finding = only(put("payment.limits.day", "999btc"))
    assert (finding.code, finding.severity) == (Code.POLICY_LIMIT_IDLE, Severity.NOTE)
    assert (finding.where, finding.message) == ("payment.limits.payment", "it never binds: `day` is smaller")
    assert found(put("payment.limits.week", "1000btc"), put("payment.limits.month", "1000btc")) == []
    assert found(put("payment.limits.month", "1999btc")) == [(Code.POLICY_LIMIT_IDLE, "payment.limits.week")]
    assert found(put("payment.limits.day", "unlimited")) == []
    assert found(put("emergency.0.limits.day", "5btc"), put("emergency.0.limits.week", "4btc")) == [
        (Code.POLICY_LIMIT_IDLE, "emergency.sweep.limits.day")
    ]


def test_a_limit_per_payment_above_every_tier_never_binds() -> None:
    above = [put(f"payment.limits.{name}", "1000.00000001btc") for name in ("payment", "day", "week", "month")]
    assert found(*above) == [(Code.POLICY_LIMIT_IDLE, "payment.limits.payment")]
    assert found(*above, put("payment.tiers.1.up_to", "unlimited")) == []
    assert found(put("payment.limits.payment", "unlimited")) == []


@pytest.mark.parametrize(
    ("edits", "where"),
    [
        ([put(f"payment.limits.{name}", "0sat") for name in ("payment", "day")], "payment.limits.day"),
        ([put("payment.limits.month", "0sat")], "payment.limits.month"),
        ([put("cancel.expiry", "0h")], "cancel.expiry"),
        ([put("payment.fee.max", "0sat")], "payment.fee"),
        ([put("payment.fee.max_percent", "0%")], "payment.fee"),
        ([put("internal.fee.max_rate", "0.999sat/vb")], "internal.fee"),
        ([put("bump.expiry", "0h")], "bump.expiry"),
        ([put("payment.expiry", "6h")], "payment.expiry"),
        ([put("emergency.0.fee.max", "0sat")], "emergency.sweep.fee"),
        ([put("coins.address_cap", "0sat")], "coins.address_cap"),
    ],
)
def test_a_value_that_forbids_everything_is_found(edits: list[Edit], where: str) -> None:
    assert (Code.POLICY_FORBIDS_ALL, where) in found(*edits)


def test_values_beside_those_are_fine() -> None:
    edits = [
        put("payment.fee.max", "1sat"),
        put("payment.fee.max_percent", "0.01%"),
        put("internal.fee.max_rate", "1sat/vb"),
        put("payment.expiry", "361m"),
        put("coins.address_cap", "1sat"),
        put("bump.fee.max_rate", "unlimited"),
    ]
    assert found(*edits) == []


def test_a_policy_that_pays_nobody_is_found() -> None:
    assert found(drop("payment"), drop("emergency")) == [(Code.POLICY_FORBIDS_ALL, "payment")]
    assert found(drop("payment")) == []
    assert found(drop("emergency")) == []


def test_without_a_cancel_there_is_no_way_back() -> None:
    finding = only(drop("cancel"))
    assert (finding.code, finding.severity, finding.where) == (Code.POLICY_NO_WAY_BACK, Severity.NOTE, "cancel")


def test_an_emergency_path_that_asks_fewer_people_is_wide() -> None:
    finding = only(put("emergency.0.approvals", {"board": 2}))
    assert (finding.code, finding.where) == (Code.POLICY_EMERGENCY_WIDE, "emergency.sweep")
    assert "it asks 2 people where an ordinary payment of that size (tier `large`) asks 3" in finding.message
    assert found(put("emergency.0.approvals", {"board": 2}), put("emergency.0.limits.payment", "10btc")) == []
    assert found(put("emergency.0.approvals", {"board": 1}), drop("payment")) == []


def test_people_who_decide_alone_are_found() -> None:
    assert found(put("governance.approvals", {"administrator": 1})) == [(Code.POLICY_TOO_FEW_PEOPLE, "governance")]
    assert found(put("internal.approvals", "none")) == [(Code.POLICY_TOO_FEW_PEOPLE, "internal")]
    assert found(put("bump.drafter_approves", True)) == [(Code.POLICY_TOO_FEW_PEOPLE, "bump")]
    assert found(put("internal.drafter_approves", True)) == []
    assert found(put("cancel.approvals", "none")) == []
    assert (Code.POLICY_TOO_FEW_PEOPLE, "payment.tiers.routine") in found(put("payment.tiers.0.approvals", "none"))


# Officers


def without(*names: str) -> tuple[OfficerFact, ...]:
    return tuple(one for one in OFFICERS if one.name not in names)


def test_every_quorum_is_reachable_by_enough_officers() -> None:
    assert unreachable_quorums(bank(), OFFICERS) == ()


def test_a_quorum_that_nobody_can_complete_is_named() -> None:
    assert unreachable_quorums(bank(), without("gul")) == ("`governance` (2 administrator and 1 auditor)",)
    lost = unreachable_quorums(bank(), without("chanda", "esma"))
    assert lost == (
        "`payment.tiers.large` (2 approver and 1 board, beside a drafter)",
        "`emergency.sweep` (1 approver and 2 board, beside a drafter)",
    )
    findings = check_policy(bank(), without("gul"))
    assert [(one.code, one.severity, one.where) for one in findings] == [
        (Code.POLICY_QUORUM_UNREACHABLE, Severity.REFUSE, "governance")
    ]
    assert findings[0].message == "these officers can't complete `governance` (2 administrator and 1 auditor)"


def test_one_person_in_two_roles_fills_one_place_of_a_quorum() -> None:
    assert unreachable_quorums(bank(), without("hina")) == ("`governance` (2 administrator and 1 auditor)",)


def test_without_any_drafter_nothing_can_be_paid() -> None:
    nobody_drafts = [one.split("`")[1] for one in unreachable_quorums(bank(), without("dina"))]
    assert nobody_drafts == [
        "payment.tiers.routine", "payment.tiers.large", "internal", "bump", "cancel", "emergency.sweep",
    ]  # fmt: skip


def test_a_drafter_must_be_found_beside_the_quorum() -> None:
    officers = (OfficerFact("dina", frozenset({"drafter", "approver"})), OfficerFact("amir", frozenset({"approver"})))
    policy = bank(*(drop(name) for name in ("payment", "bump", "cancel", "emergency")))
    assert "`internal` (2 approver, beside a drafter)" in unreachable_quorums(policy, officers)
    counting = bank(
        put("internal.drafter_approves", True), *(drop(name) for name in ("payment", "bump", "cancel", "emergency"))
    )
    assert "`internal` (2 approver, beside a drafter)" not in unreachable_quorums(counting, officers)
    other_drafter = (*officers, OfficerFact("gul", frozenset({"drafter"})))
    assert "`internal` (2 approver, beside a drafter)" not in unreachable_quorums(policy, other_drafter)


def test_a_role_that_nobody_has_is_named_once() -> None:
    findings = check_policy(bank(), without("chanda", "esma"))
    roles = [one for one in findings if one.code is Code.POLICY_ROLE_UNHELD]
    assert [(one.severity, one.where, one.message) for one in roles] == [
        (Severity.WARN, "role:board", "no officer has the role `board`")
    ]
    nobody = [one.where for one in check_policy(bank(), ()) if one.code is Code.POLICY_ROLE_UNHELD]
    assert nobody == [f"role:{role}" for role in ("administrator", "approver", "auditor", "board", "drafter")]
    governance_alone = bank(*(drop(name) for name in ("payment", "internal", "bump", "cancel", "emergency")))
    roles_alone = [one.where for one in check_policy(governance_alone, ()) if one.code is Code.POLICY_ROLE_UNHELD]
    assert roles_alone == ["role:administrator", "role:auditor"]


def test_a_key_that_proves_less_than_once_a_year_is_named() -> None:
    finding = only(put("keys.prove_every", "367d"))
    assert (finding.code, finding.severity) == (Code.POLICY_KEYS_SELDOM_PROVEN, Severity.WARN)
    assert "367 days" in finding.message
    assert found(put("keys.prove_every", "366d")) == found(drop("keys")) == []
