"""A whole policy, or one decision, in plain sentences for people who don't read YAML."""

from collections.abc import Iterator

from custody.policy.decision import Decision, Effect
from custody.policy.differences import show_limit
from custody.policy.limit import UNLIMITED, show_amount, show_duration, show_percent, show_rate
from custody.policy.model import (
    Consent,
    EmergencyPath,
    Limits,
    MoveSection,
    PaymentSection,
    SpendPolicy,
    TransactionRules,
)
from custody.policy.question import count

_KINDS = {
    "internal": "A move within the vault",
    "bump": "A bump, which pays the same again at a higher fee,",
    "cancel": "A cancel, which takes a payment back by spending its coins to ourselves,",
}


def explain_policy(policy: SpendPolicy) -> list[str]:
    """Return what the policy says, one sentence or two per rule."""
    return [*_sentences(policy)]


def explain_decision(decision: Decision) -> list[str]:
    """Return the answer, then every rule that made it; those that forbid or still wait come first."""
    if decision.is_denied:
        answer = "No: the policy forbids it."
    elif decision.missing:
        answer = "Not yet: something is still missing."
    else:
        answer = "Yes: the policy allows it."
    lines = [answer]
    for effect, word in ((Effect.FORBID, "forbidden"), (Effect.MISSING, "missing"), (Effect.PERMIT, "fine")):
        lines += [f"{word}: {one.words} ({one.rule})" for one in decision.reasons if one.effect is effect]
    lines += [f"who can give `{one.rule}`: {', '.join(one.sources)}" for one in decision.missing if one.sources]
    return lines


def _sentences(policy: SpendPolicy) -> Iterator[str]:
    governance = policy.governance
    yield f"Policy `{policy.name}`, version {policy.version}. What it doesn't allow is forbidden."
    yield f"Hours and days are those of {policy.time_zone}; time is the chain's median time past."
    yield (
        "Officers, policy and allowlist are changed, and a freeze or a suspension lifted, "
        f"by {governance.approvals.words()}; "
        f"a change that could make anything easier waits {show_duration(governance.waiting)}."
    )
    if governance.custodians_attest:
        yield "No address is given out before the custodian of each key has attested to hold the whole descriptor."
    waiting = show_duration(policy.allowlist_waiting)
    yield f"A new entry of the allowlist is usable {waiting} after its change took effect."
    yield from _coin_sentences(policy)
    if policy.prove_keys_every is not None:
        interval = show_duration(policy.prove_keys_every)
        yield f"Each key proves every {interval} that it is alive; one that is overdue is named, and stops no payment."
    if not policy.publishes_addresses:
        yield "The reserve's public page shows a commitment for each address, and no address."
    if policy.payment is None:
        yield "Payments to others are forbidden."
    else:
        yield from _payment_sentences(policy.payment)
    for name, section in (("internal", policy.internal), ("bump", policy.bump), ("cancel", policy.cancel)):
        yield from _move_sentences(_KINDS[name], section)
    if policy.bump is not None and policy.payment is not None:
        yield "A bump counts in the limits of payments; where the payment was never approved, it needs its tier's too."
    if not policy.emergency:
        yield "There is no emergency path."
    for path in policy.emergency:
        yield from _path_sentences(path)


def _coin_sentences(policy: SpendPolicy) -> Iterator[str]:
    coins = policy.coins
    yield "A frozen coin stays; only a cancel may spend it."
    yield f"An address of ours may hold {_at_most(show_limit(coins.address_cap))}."
    yield f"An address of ours may {'be paid more than once' if coins.address_reuse else 'be paid only once'}."
    if coins.keep_apart:
        kinds = ", ".join(f"`{prefix}`" for prefix in coins.keep_apart)
        yield f"Coins whose labels begin with different ones of {kinds} never meet in one transaction."


def _payment_sentences(section: PaymentSection) -> Iterator[str]:
    floor = "0"
    for tier in section.tiers:
        top = "any amount" if tier.up_to.most is None else show_amount(tier.up_to.most)
        yield f"Payments above {floor} up to {top}, fee included (tier `{tier.name}`), need {_consent(tier.consent)}."
        floor = top
    yield _drafter(section.drafter_approves)
    if section.unlisted is None:
        yield "Destinations outside the allowlist are denied."
    else:
        yield f"A destination outside the allowlist lifts a payment to tier `{section.unlisted}` at least."
    yield f"Payments and their fees may take {_limits(section.limits)}."
    yield f"A payment {_transaction(section.transaction)}."


def _move_sentences(what: str, section: MoveSection | None) -> Iterator[str]:
    if section is None:
        yield f"{what} is forbidden."
        return
    yield f"{what} needs {_consent(section.consent)}. {_drafter(section.drafter_approves)}"
    yield f"It {_transaction(section.transaction)}."


def _path_sentences(path: EmergencyPath) -> Iterator[str]:
    yield (
        f"Emergency path `{path.name}` pays only {', '.join(path.destinations)} and needs {_consent(path.consent)}. "
        f"{_drafter(path.drafter_approves)}"
    )
    yield f"By path `{path.name}` payments and their fees may take {_limits(path.limits)}."
    yield f"A payment by path `{path.name}` {_transaction(path.transaction)}."
    yield f"It {'stays open' if path.while_suspended else 'is closed'} while spending is suspended."


def _consent(consent: Consent) -> str:
    asked = f"approval by {consent.approvals.words()}" if consent.approvals.roles else "nobody's approval"
    waits = f", then wait {show_duration(consent.waiting)} after the last of them" if consent.waiting else ""
    hours = "at any hour" if consent.hours is None else f"on {consent.hours.show()}"
    return f"{asked}{waits}; signing may begin {hours}"


def _drafter(counts: bool) -> str:
    return "A drafter's own approval counts." if counts else "A drafter's own approval doesn't count."


def _limits(limits: Limits) -> str:
    parts = (
        ("at once", limits.payment),
        ("in 24 hours", limits.day),
        ("in 7 days", limits.week),
        ("in 30 days", limits.month),
    )
    return ", ".join(f"{_at_most(show_limit(limit))} {when}" for when, limit in parts)


def _transaction(rules: TransactionRules) -> str:
    fee = rules.fee
    inputs = (
        f"{count(rules.min_inputs, 'coin')} or more"
        if rules.max_inputs.most is None
        else (f"{rules.min_inputs} to {rules.max_inputs.most} coins")
    )
    return (
        f"pays a fee of {_at_most(show_limit(fee.most))}, "
        f"{_at_most(show_limit(fee.rate, show_rate), 'any rate')} "
        f"and {_at_most(show_limit(fee.percent, show_percent), 'any share')}, spends {inputs} "
        f"with {count(rules.confirmations, 'confirmation')} or more, "
        f"has {'a height of at most the tip as locktime' if rules.locktime_by_tip else 'any locktime'}, "
        f"{'signals' if rules.must_signal_replacement else 'may signal'} replacement, "
        f"and lives at most {show_duration(rules.expiry)}"
    )


def _at_most(shown: str, if_not: str = "any amount") -> str:
    return if_not if shown == UNLIMITED else f"at most {shown}"
