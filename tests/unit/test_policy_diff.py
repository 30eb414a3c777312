"""Two policies side by side, and whether the new one is provably no weaker."""

from typing import Any

import pytest

from custody.policy.diff import PolicyDiff, diff_policies, is_no_weaker
from custody.policy.load import load_policy
from custody_policies.templates import template, template_names
from support.policies import Edit, bank, drop, put


def diff(*edits: Edit) -> PolicyDiff:
    return diff_policies(bank(), bank(*edits))


def back(*edits: Edit) -> PolicyDiff:
    return diff_policies(bank(*edits), bank())


HARDER = [
    (put("governance.approvals", {"administrator": 2, "auditor": 2}), "governance.approvals: from 2 administrator"),
    (put("governance.approvals", {"administrator": 2, "auditor": 1, "board": 1}), "and 1 auditor and 1 board"),
    (put("governance.waiting", "49h"), "governance.waiting: from 48 hours to 49 hours"),
    (put("allowlist.waiting", "25h"), "allowlist.waiting: from 24 hours to 25 hours"),
    (put("coins.address_cap", "999btc"), "coins.address_cap: from 1,000 BTC (100,000,000,000 sat) to 999 BTC"),
    (put("coins.keep_apart", ["mining", "grant", "tax"]), "coins labelled `tax…` are now kept apart"),
    (put("payment.limits.payment", "999btc"), "payment.limits.payment: from 1,000 BTC"),
    (put("payment.limits.day", "999btc"), "payment.limits.day: from 1,000 BTC"),
    (put("payment.limits.week", "0sat"), "payment.limits.week: from 2,000 BTC (200,000,000,000 sat) to 0 BTC (0 sat)"),
    (put("payment.limits.month", "1btc"), "payment.limits.month: from 5,000 BTC"),
    (put("payment.fee.max", "1sat"), "payment.fee.max: from 0.01000000 BTC (1,000,000 sat) to 0.00000001 BTC (1 sat)"),
    (put("payment.fee.max_rate", "199.999sat/vb"), "payment.fee.max_rate: from 200 sat/vB to 199.999 sat/vB"),
    (put("payment.fee.max_percent", "0.99%"), "payment.fee.max_percent: from 1 % to 0.99 %"),
    (put("payment.confirmations", 7), "payment.confirmations: from 6 to 7"),
    (put("payment.inputs.min", 2), "payment.inputs.min: from 1 to 2"),
    (put("payment.inputs.max", 99), "payment.inputs.max: from 100 to 99"),
    (put("emergency.0.inputs.max", 99), "emergency.sweep.inputs.max: from unlimited to 99"),
    (put("payment.expiry", "13d"), "payment.expiry: from 14 days to 13 days"),
    (put("internal.confirmations", 7), "internal.confirmations: from 6 to 7"),
    (put("internal.approvals", {"approver": 3}), "internal.approvals: from 2 approver to 3 approver"),
    (put("bump.waiting", "1h"), "bump.waiting: from no time to 1 hour"),
    (put("cancel.drafter_approves", False), "cancel.drafter_approves: from yes to no"),
    (put("cancel.hours", {"days": ["mon"], "from": "09:00", "to": "24:00"}), "from any hour to mon 09:00 to 24:00"),
    (put("internal.hours.to", "16:00"), "internal.hours: from mon, tue, wed, thu, fri 09:00 to 17:00 to mon, tue"),
    (put("emergency.0.while_suspended", False), "emergency.sweep.while_suspended: from yes to no"),
    (put("emergency.0.limits.month", "9btc"), "emergency.sweep.limits.month: from unlimited to 9 BTC"),
    (put("emergency.0.approvals", {"approver": 1, "board": 3}), "emergency.sweep.approvals: from"),
    (drop("payment"), "payment: forbidden from now on"),
    (drop("internal"), "internal: forbidden from now on"),
    (drop("bump"), "bump: forbidden from now on"),
    (drop("cancel"), "cancel: forbidden from now on"),
    (drop("emergency"), "emergency.sweep: forbidden from now on"),
    (put("payment.tiers.0.up_to", "9btc"), "payment above 9 BTC (900,000,000 sat) up to 10 BTC"),
    (put("payment.tiers.1.waiting", "7h"), "payment above 10 BTC (1,000,000,000 sat) up to 1,000 BTC"),
    (put("payment.tiers.0.approvals", {"approver": 3}), "payment up to 10 BTC (1,000,000,000 sat).approvals"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "words"), HARDER)
