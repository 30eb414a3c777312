"""What a policy document means, decided a second time, slowly, from the words of docs/formats/policy.md.

It reads the document itself, tries every assignment of people to places and steps through time by the
minute and by the hour. Nothing of `custody.policy` but the facts is used, so that a mistake there can't
hide here. Only the rules that forbid, those that are missing with who can give them, and the moments named
in them are returned.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from fractions import Fraction
from typing import Any

from custody.policy.facts import ApprovalFact, History, SpendRequest

Document = Any
HOURS = {"day": 24, "week": 24 * 7, "month": 24 * 30}
DAY_NAMES = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NEVER = -1


@dataclass
class Verdict:
    """The sets that must agree with the real engine's."""

    denied: set[str] = field(default_factory=set)
    missing: dict[str, set[str]] = field(default_factory=dict)
    moments: dict[str, int] = field(default_factory=dict)
    """By rule, the moment from which it would be fulfilled if nothing else happens; NEVER for never."""


def judge(document: Document, request: SpendRequest, history: History, gate: str, rules: tzinfo) -> Verdict:
    """Decide."""
    verdict = Verdict()
    kind = str(request.kind)
    is_emergency = kind == "emergency"
    path = next((one for one in document.get("emergency", []) if is_emergency and one["name"] == request.path), None)
    if request.path is not None and not is_emergency:
        verdict.denied.add("kind")
    stays_open = (path is not None and path["while_suspended"]) or request.kind.value == "cancel"
    if history.suspended_by is not None and not stays_open:
        verdict.denied.add("suspension")
    if not history.now < request.expires:
        verdict.denied.add("expiry")
    if request.drafter is None and gate != "draft":
        verdict.missing["drafter"] = {one.name for one in history.officers if "drafter" in one.roles}
    if is_emergency:
        if path is None:
            verdict.denied.add("emergency")
        else:
            _emergency(verdict, path, request, history, gate, rules)
        return verdict
    if kind not in document:
        verdict.denied.add(kind)
        return verdict
    section = document[kind]
    leaves = sum(one.value for one in request.payees)
    if kind == "payment" and not request.payees:
        verdict.denied.add("payment")
    if kind in ("internal", "cancel") and request.payees:
        verdict.denied.add(kind)
    if kind == "cancel" and len(request.own_outputs) != 1:
        verdict.denied.add("cancel.outputs")
    if kind == "bump" and (request.replaced_fee is None or request.replaced_fee >= request.fee):
        verdict.denied.add("bump")
    if kind == "bump" and request.payees and "payment" not in document:
        verdict.denied.add("payment")
    if "payment" in document and (kind == "payment" or (kind == "bump" and request.payees)):
        payment = document["payment"]
        strangers = [one for one in request.payees if not _known(one, history.now)]
        if strangers and payment["unlisted"] == "deny":
            verdict.denied.add("payment.unlisted")
        _limits(verdict, "payment", payment["limits"], leaves + request.fee, request, history)
        if kind == "payment" or not request.replaced_was_approved:
            tier = _tier(payment, leaves + request.fee, bool(strangers))
            if tier is None:
                verdict.denied.add("payment.tiers")
            else:
                rule = f"payment.tiers.{tier['name']}"
                _people(verdict, rule, tier, payment["drafter_approves"], request, history, gate, rules)
    if kind != "payment":
        _people(verdict, kind, section, section["drafter_approves"], request, history, gate, rules)
    _transaction(verdict, kind, section, request, history)
    _coins(verdict, document["coins"], request, kind)
    return verdict


