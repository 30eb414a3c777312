"""Destinations: on the allowlist and past its waiting time, or not."""

from collections.abc import Iterator

from custody.policy.facts import PayeeFact
from custody.policy.model import PaymentSection
from custody.policy.question import Question, Ruling, count, forbidden, permitted


def is_usable(payee: PayeeFact, now: int) -> bool:
    """Say whether an allowlist entry covers a payee and its waiting time is over."""
    return payee.entry is not None and payee.usable_from is not None and payee.usable_from <= now


def when_usable(question: Question, payee: PayeeFact) -> str:
    """Return what is to be said of a payee's entry."""
    if payee.entry is None or payee.usable_from is None:
        return f"`{payee.address}` is not on the allowlist"
    if payee.usable_from > question.history.now:
        return f"`{payee.address}` is entry `{payee.entry}`, usable from {question.show(payee.usable_from)}"
    return f"`{payee.address}` is entry `{payee.entry}`"


def unlisted_rulings(question: Question, section: PaymentSection) -> Iterator[Ruling]:
    """Rule on payees outside the allowlist."""
    request, now = question.request, question.history.now
    unlisted = [payee for payee in request.payees if not is_usable(payee, now)]
    for payee in unlisted:
        words = when_usable(question, payee)
        if section.unlisted is None:
            yield forbidden("payment.unlisted", f"{words}; other destinations are denied")
        else:
            yield permitted("payment.unlisted", f"{words}; it needs at least tier `{section.unlisted}`")
    if not unlisted:
        yield permitted("payment.unlisted", f"{count(len(request.payees), 'destination')}, all on the allowlist")
