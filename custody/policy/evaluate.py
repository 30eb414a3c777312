"""The decision: every rule of the policy that concerns a request is asked, and all answers are kept.

Deny by default: a kind without a section and an amount without a tier are forbidden. Forbid
beats permit, whatever else permits. What only people or time can bring is missing, not
forbidden. The same question always gets the same answer: there is no clock, no file and no
state here. Whoever asks has derived the facts from bytes and from the journal.
"""

from collections.abc import Iterable, Iterator

from custody.policy.decision import Decision, Effect, Gate, Missing, Reason
from custody.policy.facts import History, SpendRequest
from custody.policy.hours import TimeZone
from custody.policy.limit import show_amount, show_duration
from custody.policy.model import EmergencyPath, MoveSection, PaymentSection, SpendPolicy
from custody.policy.question import Question, Ruling, count, forbidden, permitted, ruled
from custody.policy.rules_coins import coin_rulings, frozen_ruling
from custody.policy.rules_consent import consent_rulings, drafter_rulings
from custody.policy.rules_destinations import is_usable, unlisted_rulings, when_usable
from custody.policy.rules_transaction import transaction_rulings
from custody.policy.rules_windows import limit_rulings
from custody.spend.proposal import ProposalKind


def evaluate(policy: SpendPolicy, request: SpendRequest, history: History, gate: Gate, *, zone: TimeZone) -> Decision:
    """Decide whether a request may pass a gate.

    `zone` is the policy's own time zone with the rules of the pinned tz database. What the facts
    say is believed: signatures, confirmations and the allowlist are verified by whoever made them.
    """
    question = Question(policy, request, history, gate, zone)
    return _decision((*_general_rulings(question), *_section_rulings(question)))


def _decision(rulings: Iterable[Ruling]) -> Decision:
    asked = tuple(rulings)
    return Decision(
        reasons=tuple(one if isinstance(one, Reason) else Reason(one.rule, Effect.MISSING, one.what) for one in asked),
        missing=tuple(one for one in asked if isinstance(one, Missing)),
    )


def _general_rulings(question: Question) -> Iterator[Ruling]:
    request, history = question.request, question.history
    is_emergency = request.kind is ProposalKind.EMERGENCY
    if request.path is not None and not is_emergency:
        yield forbidden("kind", f"a proposal of kind `{request.kind}` can't go by the emergency path `{request.path}`")
    path = _path_of(question) if is_emergency else None
    if history.suspended_by is None:
        yield permitted("suspension", "spending is not suspended")
    elif path is not None and path.while_suspended:
        yield permitted(
            "suspension",
            f"spending is suspended by {history.suspended_by}; emergency path `{path.name}` stays open meanwhile",
        )
    elif request.kind is ProposalKind.CANCEL:
        yield permitted(
            "suspension", f"spending is suspended by {history.suspended_by}; a cancel only takes a payment back"
        )
    else:
        yield forbidden("suspension", f"spending is suspended by {history.suspended_by} until it is resumed")
    yield ruled(
        "expiry",
        history.now < request.expires,
        f"it lives for another {_rest(request.expires - history.now)}, until {question.show(request.expires)}",
        f"it expired at {question.show(request.expires)}",
    )
    yield from drafter_rulings(question)


def _section_rulings(question: Question) -> Iterator[Ruling]:
    policy = question.policy
    match question.request.kind:
        case ProposalKind.PAYMENT:
            section = policy.payment
            return _absent(question) if section is None else _payment_rulings(question, section)
        case ProposalKind.INTERNAL:
            return _absent(question) if policy.internal is None else _internal_rulings(question, policy.internal)
        case ProposalKind.BUMP:
            return _absent(question) if policy.bump is None else _bump_rulings(question, policy.bump)
        case ProposalKind.CANCEL:
            return _absent(question) if policy.cancel is None else _cancel_rulings(question, policy.cancel)
        case _:
            path = _path_of(question)
            return _absent(question) if path is None else _emergency_rulings(question, path)


def _absent(question: Question) -> Iterator[Ruling]:
    kind, path = question.request.kind, question.request.path
    if kind is ProposalKind.EMERGENCY:
        yield forbidden("emergency", f"the policy has no emergency path `{path}`" if path else "no path is named")
    else:
        yield forbidden(str(kind), f"the policy has no section `{kind}`: proposals of this kind are forbidden")


def _payment_rulings(question: Question, section: PaymentSection) -> Iterator[Ruling]:
    yield _must_pay("payment", question)
    yield from unlisted_rulings(question, section)
    yield from _tier_rulings(question, section)
    yield from limit_rulings(question, "payment", section.limits)
    yield from transaction_rulings(question, "payment", section.transaction)
    yield from coin_rulings(question)


