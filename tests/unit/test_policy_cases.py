"""Cases beside a policy, the templates that ship with theirs, and folders of both."""

from pathlib import Path

import pytest

from custody.codes import Code
from custody.documents import strict_yaml
from custody.errors import InvalidInput, Severity
from custody.policy.cases import CaseResult, load_cases, run_cases
from custody.policy.decision import Gate
from custody.policy.load import load_policy
from custody.spend.proposal import ProposalKind
from custody.workflow.policy_documents import read_policy, run_policy_cases
from custody.workflow.time_zones import time_zone
from custody_policies.templates import template, template_cases, template_names
from support.policies import MONDAY, bank

HEAD = """\
format: custody-policy-cases/1
policy: central-bank
officers:
  dina: [drafter]
  amir: [approver]
  bilal: [approver]
cases:
"""
ORDINARY = """\
  - name: ordinary
    gate: sign
    now: "2026-03-02T06:00:00Z"
    pays: [{value: 5btc, to: supplier}]
    approvals: {amir: 1h, bilal: 30m}
    expect: allowed
"""

GOT_NOTHING = "got denied by nothing, missing nothing; expected "


def results(text: str) -> tuple[CaseResult, ...]:
    _name, cases = load_cases(HEAD + text)
    return run_cases(bank(), cases, zone=time_zone("Asia/Karachi"))


