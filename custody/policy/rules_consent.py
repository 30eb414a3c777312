"""People and time: the drafter's statement, the approvals, the wait after them, the office hours.

One person fills one place. A drafter's own approval counts only where the policy says so.
Waiting counts from the moment at which the approvals first sufficed, so that a later one
never makes it longer. Once a device has signed, waiting and hours aren't asked again.
"""

from collections.abc import Iterable, Iterator

from custody.people.officer import DRAFTER
from custody.people.quorum import Quorum
from custody.policy.decision import Gate, Missing
from custody.policy.facts import ApprovalFact
from custody.policy.limit import show_duration
from custody.policy.model import Consent
from custody.policy.question import Question, Ruling, count, permitted


def drafter_rulings(question: Question) -> Iterator[Ruling]:
    """Ask for the drafter's signed propose, from the first approval on."""
    if question.request.drafter is not None:
        yield permitted("drafter", f"{question.request.drafter} drafted and signed it")
    elif question.gate is not Gate.DRAFT:
        able = tuple(sorted(officer.name for officer in question.history.officers if DRAFTER in officer.roles))
        yield Missing("drafter", "the drafter's signature: nobody has signed the draft as their own", able)


def consent_rulings(question: Question, rule: str, consent: Consent, drafter_approves: bool) -> Iterator[Ruling]:
    """Ask for approvals, and before the first signature for waiting time and hours."""
    drafter = question.request.drafter
    counted = [one for one in question.history.approvals if drafter_approves or one.officer != drafter]
    yield _approvals_ruling(question, f"{rule}.approvals", consent.approvals, counted, drafter_approves)
    is_asked_time = question.gate in (Gate.DRAFT, Gate.APPROVE) or (
        question.gate is Gate.SIGN and not question.request.signing_began
    )
    if is_asked_time:
        sufficed = sufficed_at(consent.approvals, counted)
        yield _waiting_ruling(question, f"{rule}.waiting", consent, sufficed)
        yield _hours_ruling(question, f"{rule}.hours", consent, sufficed)


def sufficed_at(quorum: Quorum, approvals: Iterable[ApprovalFact]) -> int | None:
    """Return the time at which these approvals first met the quorum; None if they don't, or nobody is asked."""
    given = tuple(approvals)
    times = sorted({one.time for one in given})
    return next((time for time in times if quorum.is_met(_people(one for one in given if one.time <= time))), None)


def _people(approvals: Iterable[ApprovalFact]) -> list[frozenset[str]]:
    """Return each person's roles once, however often they approved."""
    roles: dict[str, frozenset[str]] = {}
    for one in approvals:
        roles[one.officer] = roles.get(one.officer, frozenset()) | one.roles
    return list(roles.values())


def _approvals_ruling(
    question: Question, rule: str, quorum: Quorum, counted: list[ApprovalFact], drafter_approves: bool
) -> Ruling:
    people = _people(counted)
    short = quorum.shortfall(people)
    names = sorted({one.officer for one in counted})
    if not short:
        return permitted(
            rule,
            f"it needs approval by {quorum.words()}; approved by {', '.join(names)}" if names else "nobody is asked",
        )
    what = f"{count(short, 'more approval')}: it needs {quorum.words()}, each a different person"
    what += f"; approved so far by {', '.join(names)}" if names else ""
    drafter = question.request.drafter
    if not drafter_approves and any(one.officer == drafter for one in question.history.approvals):
        what += f"; {drafter} drafted it, and a drafter's own approval doesn't count"
    able = tuple(
        sorted(
            officer.name
            for officer in question.history.officers
            if officer.name not in names
            and (drafter_approves or officer.name != drafter)
            and quorum.shortfall([*people, officer.roles]) < short
        )
    )
    return Missing(rule, what if able else f"{what}; no officer in force can give it", able)


def _waiting_ruling(question: Question, rule: str, consent: Consent, sufficed: int | None) -> Ruling:
    if not consent.waiting:
        return permitted(rule, "no waiting time is asked for")
    waited = f"{show_duration(consent.waiting)} after the last approval needed"
    if sufficed is None:
        return Missing(rule, f"signing waits until {waited}")
    ready = sufficed + consent.waiting
    if question.history.now < ready:
        return Missing(rule, f"signing waits until {question.show(ready)}, {waited}")
    return permitted(rule, f"signing may begin since {question.show(ready)}, {waited}")


def _hours_ruling(question: Question, rule: str, consent: Consent, sufficed: int | None) -> Ruling:
    hours = consent.hours
    if hours is None:
        return permitted(rule, "signing may begin at any hour")
    now = question.history.now
    moment = now if sufficed is None else max(now, sufficed + consent.waiting)
    words = f"office hours are {hours.show()} in {question.zone.name}"
    if hours.is_open(moment, question.zone):
        return permitted(rule, words)
    opening = hours.opens(moment, question.zone)
    return Missing(rule, f"signing may begin at {question.show(opening)}: {words}")
