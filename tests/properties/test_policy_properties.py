"""What must hold of every policy, request and history: nothing gets easier by accident."""

from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.amount import Sats
from custody.codes import Code
from custody.errors import InvalidInput
from custody.policy.check import check_policy
from custody.policy.decision import Decision, Effect, Gate
from custody.policy.diff import diff_policies, is_no_weaker
from custody.policy.evaluate import evaluate
from custody.policy.explain import explain_decision, explain_policy
from custody.policy.facts import History, SpendRequest
from custody.policy.load import policy_from_document
from custody.policy.model import SpendPolicy
from custody.spend.proposal import ProposalKind
from custody.workflow.time_zones import time_zone
from support.random_policies import (
    ease,
    eased,
    random_document,
    random_history,
    random_request,
    with_more_approvals,
)

SEEDS = st.integers(0, 2**32 - 1)
MANY = settings(max_examples=300, deadline=None)


def decide(policy: SpendPolicy, request: SpendRequest, history: History, gate: Gate) -> Decision:
    return evaluate(policy, request, history, gate, zone=time_zone(policy.time_zone))


def a_question(seed: int) -> tuple[Random, Any, SpendRequest, History, Gate]:
    random = Random(seed)  # noqa: S311
    document = random_document(random)
    ease(random, document)
    request = eased(random, random_request(random))
    return random, document, request, replace(random_history(random), suspended_by=None), random.choice(tuple(Gate))


@MANY
@given(SEEDS)
def test_one_more_approval_never_stops_what_was_allowed(seed: int) -> None:
    random, document, request, history, gate = a_question(seed)
    policy = policy_from_document(document)
    before = decide(policy, request, history, gate)
    after = decide(policy, request, with_more_approvals(random, history), gate)
    assert not (before.is_allowed and not after.is_allowed)
    assert before.is_denied == after.is_denied
    assert {one.rule for one in after.missing} <= {one.rule for one in before.missing} | _hours_of(after)


def _hours_of(decision: Decision) -> set[str]:
    """More approvals can end the wait outside office hours, where before the wait alone was in the way."""
    return {one.rule for one in decision.missing if one.rule.endswith(".hours")}


@MANY
@given(SEEDS, st.integers(1, 60))
def test_a_larger_amount_is_never_easier_unless_a_tier_was_warned_of(seed: int, more: int) -> None:
    _random, document, request, history, gate = a_question(seed)
    if "payment" in document:
        document["payment"]["fee"]["max_percent"] = "unlimited"
    request = replace(request, kind=ProposalKind.PAYMENT, path=None) if request.payees else request
    policy = policy_from_document(document)
    warned = {Code.POLICY_TIER_WEAKER, Code.POLICY_TIER_UNREACHABLE} & {one.code for one in check_policy(policy)}
    if warned or request.kind is not ProposalKind.PAYMENT or not request.payees:
        return
    first = request.payees[0]
    larger = replace(request, payees=(replace(first, value=Sats(first.value + more)), *request.payees[1:]))
    if decide(policy, larger, history, gate).is_allowed:
        assert decide(policy, request, history, gate).is_allowed


@MANY
@given(SEEDS)
def test_a_percentage_is_the_one_rule_that_a_larger_amount_can_satisfy(seed: int) -> None:
    _random, document, request, history, gate = a_question(seed)
    policy = policy_from_document(document)
    if not request.payees:
        return
    first = request.payees[0]
    larger = replace(request, payees=(replace(first, value=Sats(first.value + 10)), *request.payees[1:]))
    before = {one.rule for one in decide(policy, request, history, gate).forbidding}
    after = {one.rule for one in decide(policy, larger, history, gate).forbidding}
    assert all(rule.endswith(".fee.max_percent") for rule in before - after)