def refused(text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        load_cases(text)
    assert caught.value.message.startswith("a file of cases is refused: line ")
    return caught.value.message.removeprefix("a file of cases is refused: ")


@pytest.mark.parametrize("name", template_names())
def test_every_template_holds_by_its_cases(name: str) -> None:
    policy = load_policy(template(name))
    belongs_to, cases = load_cases(template_cases(name))
    assert policy.name == belongs_to == name
    found = run_cases(policy, cases, zone=time_zone(policy.time_zone))
    assert [(one.case.name, one.problem) for one in found if one.problem] == []
    assert len(found) >= 8
    assert sum(bool(one.case.expect.denied) for one in found) >= 3
    assert any(one.case.expect.missing for one in found)
    assert any(one.decision.is_allowed for one in found)


def test_an_unknown_template_is_refused() -> None:
    for read in (template, template_cases):
        with pytest.raises(InvalidInput, match="no policy template of this name"):
            read("../secrets")


def test_templates_end_in_one_line_feed_and_point_editors_to_the_schema() -> None:
    for name in template_names():
        text = template(name)
        assert text.startswith("# yaml-language-server: $schema=custody-policy-1.schema.json\n")
        assert text.endswith("\n") and not text.endswith("\n\n")


def test_what_a_case_does_not_say_is_ordinary() -> None:
    (result,) = results(ORDINARY)
    assert result.problem is None and result.to_finding() is None
    request, history = result.case.request, result.case.history
    assert (request.kind, request.path, request.drafter, request.group) == (ProposalKind.PAYMENT, None, "dina", "own")
    assert (request.fee, request.vsize, request.locktime, request.signals_replacement) == (4_000, 400, 900_000, True)
    assert (request.expires, request.replaced_fee, request.own_outputs) == (MONDAY + 86_400, None, ())
    assert (request.replaced_was_approved, request.signing_began) == (False, False)
    assert [(one.value, one.confirmations, one.label, one.is_frozen) for one in request.inputs] == [
        (500_004_000, 100, None, False)
    ]
    assert [(one.address, one.entry, one.usable_from) for one in request.payees] == [
        ("address-of-payee", "supplier", MONDAY)
    ]
    assert (history.now, history.tip_height, history.suspended_by) == (MONDAY, 900_000, None)
    assert [(one.officer, one.time) for one in history.approvals] == [
        ("amir", MONDAY - 3_600),
        ("bilal", MONDAY - 1_800),
    ]
    assert (history.spends, history.outflows) == ((), ())


def test_everything_that_a_case_says_enters_its_facts() -> None:
    text = """\
  - name: everything
    gate: broadcast
    now: "2026-03-02T06:00:00Z"
    kind: bump
    path: sweep
    pays: [{value: 1btc}, {value: 2btc, to: x, address: there, usable_in: 2h}]
    returns: [{value: 3btc}, {value: 4btc, address: own, was_used: true, balance_after: 9btc}]
    spends_coins: [{}, {label: mining, confirmations: 3, frozen: true}]
    fee: 5sat
    vsize: 6
    locktime: 7
    replaceable: false
    expires_in: 8m
    drafter: amir
    replaced_fee: 9sat
    replaced_was_approved: true
    signing_began: true
    officers: {zoe: [board, approver]}
    approvals: {zoe: 0m}
    proposals: [{amount: 1sat, approved_ago: 3h}, {amount: 2sat, approved_ago: 2h, ended_ago: 1h, group: g}]
    outflows: [{amount: 3sat, ago: 4h}]
    suspended_by: zoe
    expect: {denied: [kind], missing: [drafter]}
"""
    (result,) = results(text)
    request, history = result.case.request, result.case.history
    assert result.case.gate is Gate.BROADCAST
    assert (request.kind, request.path, request.drafter, request.fee) == (ProposalKind.BUMP, "sweep", "amir", 5)
    assert (request.vsize, request.locktime, request.signals_replacement) == (6, 7, False)
    assert (request.expires, request.replaced_fee) == (MONDAY + 480, 9)
    assert (request.replaced_was_approved, request.signing_began) == (True, True)
    assert [(one.address, one.value, one.entry, one.usable_from) for one in request.payees] == [
        ("address-of-payee", 10**8, None, None),
        ("there", 2 * 10**8, "x", MONDAY + 7_200),
    ]
    assert [(one.address, one.value, one.was_used, one.balance_after) for one in request.own_outputs] == [
        ("own-0", 3 * 10**8, False, 3 * 10**8),
        ("own", 4 * 10**8, True, 9 * 10**8),
    ]
    assert [(one.outpoint, one.label, one.confirmations, one.is_frozen) for one in request.inputs] == [
        ("coin:0", None, 100, False),
        ("coin:1", "mining", 3, True),
    ]
    assert [(one.name, one.roles) for one in history.officers] == [("zoe", frozenset({"board", "approver"}))]
    assert [(one.officer, one.roles, one.time) for one in history.approvals] == [
        ("zoe", frozenset({"board", "approver"}), MONDAY)
    ]
    assert [(one.group, one.amount, one.since, one.ended) for one in history.spends] == [
        ("proposal-0", 1, MONDAY - 10_800, None),
        ("g", 2, MONDAY - 7_200, MONDAY - 3_600),
    ]
    assert [(one.amount, one.time) for one in history.outflows] == [(3, MONDAY - 14_400)]
    assert history.suspended_by == "zoe"
    assert result.case.expect.denied == {"kind"} and result.case.expect.missing == {"drafter"}


def test_a_case_without_a_drafter_says_null() -> None:
    (result,) = results(ORDINARY.replace("expect: allowed", "drafter: null\n    expect: {missing: [drafter]}"))
    assert result.problem is None and result.case.request.drafter is None


@pytest.mark.parametrize(
    ("expect", "problem"),
    [
        ("allowed", None),
        ("{denied: [payment]}", GOT_NOTHING + "denied by `payment`"),
        (
            "{missing: [drafter]}",
            "got denied by nothing, missing nothing; expected denied by nothing, missing `drafter`",
        ),
        (
            "{denied: [b, a], missing: []}",
            GOT_NOTHING + "denied by `a`, `b`, missing nothing",
        ),
    ],
)
def test_a_case_that_fails_says_what_it_got(expect: str, problem: str | None) -> None:
    (result,) = results(ORDINARY.replace("expect: allowed", f"expect: {expect}"))
    assert result.problem == problem


def test_expected_denials_are_exact_and_say_nothing_of_what_is_missing() -> None:
    stranger = ORDINARY.replace(", to: supplier", "").replace("{amir: 1h, bilal: 30m}", "{amir: 1h}")
    for expect, holds in (
        ("allowed", False),
        ("{denied: [payment.unlisted]}", True),
        ("{denied: [payment.unlisted, coins.frozen]}", False),
        ("{denied: [payment.unlisted], missing: []}", False),
        ("{denied: [payment.unlisted], missing: [payment.tiers.routine.approvals]}", True),
        ("{missing: [payment.tiers.routine.approvals]}", False),
    ):
        (result,) = results(stranger.replace("expect: allowed", f"expect: {expect}"))
        assert (result.problem is None) is holds, expect


def test_a_failed_case_is_a_finding() -> None:
    (result,) = results(ORDINARY.replace("expect: allowed", "expect: {denied: [payment]}"))
    finding = result.to_finding()
    assert finding is not None
    assert (finding.code, finding.severity, finding.where) == (
        Code.POLICY_CASE_FAILED,
        Severity.REFUSE,
        "case:ordinary",
    )
    assert finding.message == result.problem


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("gate: sign", "gate: signing", "line 9, column 11: `cases[0].gate`: this is none of `draft`, `approve`"),
        ("gate: sign", "gat: sign", "line 9, column 5: `cases[0]`: `gat` is unknown here"),
        ("    gate: sign\n", "", "`cases[0]`: the field `gate` is missing"),
        ('"2026-03-02T06:00:00Z"', '"2026-03-02"', "line 10, column 10: `cases[0].now`: a time is not `YYYY-MM-DDTHH"),
        ('"2026-03-02T06:00:00Z"', "5", "this is not a time in quotes"),
        ("5btc", "5", "line 11, column 20: `cases[0].pays[0].value`: this is not an amount with its unit"),
        ("5btc", "5eth", "an amount is neither like"),
        ("bilal: 30m", "nobody: 30m", "no officer of the case has this name; there are amir, bilal, dina"),
        ("bilal: 30m", "bilal: 30", "this is not a duration"),
        ("bilal: 30m", "bilal: 30s", "this is not a duration such as `30m`"),
        ("expect: allowed", "expect: {}", "line 13, column 13: `cases[0].expect`: expect `allowed`, or rules under"),
        ("expect: allowed", "expect: {denied: []}", "expect `allowed`, or rules under"),
        ("expect: allowed", "expect: denied", "this is not a mapping"),
        ("expect: allowed", "expect: {denied: [5]}", "this is not a rule"),
        ("name: ordinary", "name: 5", "this is not a sentence"),
        ("  amir: [approver]", "  amir: [Approver]", "line 5, column 9: `officers.amir`: a role is not 1 to 32"),
        ("  amir: [approver]", "  amir: [5]", "this is not a role"),
        ("approvals:", "fee: 1\n    approvals:", "this is not an amount"),
        ("approvals:", "vsize: 0\n    approvals:", "this is not a whole number from 1 to 1000000"),
        ("approvals:", "signing_began: 1\n    approvals:", "this is neither true nor false"),
        ("approvals:", "suspended_by: 1\n    approvals:", "this is not a name"),
        ("approvals:", "drafter: 1\n    approvals:", "this is not a name, or null"),
        ("approvals:", "outflows: [{amount: 1sat}]\n    approvals:", "the field `ago` is missing"),
        ("policy: central-bank", "policy: 1", "this is not the name of a policy"),
    ],
)  # fmt: skip
def test_refuses_cases_and_names_the_place(good: str, bad: str, message: str) -> None:
    text = HEAD + ORDINARY
    assert good in text
    assert message in refused(text.replace(good, bad, 1))


