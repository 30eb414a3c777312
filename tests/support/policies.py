"""Policies, requests and histories for tests: ordinary ones, changed in the one place that a test is about."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from custody.bitcoin.amount import Sats
from custody.documents import strict_yaml
from custody.policy.decision import Decision, Gate
from custody.policy.evaluate import evaluate
from custody.policy.facts import (
    ApprovalFact,
    History,
    InputFact,
    OfficerFact,
    OwnOutputFact,
    PayeeFact,
    SpendRequest,
)
from custody.policy.load import policy_from_document
from custody.policy.model import SpendPolicy
from custody.spend.expiry import parse_time
from custody.spend.proposal import ProposalKind
from custody.workflow.time_zones import time_zone
from custody_policies.templates import template

BTC = 100_000_000
MONDAY = parse_time("2026-03-02T06:00:00Z")
"""11:00 in Karachi."""
HOUR_S = 3_600

OFFICERS = (
    OfficerFact("amir", frozenset({"approver"})),
    OfficerFact("bilal", frozenset({"approver"})),
    OfficerFact("chanda", frozenset({"approver", "board"})),
    OfficerFact("dina", frozenset({"approver", "drafter"})),
    OfficerFact("esma", frozenset({"board"})),
    OfficerFact("farid", frozenset({"administrator", "auditor"})),
    OfficerFact("gul", frozenset({"administrator"})),
    OfficerFact("hina", frozenset({"auditor"})),
)

Edit = Callable[[Any], None]


def bank(*edits: Edit) -> SpendPolicy:
    """Return the central-bank template, its document edited."""
    document: Any = strict_yaml.load(template("central-bank"))
    for edit in edits:
        edit(document)
    return policy_from_document(document)


def put(path: str, value: object) -> Edit:
    """Return an edit that sets the value at a path of keys and list places: `payment.tiers.0.up_to`."""

    def edit(document: Any) -> None:
        *parents, last = path.split(".")
        for key in parents:
            document = document[int(key) if isinstance(document, list) else key]
        document[int(last) if isinstance(document, list) else last] = value

    return edit


def drop(section: str) -> Edit:
    """Return an edit that leaves out a section."""
    return lambda document: document.pop(section)


def a_payment(amount: int = 5 * BTC, **changes: Any) -> SpendRequest:
    """Return a payment to an entry of the allowlist, with change, drafted by dina."""
    ordinary = SpendRequest(
        kind=ProposalKind.PAYMENT,
        path=None,
        payees=(PayeeFact("payee", Sats(amount - 20_000), "supplier", MONDAY - 1),),
        own_outputs=(OwnOutputFact("change", Sats(BTC), was_used=False, balance_after=Sats(BTC)),),
        inputs=(InputFact("coin:0", Sats(amount + BTC), 100, None, is_frozen=False),),
        fee=Sats(20_000),
        vsize=400,
        locktime=900_000,
        signals_replacement=True,
        expires=MONDAY + 24 * HOUR_S,
        drafter="dina",
        group="own",
    )
    return replace(ordinary, **changes)


def a_history(*approvals: tuple[str, int], **changes: Any) -> History:
    """Return a history in which these officers approved, each so many hours ago."""
    roles = {officer.name: officer.roles for officer in OFFICERS}
    ordinary = History(
        now=MONDAY,
        tip_height=900_000,
        officers=OFFICERS,
        approvals=tuple(ApprovalFact(name, roles[name], MONDAY - hours * HOUR_S) for name, hours in approvals),
    )
    return replace(ordinary, **changes)


def decide(
    request: SpendRequest, history: History | None = None, gate: Gate = Gate.SIGN, policy: SpendPolicy | None = None
) -> Decision:
    """Decide by the central-bank template unless another policy is given."""
    policy = policy or bank()
    return evaluate(policy, request, history or a_history(), gate, zone=time_zone(policy.time_zone))


def denied(decision: Decision) -> set[str]:
    """Return the rules that forbid."""
    return {reason.rule for reason in decision.forbidding}


def missing(decision: Decision) -> set[str]:
    """Return the rules that still wait."""
    return {one.rule for one in decision.missing}


def words(decision: Decision, rule: str) -> str:
    """Return what a rule said, all its sentences joined."""
    return " | ".join(reason.words for reason in decision.reasons if reason.rule == rule)