def _emergency(
    verdict: Verdict, path: Document, request: SpendRequest, history: History, gate: str, rules: tzinfo
) -> None:
    rule = f"emergency.{path['name']}"
    if not request.payees:
        verdict.denied.add(rule)
    if any(one.entry not in path["destinations"] or not _known(one, history.now) for one in request.payees):
        verdict.denied.add(f"{rule}.destinations")
    amount = sum(one.value for one in request.payees) + request.fee
    _limits(verdict, rule, path["limits"], amount, request, history)
    _people(verdict, rule, path, path["drafter_approves"], request, history, gate, rules)
    _transaction(verdict, rule, path, request, history)
    if any(one.is_frozen for one in request.inputs):
        verdict.denied.add("coins.frozen")


def _known(payee: Any, now: int) -> bool:
    return payee.entry is not None and payee.usable_from is not None and now >= payee.usable_from


def _tier(payment: Document, amount: int, has_stranger: bool) -> Document | None:
    fitting = [number for number, tier in enumerate(payment["tiers"]) if _fits(amount, tier["up_to"])]
    if not fitting:
        return None
    names = [tier["name"] for tier in payment["tiers"]]
    number = fitting[0]
    if has_stranger and payment["unlisted"] != "deny":
        number = max(number, names.index(payment["unlisted"]))
    return payment["tiers"][number]


def _fits(amount: int, limit: str) -> bool:
    return limit == "unlimited" or amount <= int(limit.removesuffix("sat"))


def _limits(
    verdict: Verdict, rule: str, limits: Document, amount: int, request: SpendRequest, history: History
) -> None:
    if not _fits(amount, limits["payment"]):
        verdict.denied.add(f"{rule}.limits.payment")
    for name, hours in HOURS.items():
        if _fits(_counted(request, amount, history, history.now, hours), limits[name]):
            continue
        verdict.denied.add(f"{rule}.limits.{name}")
        verdict.moments[f"{rule}.limits.{name}"] = next(
            (
                moment
                for moment in _steps(history.now, hours)
                if _fits(_counted(request, amount, history, moment, hours), limits[name])
            ),
            NEVER,
        )


def _steps(now: int, hours: int) -> Iterator[int]:
    """Every whole hour of the next window, and a second before and after it: the generator's only moments."""
    start = now - now % 3_600
    for hour in range(hours + 2):
        for second in (-1, 0, 1):
            if start + hour * 3_600 + second > now:
                yield start + hour * 3_600 + second


def _counted(request: SpendRequest, amount: int, history: History, moment: int, hours: int) -> int:
    groups: dict[str, list[int]] = {request.group: [amount]}
    for one in history.spends:
        if one.ended is None or moment - one.ended < hours * 3_600:
            groups.setdefault(one.group, []).append(one.amount)
    outflows = [one.amount for one in history.outflows if moment - one.time < hours * 3_600]
    return sum(max(amounts) for amounts in groups.values()) + sum(outflows)


def _people(
    verdict: Verdict,
    rule: str,
    section: Document,
    drafter_counts: bool,
    request: SpendRequest,
    history: History,
    gate: str,
    rules: tzinfo,
) -> None:
    asked = {} if section["approvals"] == "none" else section["approvals"]
    places = [role for role, number in asked.items() for _ in range(number)]
    given = [one for one in history.approvals if drafter_counts or one.officer != request.drafter]
    filled = _most_filled(places, _roles_of(given))
    if filled < len(places):
        names = {one.officer for one in given}
        verdict.missing[f"{rule}.approvals"] = {
            one.name
            for one in history.officers
            if one.name not in names
            and (drafter_counts or one.name != request.drafter)
            and _most_filled(places, [*_roles_of(given), one.roles]) > filled
        }
    if gate in ("finalize", "broadcast") or (gate == "sign" and request.signing_began):
        return
    complete = [
        moment
        for moment in sorted({one.time for one in given})
        if _most_filled(places, _roles_of(one for one in given if one.time <= moment)) == len(places)
    ]
    waiting = _seconds(section["waiting"])
    ready = complete[0] + waiting if complete else None
    if waiting and ready is None:
        verdict.missing[f"{rule}.waiting"] = set()
    if waiting and ready is not None and history.now < ready:
        verdict.missing[f"{rule}.waiting"] = set()
        verdict.moments[f"{rule}.waiting"] = ready
    moment = history.now if ready is None else max(history.now, ready)
    if section["hours"] != "any" and not _open(section["hours"], moment, rules):
        verdict.missing[f"{rule}.hours"] = set()
        while not _open(section["hours"], moment, rules):
            moment += 60 - moment % 60
        verdict.moments[f"{rule}.hours"] = moment