def test_two_cases_have_two_names() -> None:
    assert "two cases have the same name" in refused(HEAD + ORDINARY + ORDINARY)


def test_another_format_is_refused() -> None:
    for text in ("format: custody-policy/1", "[]"):
        with pytest.raises(InvalidInput, match="format is not `custody-policy-cases/1`"):
            load_cases(text)


# Files


def test_a_folder_of_policies_is_tested_file_by_file(tmp_path: Path) -> None:
    for name in ("small-fund", "central-bank"):
        (tmp_path / f"{name}.yaml").write_text(template(name))
        (tmp_path / f"{name}.cases.yaml").write_text(template_cases(name))
    tested = run_policy_cases(tmp_path)
    assert [one.policy.name for one in tested] == ["central-bank", "small-fund"]
    assert all(result.problem is None for one in tested for result in one.results)


def test_a_folder_without_cases_or_policy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there are no cases in"):
        run_policy_cases(tmp_path)
    (tmp_path / "bank.cases.yaml").write_text(HEAD + ORDINARY)
    with pytest.raises(InvalidInput) as caught:
        run_policy_cases(tmp_path)
    assert caught.value.code is Code.FILE_NOT_FOUND
    (tmp_path / "bank.yaml").write_text(template("small-fund"))
    with pytest.raises(InvalidInput, match=r"`bank\.cases\.yaml` are for another policy than `small-fund`"):
        run_policy_cases(tmp_path)


def test_a_policy_is_read_only_with_a_zone_that_exists() -> None:
    assert read_policy(template("central-bank").encode()) == bank()
    with pytest.raises(InvalidInput, match="no time zone of this name"):
        read_policy(template("central-bank").replace("Asia/Karachi", "Asia/Nowhere"))


def test_templates_are_plain_documents() -> None:
    for name in template_names():
        assert isinstance(strict_yaml.load(template(name)), dict)