def _tier_rulings(question: Question, section: PaymentSection) -> Iterator[Ruling]:
    request = question.request
    place = next((at for at, tier in enumerate(section.tiers) if tier.up_to.allows(request.amount)), None)
    if place is None:
        yield forbidden(
            "payment.tiers", f"no tier is large enough for {show_amount(request.amount)}, payees and fee together"
        )
        return
    by_amount = section.tiers[place]
    words = f"{show_amount(request.amount)}, payees and fee together, belongs to tier `{by_amount.name}`"
    if section.unlisted is not None and not all(is_usable(payee, question.history.now) for payee in request.payees):
        place = max(place, section.tier_named(section.unlisted))
    tier = section.tiers[place]
    if tier is not by_amount:
        words += f"; a destination outside the allowlist lifts it to tier `{tier.name}`"
    yield permitted(f"payment.tiers.{tier.name}", words)
    yield from consent_rulings(question, f"payment.tiers.{tier.name}", tier.consent, section.drafter_approves)


def _internal_rulings(question: Question, section: MoveSection) -> Iterator[Ruling]:
    yield _must_stay("internal", question)
    yield from _move_rulings(question, "internal", section)
    yield from coin_rulings(question)


def _bump_rulings(question: Question, section: MoveSection) -> Iterator[Ruling]:
    request, payment = question.request, question.policy.payment
    before = request.replaced_fee
    yield ruled(
        "bump",
        before is not None and request.fee > before,
        f"it raises the fee from {show_amount(before or 0)} to {show_amount(request.fee)}",
        "a bump raises the fee of the proposal that it replaces; this one "
        + ("replaces none" if before is None else f"pays {show_amount(request.fee)} after {show_amount(before)}"),
    )
    if request.payees and payment is None:
        yield forbidden("payment", "the policy has no section `payment`: a bump can't pay anybody either")
    elif request.payees and payment is not None:
        yield from unlisted_rulings(question, payment)
        yield from limit_rulings(question, "payment", payment.limits)
        if not request.replaced_was_approved:
            # The payment was never approved in its own right: a bump must not be the cheaper way out.
            yield from _tier_rulings(question, payment)
    yield from _move_rulings(question, "bump", section)
    yield from coin_rulings(question)


def _cancel_rulings(question: Question, section: MoveSection) -> Iterator[Ruling]:
    own = len(question.request.own_outputs)
    yield _must_stay("cancel", question)
    yield ruled(
        "cancel.outputs",
        own == 1,
        "its one output comes back to the vault",
        f"a cancel has exactly one output to the vault, this one has {own}",
    )
    yield from _move_rulings(question, "cancel", section)
    yield from coin_rulings(question)


def _move_rulings(question: Question, rule: str, section: MoveSection) -> Iterator[Ruling]:
    yield from consent_rulings(question, rule, section.consent, section.drafter_approves)
    yield from transaction_rulings(question, rule, section.transaction)


def _emergency_rulings(question: Question, path: EmergencyPath) -> Iterator[Ruling]:
    rule, now = f"emergency.{path.name}", question.history.now
    yield _must_pay(rule, question)
    wrong = [
        payee for payee in question.request.payees if payee.entry not in path.destinations or not is_usable(payee, now)
    ]
    for payee in wrong:
        yield forbidden(
            f"{rule}.destinations",
            f"path `{path.name}` pays only {', '.join(path.destinations)}; {when_usable(question, payee)}",
        )
    if not wrong:
        yield permitted(f"{rule}.destinations", f"every payee is one that path `{path.name}` names")
    yield from consent_rulings(question, rule, path.consent, path.drafter_approves)
    yield from limit_rulings(question, rule, path.limits)
    yield from transaction_rulings(question, rule, path.transaction)
    yield frozen_ruling(question)


def _must_pay(rule: str, question: Question) -> Reason:
    payees = len(question.request.payees)
    return ruled(
        rule,
        payees > 0,
        f"it pays {show_amount(question.request.external_total)} to {count(payees, 'destination')}",
        "it pays nobody; a move within the vault is of kind `internal`",
    )


def _must_stay(rule: str, question: Question) -> Reason:
    total = question.request.external_total
    return ruled(
        rule,
        not question.request.payees,
        "everything but the fee comes back to the vault",
        f"{show_amount(total)} would leave the vault; a proposal of kind `{rule}` pays nobody",
    )


def _path_of(question: Question) -> EmergencyPath | None:
    return None if question.request.path is None else question.policy.path_named(question.request.path)


def _rest(seconds: int) -> str:
    return show_duration(seconds if seconds < 60 else seconds - seconds % 60)
