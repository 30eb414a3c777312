"""Coins and our own addresses: frozen coins, reuse, the cap per address, labels kept apart.

A label is under a beginning whatever its letter case. Labels are not signed by anybody: this
rule guards against a slip of the hand, not against somebody who relabels coins.
"""

from collections import Counter
from collections.abc import Iterator

from custody.documents.display import escape
from custody.policy.facts import InputFact
from custody.policy.limit import show_amount
from custody.policy.question import Question, Ruling, permitted, ruled
from custody.spend.proposal import ProposalKind


def coin_rulings(question: Question) -> Iterator[Ruling]:
    """Rule on coins and own outputs."""
    yield frozen_ruling(question)
    yield _reuse_ruling(question)
    yield _cap_ruling(question)
    yield _apart_ruling(question)


def frozen_ruling(question: Question) -> Ruling:
    """Rule that a frozen coin stays, unless it is spent back to ourselves to stop a payment."""
    frozen = [one.outpoint for one in question.request.inputs if one.is_frozen]
    if frozen and question.request.kind is ProposalKind.CANCEL:
        return permitted("coins.frozen", f"frozen, but a cancel may spend it: {', '.join(frozen)}")
    return ruled("coins.frozen", not frozen, "no coin is frozen", f"frozen: {', '.join(frozen)}")


def _reuse_ruling(question: Question) -> Ruling:
    outputs = question.request.own_outputs
    times = Counter(output.address for output in outputs)
    used = sorted({output.address for output in outputs if output.was_used or times[output.address] > 1})
    if question.policy.coins.address_reuse:
        return permitted("coins.address_reuse", "addresses of ours may be paid again")
    return ruled(
        "coins.address_reuse",
        not used,
        "no address of ours is paid again",
        f"an address of ours may be paid only once: {', '.join(used)}",
    )


def _cap_ruling(question: Question) -> Ruling:
    cap = question.policy.coins.address_cap
    shown = "unlimited" if cap.most is None else show_amount(cap.most)
    above = [one for one in question.request.own_outputs if not cap.allows(one.balance_after)]
    listed = "; ".join(f"`{one.address}` would hold {show_amount(one.balance_after)}" for one in above)
    return ruled(
        "coins.address_cap",
        not above,
        f"no address of ours would hold more than its limit: {shown}",
        f"an address of ours may hold at most {shown}; {listed}",
    )


def _apart_ruling(question: Question) -> Ruling:
    found = {prefix: one for one in question.request.inputs if (prefix := _prefix_of(question, one)) is not None}
    listed = "; ".join(f"{one.outpoint} is `{escape(one.label or '')}`" for _prefix, one in sorted(found.items()))
    return ruled(
        "coins.keep_apart",
        len(found) < 2,
        "no coins meet that are kept apart",
        f"coins that are kept apart meet: {listed}",
    )


def _prefix_of(question: Question, coin: InputFact) -> str | None:
    """Return the one beginning that a coin's label has, None if none; no beginning begins with another."""
    label = (coin.label or "").casefold()
    return next((prefix for prefix in question.policy.coins.keep_apart if label.startswith(prefix)), None)