def _roles_of(approvals: Iterable[ApprovalFact]) -> list[frozenset[str]]:
    people: dict[str, frozenset[str]] = {}
    for one in approvals:
        people[one.officer] = people.get(one.officer, frozenset()) | one.roles
    return list(people.values())


def _most_filled(places: list[str], people: list[frozenset[str]]) -> int:
    """Try every person, or nobody, in every place."""
    if not places:
        return 0
    best = _most_filled(places[1:], people)
    for number, roles in enumerate(people):
        if places[0] in roles:
            best = max(best, 1 + _most_filled(places[1:], people[:number] + people[number + 1 :]))
    return best


def _open(hours: Document, moment: int, rules: tzinfo) -> bool:
    local = datetime.fromtimestamp(moment, rules)
    clock = f"{local.hour:02d}:{local.minute:02d}"
    return DAY_NAMES[local.weekday()] in hours["days"] and hours["from"] <= clock < hours["to"]


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"m": 60, "h": 3_600, "d": 86_400}[text[-1]]


def _transaction(verdict: Verdict, rule: str, section: Document, request: SpendRequest, history: History) -> None:
    fee = section["fee"]
    if not _fits(request.fee, fee["max"]):
        verdict.denied.add(f"{rule}.fee.max")
    rate = fee["max_rate"]
    if rate != "unlimited" and Fraction(request.fee, request.vsize) > Fraction(rate.removesuffix("sat/vb")):
        verdict.denied.add(f"{rule}.fee.max_rate")
    share = fee["max_percent"]
    base = sum(one.value for one in request.payees) if request.payees else sum(one.value for one in request.own_outputs)
    if share != "unlimited" and request.fee > base * Fraction(share.removesuffix("%")) / 100:
        verdict.denied.add(f"{rule}.fee.max_percent")
    if any(one.confirmations < section["confirmations"] for one in request.inputs):
        verdict.denied.add(f"{rule}.confirmations")
    fewest, most = section["inputs"]["min"], section["inputs"]["max"]
    if len(request.inputs) < fewest or (most != "unlimited" and len(request.inputs) > most):
        verdict.denied.add(f"{rule}.inputs")
    if section["locktime"] == "tip" and (request.locktime >= 500_000_000 or request.locktime > history.tip_height):
        verdict.denied.add(f"{rule}.locktime")
    if section["replaceable"] == "required" and not request.signals_replacement:
        verdict.denied.add(f"{rule}.replaceable")
    if request.expires - history.now > _seconds(section["expiry"]):
        verdict.denied.add(f"{rule}.expiry")


def _coins(verdict: Verdict, coins: Document, request: SpendRequest, kind: str) -> None:
    if kind != "cancel" and any(one.is_frozen for one in request.inputs):
        verdict.denied.add("coins.frozen")
    addresses = [one.address for one in request.own_outputs]
    reused = len(set(addresses)) < len(addresses) or any(one.was_used for one in request.own_outputs)
    if coins["address_reuse"] == "forbidden" and reused:
        verdict.denied.add("coins.address_reuse")
    if any(not _fits(one.balance_after, coins["address_cap"]) for one in request.own_outputs):
        verdict.denied.add("coins.address_cap")
    met = {
        prefix
        for prefix in coins["keep_apart"]
        for one in request.inputs
        if one.label is not None and one.label.lower().startswith(prefix)
    }
    if len(met) > 1:
        verdict.denied.add("coins.keep_apart")
