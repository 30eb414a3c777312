"""Reading a spend policy: strict, with the place of every refusal."""

from copy import deepcopy
from typing import Any

import pytest

from custody.codes import Code
from custody.documents import strict_yaml
from custody.documents.canonical_json import digest
from custody.errors import InvalidInput, UpgradeNeeded
from custody.people.quorum import Quorum
from custody.policy.hours import Hours
from custody.policy.limit import (
    Limit,
    parse_duration,
    parse_percent,
    show_amount,
    show_duration,
    show_percent,
    show_rate,
)
from custody.policy.load import load_policy, policy_from_document
from custody.policy.reading import show_path
from custody_policies.templates import template, template_names

BANK = template("central-bank")


def refused(text: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        load_policy(text)
    return caught.value


def test_reads_the_central_bank_template() -> None:
    policy = load_policy(BANK)
    assert (policy.name, policy.version, policy.time_zone) == ("central-bank", 1, "Asia/Karachi")
    assert policy.governance.approvals == Quorum.of({"administrator": 2, "auditor": 1})
    assert (policy.governance.waiting, policy.allowlist_waiting) == (172_800, 86_400)
    assert policy.governance.custodians_attest
    assert policy.payment is not None
    large = policy.payment.tiers[1]
    assert (large.name, large.up_to, large.consent.waiting) == ("large", Limit(1_000 * 10**8), 21_600)
    assert large.consent.hours == Hours(frozenset(range(5)), 540, 1_020)
    assert policy.payment.limits.of_window("week") == Limit(2_000 * 10**8)
    assert policy.payment.transaction.fee.rate == Limit(200_000)
    assert policy.payment.transaction.fee.percent == Limit(100)
    assert policy.payment.transaction.locktime_by_tip and policy.payment.transaction.must_signal_replacement
    assert policy.coins.keep_apart == ("mining", "grant")
    assert not policy.coins.address_reuse
    assert policy.prove_keys_every == 90 * 86_400
    sweep = policy.path_named("sweep")
    assert sweep is not None and sweep.while_suspended and sweep.limits.day == Limit(None)
    assert sweep.transaction.max_inputs == Limit(None)
    assert policy.path_named("other") is None
    assert policy.cancel is not None and policy.cancel.drafter_approves and policy.cancel.consent.hours is None


@pytest.mark.parametrize("name", template_names())
def test_the_journal_s_document_means_the_same_and_keeps_its_digest(name: str) -> None:
    policy = load_policy(template(name).encode())
    assert policy_from_document(policy.to_document()) == policy
    assert policy.digest == digest(strict_yaml.load(template(name)))
    assert "canonical" not in repr(policy)


def test_two_spellings_of_a_duration_are_two_documents_with_one_meaning() -> None:
    one, other = load_policy(BANK), load_policy(BANK.replace("waiting: 48h", "waiting: 2d"))
    assert one.digest != other.digest
    assert one.governance == other.governance


REFUSALS = [
    ("  waiting: 48h", "  waiting: 48", "line 11, column 12: `governance.waiting`: this is not a duration"),
    ("  waiting: 48h", "  waiting: 048h", "is not a duration in whole minutes"),
    ("  waiting: 48h", "  waiting: 4000d", "of at most 3,650 days"),
    ("waiting: 6h", "wating: 6h", "line 35, column 7: `payment.tiers[1]`: `wating` is unknown here; known are approv"),
    ("up_to: 10btc", "up_to: 10", "line 28, column 14: `payment.tiers[0].up_to`: this is not an amount with its unit"),
    ("up_to: 10btc", 'up_to: "10"', "amount `10` has no unit"),
    ("up_to: 10btc", "up_to: 1.5sat", "has a fraction of a satoshi"),
    ("up_to: 10btc", "up_to: Unlimited", "neither like `1.5btc`"),
    ("name: routine", "name: Routine", "is empty, too long, or not only a-z"),
    ("name: routine", "name: large", "line 27, column 5: `payment.tiers`: a name stands twice in this list"),
    ("name: routine", "name: deny", "a tier can't be called `deny`"),
    ("unlisted: deny", "unlisted: huge", "this is neither `deny` nor the name of a tier"),
    ("unlisted: deny", "unlisted: 3", "this is not `deny` or the name of a tier"),
    ("{approver: 2}", "{}", "approvals name 1 to 8 roles; where nobody is asked, write `none`"),
    ("{approver: 2}", "{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1}", "approvals name 1 to 8 roles"),
    ("{approver: 2}", "{approver: 0}", "`payment.tiers[0].approvals.approver`: this is not a whole number"),
    ("{approver: 2}", "{approver: 101}", "from 1 to 100"),
    ("{approver: 2}", "{approver: true}", "from 1 to 100"),
    ("{approver: 2}", "{Approver: 2}", "a role is not 1 to 32 of a-z"),
    ("{approver: 2}", "two", "this is not a mapping of names to values"),
    ("{administrator: 2, auditor: 1}", "none", "needs at least one approval; it can't be `none`"),
    ("{approver: 2, board: 1}", "none", "waiting counts from the last approval, and none is asked for"),
    ('"17:00"', '"09:00"', "`from` is not before `to`; hours don't cross midnight"),
    ('"17:00"', '"24:01"', "this is not a time of day"),
    ('"17:00"', '"25:00"', "this is not a time of day"),
    ('"17:00"', "1020", "this is not a time of day in quotes"),
    ("days: [mon, tue, wed, thu, fri]", "days: []", "there is no day"),
    ("days: [mon, tue, wed, thu, fri]", "days: [mon, mon]", "a name stands twice"),
    ("days: [mon, tue, wed, thu, fri]", "days: [monday]", "`payment.tiers[0].hours.days[0]`: this is none of `mon`"),
    ("days: [mon, tue, wed, thu, fri]", "days: mon", "this is not a list"),
    ("200sat/vb", '"200"', "a fee rate has no unit; write it like `25sat/vb`"),
    ("200sat/vb", "200", "this is not a fee rate"),
    ("200sat/vb", "x200sat/vb", "a fee rate is not a number of sat/vB"),
    ("max_percent: 1%", "max_percent: 101%", "this is not a percentage of 0 to 100"),
    ("max_percent: 1%", "max_percent: 0.125%", "this is not a percentage of 0 to 100"),
    ("max_percent: 1%", "max_percent: 1", "this is not a percentage"),
    ("confirmations: 6", "confirmations: -1", "this is not a whole number from 0 to 10000"),
    ("inputs: {min: 1, max: 100}", "inputs: {min: 0, max: 100}", "from 1 to 10000"),
    ("inputs: {min: 1, max: 100}", "inputs: {min: 3, max: 2}", "`payment.inputs`: `min` is above `max`"),
    ("locktime: tip", "locktime: now", "this is none of `tip`, `any`"),
    ("locktime: tip", "locktime: true", "this is not `tip` or `any`"),
    ("replaceable: required", "replaceable: forbidden", "this is none of `required`, `any`"),
    ("drafter_approves: false", "drafter_approves: maybe", "this is neither true nor false"),
    ("address_reuse: forbidden", "address_reuse: denied", "this is none of `forbidden`, `allowed`"),
    ("[mining, grant]", "[grant, grants]", "`coins.keep_apart[1]`: one of two labels that are kept apart begins with"),
    ("[mining, grant]", "[grants, grant]", "`coins.keep_apart[1]`: one of two labels that are kept apart begins with"),
    ("prove_every: 90d", "prove_every: 0d", "`keys.prove_every`: 0 would make every key overdue at once"),
    ("prove_every: 90d", "prove_every: 90", "`keys.prove_every`: this is not a duration"),
    ("prove_every: 90d", "every: 90d", "`keys`: `every` is unknown here"),
    ("[recovery-vault]", "[]", "an emergency path names no destination"),
    ("[recovery-vault]", "[vault, vault]", "`emergency[0].destinations`: a name stands twice"),
    ("Asia/Karachi", "../Karachi", "this is not the name of a time zone"),
    ("Asia/Karachi", "5", "this is not the name of a time zone"),
    ("version: 1 ", "version: 0 ", "line 6, column 10: `version`: this is not a whole number from 1 to"),
    ("  custodians_attest: true", "  attested: true", "`attested` is unknown here"),
    ("  custodians_attest: true", "  # nothing", "line 10, column 3: `governance`: the field `custodians_att"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "message"), REFUSALS)
def test_refuses_and_names_the_place(good: str, bad: str, message: str) -> None:
    assert good in BANK
    error = refused(BANK.replace(good, bad, 1))
    assert message in error.message
    assert "line " in error.message and "column " in error.message


def test_an_empty_section_is_refused_and_an_absent_one_is_none() -> None:
    document: Any = strict_yaml.load(BANK)
    for section in ("keys", "payment", "internal", "bump", "cancel", "emergency"):
        del document[section]
    policy = policy_from_document(document)
    assert (policy.payment, policy.internal, policy.bump, policy.cancel, policy.emergency) == (None,) * 4 + ((),)
    assert policy.prove_keys_every is None
    assert policy_from_document({**document, "emergency": []}).emergency == ()
    assert policy.publishes_addresses
    shown, committed = ({**document, "publication": {"addresses": word}} for word in ("shown", "committed"))
    assert policy_from_document(shown).publishes_addresses and not policy_from_document(committed).publishes_addresses
    for wrong in ({"addresses": "hidden"}, {"addresses": True}, {}, {"addresses": "shown", "amounts": "shown"}):
        with pytest.raises(InvalidInput):
            policy_from_document({**document, "publication": wrong})
    document = strict_yaml.load(BANK)
    document["payment"]["tiers"] = []
    with pytest.raises(InvalidInput, match="there is no tier; leave out the whole section"):
        policy_from_document(document)


def test_two_emergency_paths_have_two_names() -> None:
    document: Any = strict_yaml.load(BANK)
    document["emergency"] *= 2
    with pytest.raises(InvalidInput, match="a policy is refused: `emergency`: a name stands twice"):
        policy_from_document(document)


@pytest.mark.parametrize("path", ["payment.tiers", "emergency", "emergency.0.destinations", "coins.keep_apart"])
def test_a_list_has_at_most_fifty_items(path: str) -> None:
    document: Any = strict_yaml.load(BANK)
    *parents, last = path.split(".")
    place = document
    for key in parents:
        place = place[int(key) if isinstance(place, list) else key]
    items = place[last]
    for count, refusal in ((50, "stands twice|begins with the other"), (51, "this list has more than 50 items")):
        place[last] = (items * 51)[:count]
        with pytest.raises(InvalidInput, match=refusal):
            policy_from_document(document)


@pytest.mark.parametrize(
    ("good", "bound", "beyond"),
    [
        ("version: 1 ", "version: 1000000000 ", "version: 1000000001 "),
        ("confirmations: 6", "confirmations: 10000", "confirmations: 10001"),
        ("inputs: {min: 1, max: 100}", "inputs: {min: 1, max: 1}", "inputs: {min: 1, max: 0}"),
        ("{approver: 2}", "{approver: 100}", "{approver: 101}"),
        ("{approver: 2}", "{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1}", "{}"),
        ('to: "17:00"', 'to: "24:00"', 'to: "24:01"'),
        ("name: routine", f"name: {'r' * 64}", f"name: {'r' * 65}"),
        ("Asia/Karachi", "A" + "b" * 63, "A" + "b" * 64),
    ],
)
def test_bounds_are_met(good: str, bound: str, beyond: str) -> None:
    load_policy(BANK.replace(good, bound, 1))
    refused(BANK.replace(good, beyond, 1))


def test_a_long_key_is_cut_in_messages() -> None:
    message = refused(BANK.replace("  waiting: 48h", f"  {'k' * 41}: 48h", 1)).message
    assert f"`{'k' * 40}` is unknown here" in message


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [found for key in value for found in ((*path, key), *_places(value[key], (*path, key)))]
    if isinstance(value, list):
        return [found for number, item in enumerate(value) for found in _places(item, (*path, number))]
    return []


@pytest.mark.parametrize("path", _places(strict_yaml.load(BANK)), ids=show_path)
def test_no_field_may_be_absent_but_a_section_or_one_of_two_roles(path: tuple[Any, ...]) -> None:
    document: Any = deepcopy(strict_yaml.load(BANK))
    parent = document
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    is_role = path[-2:-1] == ("approvals",) and parent
    if (path[0] in ("keys", "payment", "internal", "bump", "cancel", "emergency") and len(path) == 1) or is_role:
        policy_from_document(document)
        return
    with pytest.raises(InvalidInput):
        policy_from_document(document)


@pytest.mark.parametrize("path", [(), *_places(strict_yaml.load(BANK))], ids=show_path)
def test_an_unknown_key_is_refused_wherever_it_stands(path: tuple[Any, ...]) -> None:
    document: Any = deepcopy(strict_yaml.load(BANK))
    place = document
    for key in path:
        place = place[key]
    if not isinstance(place, dict):
        return
    place["surprise\u202e"] = 1
    with pytest.raises(InvalidInput) as caught:
        policy_from_document(document)
    if path[-1:] == ("approvals",):
        return
    assert caught.value.code is Code.UNKNOWN_FIELD
    assert r"`surprise\u{202E}` is unknown here" in caught.value.message


def test_another_format_is_an_upgrade_or_no_policy_at_all() -> None:
    with pytest.raises(UpgradeNeeded) as caught:
        load_policy(BANK.replace("custody-policy/1", "custody-policy/2"))
    assert caught.value.code is Code.UPGRADE_NEEDED
    for other in ("format: custody-vault/1", "[]", "format: 1"):
        assert refused(other).code is Code.UNKNOWN_FORMAT


def test_a_syntax_error_is_told_by_the_yaml_reader() -> None:
    assert "line 2, column 1: a key stands twice" in refused("format: custody-policy/1\nformat: x\n").message


def test_limits_compare_as_what_they_let_through() -> None:
    assert Limit(None).allows(10**15) and Limit(5).allows(5) and not Limit(5).allows(6)
    assert Limit(0).allows(0) and not Limit(0).allows(1)
    assert Limit(5).is_within(Limit(5)) and Limit(5).is_within(Limit(None)) and Limit(None).is_within(Limit(None))
    assert not Limit(6).is_within(Limit(5)) and not Limit(None).is_within(Limit(5))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0m", 0), ("30m", 1_800), ("48h", 172_800), ("14d", 1_209_600), ("3650d", 315_360_000), ("87600h", 315_360_000)],
)
def test_durations(text: str, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1.5h", "01h", "-1h", "1s", "1h ", "3651d", "87601h", "٣h"])
def test_refuses_other_durations(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "points"), [("0%", 0), ("0.5%", 50), ("0.05%", 5), ("1%", 100), ("12.34%", 1_234), ("100%", 10_000)]
)
def test_percentages(text: str, points: int) -> None:
    assert parse_percent(text) == points


