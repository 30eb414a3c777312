"""The transaction itself: fee, confirmations, number of inputs, locktime, replacement, life.

A fee rate is compared without rounding, so that it is never rounded in the payer's favour.
Source: BIP 65 and Bitcoin Core (a locktime below 500,000,000 is a height), BIP 125.
"""

from collections.abc import Iterator

from custody.policy.limit import BASIS_POINTS, Limit, show_amount, show_duration, show_percent, show_rate
from custody.policy.model import FeeRules, TransactionRules
from custody.policy.question import Question, Ruling, count, ruled

_FIRST_TIME = 500_000_000
"""A locktime from here on is a time."""


def transaction_rulings(question: Question, rule: str, rules: TransactionRules) -> Iterator[Ruling]:
    """Rule on what the transaction is like."""
    yield from _fee_rulings(question, f"{rule}.fee", rules.fee)
    yield _confirmations_ruling(question, f"{rule}.confirmations", rules.confirmations)
    yield _inputs_ruling(question, f"{rule}.inputs", rules)
    yield _locktime_ruling(question, f"{rule}.locktime", rules)
    signals = question.request.signals_replacement
    yield ruled(
        f"{rule}.replaceable",
        signals or not rules.must_signal_replacement,
        "every input signals replacement" if signals else "replacement needn't be signalled",
        "an input doesn't signal replacement (RBF), which the policy requires",
    )
    life = question.request.expires - question.history.now
    yield ruled(
        f"{rule}.expiry",
        life <= rules.expiry,
        f"it lives no longer than {show_duration(rules.expiry)}",
        f"it would live until {question.show(question.request.expires)}, longer than {show_duration(rules.expiry)}",
    )


def _fee_rulings(question: Question, rule: str, rules: FeeRules) -> Iterator[Ruling]:
    request = question.request
    fee = show_amount(request.fee)
    yield ruled(
        f"{rule}.max",
        rules.most.allows(request.fee),
        f"the fee of {fee} is within its limit: {_show_amount(rules.most)}",
        f"the fee of {fee} is above its limit: {_show_amount(rules.most)}",
    )
    # Rounded up: a rate above the limit by less than a satoshi is above it.
    rate = -(-request.fee * 1_000 // request.vsize)
    cap = "unlimited" if rules.rate.most is None else show_rate(rules.rate.most)
    yield ruled(
        f"{rule}.max_rate",
        rules.rate.allows(rate),
        f"{show_rate(rate)} is within the limit: {cap}",
        f"{show_rate(rate)} is above the limit: {cap}",
    )
    base = request.external_total or sum(output.value for output in request.own_outputs)
    percent = rules.percent.most
    share = "unlimited" if percent is None else f"{show_percent(percent)} of {show_amount(base)}"
    yield ruled(
        f"{rule}.max_percent",
        percent is None or request.fee * BASIS_POINTS <= percent * base,
        f"the fee is within its share: {share}",
        f"the fee of {fee} is more than its share: {share}",
    )


def _confirmations_ruling(question: Question, rule: str, least: int) -> Ruling:
    young = [one for one in question.request.inputs if one.confirmations < least]
    shown = ", ".join(f"{one.outpoint} has {one.confirmations}" for one in young)
    return ruled(
        rule,
        not young,
        f"every coin has at least {count(least, 'confirmation')}",
        f"a coin needs {count(least, 'confirmation')}; {shown}",
    )


def _inputs_ruling(question: Question, rule: str, rules: TransactionRules) -> Ruling:
    inputs = len(question.request.inputs)
    most = rules.max_inputs
    bounds = f"at least {rules.min_inputs}, " + ("no upper limit" if most.most is None else f"at most {most.most}")
    return ruled(
        rule,
        rules.min_inputs <= inputs and most.allows(inputs),
        f"it spends {count(inputs, 'coin')}; allowed are {bounds}",
        f"it spends {count(inputs, 'coin')}; allowed are {bounds}",
    )


def _locktime_ruling(question: Question, rule: str, rules: TransactionRules) -> Ruling:
    locktime, tip = question.request.locktime, question.history.tip_height
    return ruled(
        rule,
        not rules.locktime_by_tip or (locktime < _FIRST_TIME and locktime <= tip),
        f"locktime {locktime} is fine at height {tip}" if rules.locktime_by_tip else "any locktime is fine",
        f"locktime {locktime} is not a height of at most the tip's, {tip}",
    )


def _show_amount(limit: Limit) -> str:
    return "unlimited" if limit.most is None else show_amount(limit.most)