@MANY
@given(SEEDS)
def test_without_any_of_its_lines_a_policy_allows_no_more(seed: int) -> None:
    """A line that demands something more (a role beside others, a label kept apart) is no such line: see the docs."""
    random, document, request, history, gate = a_question(seed)
    policy = policy_from_document(document)
    if Code.POLICY_TIER_WEAKER in {one.code for one in check_policy(policy)}:
        return
    paths = [path for path in _lines(document) if not _demands_more(path)]
    for path in random.sample(paths, 12):
        shorter = _without(document, path)
        try:
            thinner = policy_from_document(shorter)
        except InvalidInput:
            continue
        if decide(thinner, request, history, gate).is_allowed:
            assert decide(policy, request, history, gate).is_allowed, path


def _lines(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, member in members for found in ((*path, key), *_lines(member, (*path, key)))]


def _demands_more(path: tuple[Any, ...]) -> bool:
    return "approvals" in path[:-1] or "keep_apart" in path[:-1]


def _without(document: Any, path: tuple[Any, ...]) -> Any:
    copy = deepcopy(document)
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    del parent[path[-1]]
    return copy


@MANY
@given(SEEDS)
def test_what_a_policy_that_is_no_weaker_allows_the_old_one_allowed(seed: int) -> None:
    random, document, request, history, gate = a_question(seed)
    changed = mutated(random, document)
    old, new = policy_from_document(document), policy_from_document(changed)
    if is_no_weaker(old, new) and decide(new, request, history, gate).is_allowed:
        assert decide(old, request, history, gate).is_allowed


def mutated(random: Random, document: Any) -> Any:
    """Return the document with some fields taken from another one, so that the two are often comparable."""
    other = random_document(random)
    ease(random, other)
    copy = deepcopy(document)
    # Fields of the same place in both; the roots of sections too, so that sections come and go.
    paths = [path for path in _lines(other) if _holds(copy, path[:-1])]
    for path in random.sample(paths, random.choice((1, 1, 1, 2, 3))):
        source, target = other, copy
        for key in path[:-1]:
            source, target = source[key], target[key]
        before = deepcopy(copy)
        if isinstance(target, list) and path[-1] >= len(target):
            continue
        target[path[-1]] = source[path[-1]]
        try:
            policy_from_document(copy)
        except InvalidInput:
            copy = before
    return copy


def _holds(value: Any, path: tuple[Any, ...]) -> bool:
    for key in path:
        if (isinstance(value, dict) and key in value) or (isinstance(value, list) and key < len(value)):
            value = value[key]
        else:
            return False
    return isinstance(value, dict | list)


def test_enough_changes_are_no_weaker_to_make_the_last_property_say_something() -> None:
    found = {True: 0, False: 0}
    for seed in range(300):
        random, document, *_rest = a_question(seed)
        old, new = policy_from_document(document), policy_from_document(mutated(random, document))
        found[is_no_weaker(old, new)] += 1
    assert min(found.values()) > 60


@MANY
@given(SEEDS)
def test_a_policy_is_no_weaker_than_itself_and_says_of_nothing_that_it_changed(seed: int) -> None:
    policy = policy_from_document(a_question(seed)[1])
    assert diff_policies(policy, policy).to_json() == {"easier": [], "harder": [], "neutral": []}


@MANY
@given(SEEDS)
def test_what_is_easier_one_way_is_not_no_weaker_the_other_way_unless_equal(seed: int) -> None:
    random, document, *_rest = a_question(seed)
    old, new = policy_from_document(document), policy_from_document(mutated(random, document))
    if is_no_weaker(old, new) and is_no_weaker(new, old):
        assert diff_policies(old, new).harder == ()


@MANY
@given(SEEDS)
def test_each_answer_is_the_same_twice_and_every_rule_stands_once_per_subject(seed: int) -> None:
    _random, document, request, history, gate = a_question(seed)
    policy = policy_from_document(document)
    decision = decide(policy, request, history, gate)
    assert decision == decide(policy_from_document(policy.to_document()), request, history, gate)
    rules = [one.rule for one in decision.reasons if not one.rule.endswith((".destinations", ".unlisted"))]
    assert len(set(rules)) == len(rules)
    assert {one.rule for one in decision.missing} == {
        one.rule for one in decision.reasons if one.effect is Effect.MISSING
    }
    assert all(explain_policy(policy)) and all(explain_decision(decision))