@pytest.mark.parametrize("text", ["", "1", "%", "1.%", "01%", "-1%", "100.01%", "101%", "1.234%", "1 %", "٣%"])
def test_refuses_other_percentages(text: str) -> None:
    assert parse_percent(text) is None


def test_values_for_people() -> None:
    assert show_amount(60_000_000_000) == "600 BTC (60,000,000,000 sat)"
    assert show_amount(150_000_001) == "1.50000001 BTC (150,000,001 sat)"
    assert show_amount(123_456_700_000_000) == "1,234,567 BTC (123,456,700,000,000 sat)"
    assert show_amount(0) == "0 BTC (0 sat)"
    assert [show_duration(seconds) for seconds in (0, 1, 2, 59, 60, 90 * 60, 3_600, 86_400, 172_800, 259_200)] == [
        "no time", "1 second", "2 seconds", "59 seconds", "1 minute", "90 minutes", "1 hour", "24 hours", "48 hours",
        "3 days",
    ]  # fmt: skip
    assert [show_percent(points) for points in (0, 5, 50, 100, 1_000, 10_000)] == [
        "0 %", "0.05 %", "0.5 %", "1 %", "10 %", "100 %",
    ]  # fmt: skip
    assert [show_rate(rate) for rate in (0, 1, 1_000, 12_500, 9_999_999_000)] == [
        "0 sat/vB", "0.001 sat/vB", "1 sat/vB", "12.5 sat/vB", "9,999,999 sat/vB",
    ]  # fmt: skip