def test_what_is_harder_is_no_weaker_and_its_reverse_is_easier(edit: Edit, words: str) -> None:
    there, and_back = diff(edit), back(edit)
    assert any(words in one for one in there.harder), there
    assert (there.easier, and_back.harder) == ((), ())
    assert and_back.easier
    assert is_no_weaker(bank(), bank(edit)) and not is_no_weaker(bank(edit), bank())


FLAGS = [
    ("governance.custodians_attest", False, "governance.custodians_attest: from yes to no"),
    ("coins.address_reuse", "allowed", "coins.address_reuse: from no to yes"),
    ("keys.prove_every", "91d", "keys.prove_every: from 90 days to 91 days"),
    ("payment.drafter_approves", True, "payment.drafter_approves: from no to yes"),
    ("payment.locktime", "any", "payment.locktime: only the tip's: from yes to no"),
    ("payment.replaceable", "any", "payment.replaceable: required: from yes to no"),
    ("internal.drafter_approves", True, "internal.drafter_approves: from no to yes"),
    ("emergency.0.drafter_approves", True, "emergency.sweep.drafter_approves: from no to yes"),
    ("coins.keep_apart", ["mining"], "coins.keep_apart: coins labelled `grant…` are no longer kept apart"),
    ("emergency.0.destinations", ["recovery-vault", "x"], "emergency.sweep.destinations: x is added"),
]


@pytest.mark.parametrize(("path", "value", "words"), FLAGS)
def test_what_is_easier_is_weaker_and_its_reverse_is_harder(path: str, value: object, words: str) -> None:
    there, and_back = diff(put(path, value)), back(put(path, value))
    assert there.easier == (words,)
    assert there.harder == and_back.easier == ()
    assert len(and_back.harder) == 1


def test_a_destination_that_goes_is_harder() -> None:
    wide = put("emergency.0.destinations", ["recovery-vault", "x"])
    assert back(wide).harder == ("emergency.sweep.destinations: x is removed",)


def test_name_version_and_zone_are_neutral_where_no_hours_depend_on_them() -> None:
    def no_hours(document: Any) -> None:
        for tier in document["payment"]["tiers"]:
            tier["hours"] = "any"
        document["internal"]["hours"] = "any"

    moved = bank(no_hours, put("name", "other"), put("version", 2), put("time_zone", "UTC"))
    found = diff_policies(bank(no_hours), moved)
    assert found.to_json() == {
        "easier": [],
        "harder": [],
        "neutral": [
            "name: from central-bank to other",
            "version: from 1 to 2",
            "time_zone: from Asia/Karachi to UTC",
        ],
    }


def test_the_same_hours_in_another_zone_are_easier() -> None:
    found = diff(put("time_zone", "UTC"))
    assert len(found.easier) == 3
    assert found.easier[-1] == (
        "internal.hours: from mon, tue, wed, thu, fri 09:00 to 17:00 to mon, tue, wed, thu, fri 09:00 to 17:00, "
        "in another time zone"
    )


def test_hours_where_there_were_none_are_harder_in_any_zone() -> None:
    hours = {"days": ["mon"], "from": "09:00", "to": "17:00"}
    old = bank(drop("payment"), drop("internal"), put("time_zone", "UTC"))
    new = bank(drop("payment"), drop("internal"), put("cancel.hours", hours))
    assert diff_policies(old, new).harder == (
        "cancel.hours: from any hour to mon 09:00 to 17:00, in another time zone",
    )
    assert diff_policies(new, old).easier == (
        "cancel.hours: from mon 09:00 to 17:00 to any hour, in another time zone",
    )


def test_hours_that_move_are_easier_and_not_called_harder() -> None:
    found = diff(put("internal.hours.from", "08:00"), put("internal.hours.to", "16:00"))
    assert len(found.easier) == 1 and found.harder == ()


def test_other_people_instead_are_easier() -> None:
    found = diff(put("internal.approvals", {"board": 5}))
    assert found.easier == ("internal.approvals: from 2 approver to 5 board",)
    assert diff(put("internal.approvals", "none")).easier == ("internal.approvals: from 2 approver to nobody",)


