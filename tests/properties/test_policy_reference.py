"""The real engine against a slow second one, on random policies and histories."""

from collections import Counter
from random import Random

import pytest

from custody.policy.decision import Decision, Effect
from custody.policy.evaluate import evaluate
from custody.policy.load import policy_from_document
from custody.spend.expiry import format_time
from custody.workflow.time_zones import time_zone
from support.random_policies import RandomCase, random_case
from support.reference_policy import NEVER, judge

FULL = 10_000
IN_THE_SUITE = 2_000


def test_the_engine_agrees_with_the_reference() -> None:
    seen = compare(range(IN_THE_SUITE))
    assert min(seen["allowed"], seen["missing"], seen["denied"]) > IN_THE_SUITE // 50, seen


@pytest.mark.slow
def test_the_engine_agrees_with_the_reference_on_ten_thousand() -> None:
    seen = compare(range(IN_THE_SUITE, IN_THE_SUITE + FULL))
    assert seen.total() == FULL


def compare(seeds: range) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        case = random_case(Random(seed))  # noqa: S311
        decision = compare_one(case)
        seen["denied" if decision.is_denied else "missing" if decision.missing else "allowed"] += 1
    return seen


def compare_one(case: RandomCase) -> Decision:
    policy = policy_from_document(dict(case.document))
    zone = time_zone(policy.time_zone)
    decision = evaluate(policy, case.request, case.history, case.gate, zone=zone)
    expected = judge(case.document, case.request, case.history, str(case.gate), zone.rules)
    assert {one.rule for one in decision.forbidding} == expected.denied, case
    assert {one.rule: set(one.sources) for one in decision.missing} == expected.missing, case
    words = {one.rule: one.words for one in decision.reasons if one.effect is not Effect.PERMIT}
    for rule, moment in expected.moments.items():
        if moment == NEVER:
            assert "it fits from" not in words[rule], case
        else:
            assert format_time(moment) in words[rule], (rule, case)
    return decision