def test_a_tier_that_reaches_further_is_easier_where_the_old_one_asked_more() -> None:
    found = diff(put("payment.tiers.0.up_to", "11btc"))
    assert found.easier == (
        "payment above 10 BTC (1,000,000,000 sat) up to 11 BTC (1,100,000,000 sat).approvals: "
        "from 2 approver and 1 board to 2 approver",
        "payment above 10 BTC (1,000,000,000 sat) up to 11 BTC (1,100,000,000 sat).waiting: from 6 hours to no time",
    )
    assert found.neutral == (
        "payment above 10 BTC (1,000,000,000 sat) up to 11 BTC (1,100,000,000 sat): tier large is now routine",
    )


def test_amounts_that_had_no_tier_are_easier() -> None:
    found = diff(put("payment.tiers.1.up_to", "unlimited"))
    assert found.easier == ("payment above 1,000 BTC (100,000,000,000 sat): allowed from now on, by rules of its own",)
    shrunk = back(put("payment.tiers.1.up_to", "unlimited"))
    assert shrunk.harder == ("payment above 1,000 BTC (100,000,000,000 sat): forbidden from now on",)


def test_a_new_section_or_path_is_easier() -> None:
    assert back(drop("internal")).easier == ("internal: allowed from now on, by rules of its own",)
    renamed = diff(put("emergency.0.name", "rescue"))
    assert renamed.easier == ("emergency.rescue: allowed from now on, by rules of its own",)
    assert renamed.harder == ("emergency.sweep: forbidden from now on",)


def test_strangers_are_compared_by_the_tier_that_they_are_lifted_to() -> None:
    allowed = diff(put("payment.unlisted", "large"))
    assert allowed.easier == (
        "payment up to 10 BTC (1,000,000,000 sat), to others: allowed from now on, by rules of its own",
        "payment above 10 BTC (1,000,000,000 sat) up to 1,000 BTC (100,000,000,000 sat), to others: "
        "allowed from now on, by rules of its own",
    )
    lowered = diff_policies(bank(put("payment.unlisted", "large")), bank(put("payment.unlisted", "routine")))
    assert lowered.easier == (
        "payment up to 10 BTC (1,000,000,000 sat), to others.approvals: from 2 approver and 1 board to 2 approver",
        "payment up to 10 BTC (1,000,000,000 sat), to others.waiting: from 6 hours to no time",
    )
    assert is_no_weaker(bank(put("payment.unlisted", "routine")), bank(put("payment.unlisted", "large")))


def test_tiers_and_what_strangers_need_may_change_at_once() -> None:
    old = bank(put("payment.unlisted", "large"))
    new = bank(put("payment.unlisted", "large"), put("payment.tiers.1.waiting", "7h"))
    found = diff_policies(old, new)
    assert found.easier == ()
    assert found.harder == (
        "payment up to 10 BTC (1,000,000,000 sat), to others.waiting: from 6 hours to 7 hours",
        "payment above 10 BTC (1,000,000,000 sat) up to 1,000 BTC (100,000,000,000 sat).waiting: "
        "from 6 hours to 7 hours",
    )


@pytest.mark.parametrize("name", template_names())
def test_a_policy_equals_itself(name: str) -> None:
    policy = load_policy(template(name))
    assert diff_policies(policy, policy) == PolicyDiff((), (), ())
    assert is_no_weaker(policy, policy)


def test_another_spelling_changes_nothing() -> None:
    assert diff(put("governance.waiting", "2d")) == PolicyDiff((), (), ())


def test_addresses_that_may_be_published_again_are_easier() -> None:
    committed, shown = (put("publication", {"addresses": word}) for word in ("committed", "shown"))
    assert diff(shown) == PolicyDiff((), (), ())
    assert diff(committed).harder == ("publication.addresses: shown: from yes to no",)
    assert back(committed).easier == ("publication.addresses: shown: from no to yes",)


def test_no_interval_for_proofs_of_keys_is_easier_than_any() -> None:
    assert diff(drop("keys")).easier == ("keys.prove_every: from 90 days to unlimited",)
    assert back(drop("keys")).harder == ("keys.prove_every: from unlimited to 90 days",)
