"""Random policies, requests and histories, small enough that bounds are met to the satoshi and the second.

Everything follows from one `random.Random`. Amounts are a few satoshis and times whole hours, so that
"exactly at the limit" and "exactly when the window ends" come up all the time.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from custody.bitcoin.amount import Sats
from custody.errors import JsonValue
from custody.policy.decision import Gate
from custody.policy.facts import (
    ApprovalFact,
    History,
    InputFact,
    OfficerFact,
    OutflowRecord,
    OwnOutputFact,
    PayeeFact,
    SpendRecord,
    SpendRequest,
)
from custody.spend.proposal import ProposalKind

NOW = 1_772_431_200
"""2026-03-02T06:00:00Z, a Monday."""
HOUR_S = 3_600
ROLES = ("approver", "board", "auditor", "drafter")
NAMES = ("ann", "bob", "cat", "dan", "eve")
ENTRIES = ("shop", "recovery", None)
ZONES = ("UTC", "Asia/Karachi", "America/New_York", "Africa/Cairo")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LABELS = (None, "mining one", "Grant A", "other")

Document = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class RandomCase:
    """One question, with the policy as a document."""

    document: Document
    request: SpendRequest
    history: History
    gate: Gate


def random_case(random: Random) -> RandomCase:
    """Return a policy, and a question that it has something to say about.

    Two in three are eased: most rules that would forbid let go, so that the others are seen at work.
    """
    document, request, history = random_document(random), random_request(random), random_history(random)
    if random.random() < 0.67:
        ease(random, document)
        request, history = eased(random, request), replace(history, suspended_by=None)
    return RandomCase(document, request, history, random.choice(tuple(Gate)))


def ease(random: Random, document: Document) -> None:
    """Make most fields of a policy lenient, in place."""
    sections: list[Any] = [document[name] for name in ("payment", "internal", "bump", "cancel") if name in document]
    sections += document.get("emergency", [])
    lenient = {"confirmations": 0, "locktime": "any", "replaceable": "any", "expiry": "14d", "unlisted": "tier-0"}
    for section in sections:
        for field, value in lenient.items():
            if field in section and random.random() < 0.85:
                section[field] = value
        for part in ("fee", "limits"):
            for field in section.get(part, {}):
                if random.random() < 0.75:
                    section[part][field] = "unlimited"
        if random.random() < 0.85:
            section["inputs"] = {"min": 1, "max": "unlimited"}
        if "tiers" in section and random.random() < 0.85:
            section["tiers"][-1]["up_to"] = "unlimited"
    if random.random() < 0.85:
        document["coins"] = {"address_cap": "unlimited", "address_reuse": "allowed", "keep_apart": []}


def eased(random: Random, request: SpendRequest) -> SpendRequest:
    """Return a request that fewer rules forbid."""
    is_emergency = request.kind is ProposalKind.EMERGENCY
    payees = tuple(replace(payee, entry="recovery", usable_from=NOW - HOUR_S) for payee in request.payees)
    request = replace(
        request,
        path="sweep" if is_emergency else None,
        payees=payees if is_emergency or random.random() < 0.5 else request.payees,
        expires=max(request.expires, NOW + 150 * HOUR_S),
        inputs=tuple(replace(one, is_frozen=False) for one in request.inputs),
    )
    if request.kind is ProposalKind.BUMP:
        return replace(request, fee=Sats(3), replaced_fee=Sats(2))
    return request


def random_document(random: Random) -> Document:
    """Return a policy document that the loader accepts."""
    tiers: list[JsonValue] = []
    tops = sorted(random.sample(range(2, 60), random.choice((1, 2, 2, 3))))
    for number, top in enumerate(tops):
        is_last = number == len(tops) - 1
        up_to = "unlimited" if is_last and random.random() < 0.4 else f"{top}sat"
        tiers.append({"name": f"tier-{number}", "up_to": up_to, **_consent(random)})
    if random.random() < 0.1:
        random.shuffle(tiers)
    document: Document = {
        "format": "custody-policy/1",
        "name": "random",
        "version": random.randint(1, 9),
        "time_zone": random.choice(ZONES),
        "governance": {
            "approvals": {"administrator": random.randint(1, 2)},
            "waiting": random.choice(("0h", "48h")),
            "custodians_attest": random.random() < 0.5,
        },
        "allowlist": {"waiting": random.choice(("0h", "24h"))},
        "coins": {
            "address_cap": _limit(random, 60),
            "address_reuse": random.choice(("forbidden", "allowed")),
            "keep_apart": random.choice(([], ["mining"], ["mining", "grant"])),
        },
        "payment": {
            "tiers": tiers,
            "drafter_approves": random.random() < 0.3,
            "unlisted": random.choice(("deny", *(f"tier-{number}" for number in range(len(tiers))))),
            "limits": _limits(random),
            **_transaction(random),
        },
        "internal": _move(random),
        "bump": _move(random),
        "cancel": _move(random),
        "emergency": [
            {
                "name": "sweep",
                "destinations": random.choice((["recovery"], ["recovery", "shop"])),
                "limits": _limits(random),
                "while_suspended": random.random() < 0.5,
                **_move(random),
            }
        ],
    }
    for section in ("payment", "internal", "bump", "cancel", "emergency"):
        if random.random() < 0.06:
            del document[section]
    if random.random() < 0.5:
        document["keys"] = {"prove_every": random.choice(("1h", "90d"))}
    if random.random() < 0.5:
        document["publication"] = {"addresses": random.choice(("shown", "committed"))}
    return document


def random_request(random: Random) -> SpendRequest:
    """Return a request; most have the shape that their kind demands."""
    kind = random.choice((*ProposalKind, ProposalKind.PAYMENT, ProposalKind.PAYMENT))
    payees = tuple(_payee(random, number) for number in range(random.choice((1, 1, 2))))
    own = tuple(_own(random, number) for number in range(random.choice((0, 1, 1, 2))))
    if kind in (ProposalKind.INTERNAL, ProposalKind.CANCEL) and random.random() < 0.9:
        payees, own = (), (_own(random, 0),)
    if kind is ProposalKind.BUMP and random.random() < 0.2:
        payees = ()
    if random.random() < 0.04:
        payees = ()
    fee = random.choice((0, 1, 1, 1, 2, 3))
    return SpendRequest(
        kind=kind,
        path=_path(random, kind),
        payees=payees,
        own_outputs=own,
        inputs=tuple(_input(random, number) for number in range(random.choice((1, 1, 2, 3)))),
        fee=Sats(fee),
        vsize=random.choice((1, 1, 2, 3, 700)),
        locktime=random.choice((0, 100, 100, 101, 499_999_999, 500_000_000)),
        signals_replacement=random.random() < 0.9,
        expires=NOW + random.choice((-1, 0, 1, 24, 24, 48, 48, 49)) * HOUR_S + random.choice((0, 0, 1)),
        drafter=random.choice((None, *NAMES, *NAMES, *NAMES)),
        group=random.choice(("group-0", "own")),
        replaced_fee=None if random.random() < 0.2 else Sats(random.choice((0, 0, 1, 2))),
        replaced_was_approved=random.random() < 0.5,
        signing_began=random.random() < 0.2,
    )


def random_history(random: Random) -> History:
    """Return a past with officers, approvals and other proposals."""
    officers = tuple(OfficerFact(name, frozenset(random.sample(ROLES, random.choice((1, 2, 2, 3))))) for name in NAMES)
    approvals = tuple(random_approval(random, officers) for _ in range(random.choice((0, 1, 2, 3, 3, 4, 5, 5))))
    windows = (24, 168, 720)
    spends = []
    for _ in range(random.choice((0, 0, 1, 2, 4))):
        ended = None if random.random() < 0.3 else random.choice((*windows, *windows, random.randint(0, 800)))
        began = random.randint(ended or 0, 900)
        offset = random.choice((0, 0, 1, -1))
        spends.append(
            SpendRecord(
                group=f"group-{random.randint(0, 2)}",
                amount=random.randint(1, 30),
                since=NOW - began * HOUR_S,
                ended=None if ended is None else NOW - ended * HOUR_S + offset,
            )
        )
    outflows = tuple(
        OutflowRecord(random.randint(1, 30), NOW - random.choice((*windows, random.randint(0, 800))) * HOUR_S)
        for _ in range(random.choice((0, 0, 0, 1, 2)))
    )
    return History(
        now=NOW + random.choice((0, 0, 0, 8, 16, 61, 100, 122)) * HOUR_S * (random.random() < 0.5),
        tip_height=100,
        officers=officers,
        approvals=approvals,
        spends=tuple(spends),
        outflows=outflows,
        suspended_by=random.choice((None, None, None, None, None, "eve")),
    )


def random_approval(random: Random, officers: tuple[OfficerFact, ...]) -> ApprovalFact:
    """Return an approval by one of the officers."""
    officer = random.choice(officers)
    return ApprovalFact(officer.name, officer.roles, NOW - random.choice((0, 1, 2, 2, 6, 30)) * HOUR_S)


def with_more_approvals(random: Random, history: History) -> History:
    """Return the history with some approvals more."""
    more = tuple(random_approval(random, history.officers) for _ in range(random.choice((1, 1, 2))))
    return replace(history, approvals=(*history.approvals, *more))


def _consent(random: Random) -> Document:
    roles = random.sample(ROLES[:3], random.choice((0, 1, 1, 2)))
    if not roles:
        return {"approvals": "none", "waiting": "0h", "hours": _hours(random)}
    return {
        "approvals": {role: random.choice((1, 1, 2)) for role in roles},
        "waiting": random.choice(("0h", "0h", "2h", "1d")),
        "hours": _hours(random),
    }


def _hours(random: Random) -> JsonValue:
    if random.random() < 0.6:
        return "any"
    first = random.choice((0, 60, 540, 661))
    last = random.choice((662, 960, 1_439, 1_440))
    days: list[JsonValue] = [*random.sample(DAYS, random.choice((1, 3, 6)))]
    return {"days": days, "from": _clock(first), "to": _clock(last)}


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _limit(random: Random, most: int) -> str:
    return random.choice(("unlimited", "unlimited", f"{random.randint(0, most)}sat", f"{random.randint(20, most)}sat"))


def _limits(random: Random) -> Document:
    return {name: _limit(random, 80) for name in ("payment", "day", "week", "month")}


def _transaction(random: Random) -> Document:
    return {
        "fee": {
            "max": random.choice(("unlimited", "2sat", "3sat", "0sat")),
            "max_rate": random.choice(("unlimited", "1sat/vb", "1.5sat/vb", "0.333sat/vb", "9999999sat/vb")),
            "max_percent": random.choice(("unlimited", "10%", "33.33%", "100%")),
        },
        "confirmations": random.choice((0, 1, 6)),
        "inputs": random.choice(({"min": 1, "max": 2}, {"min": 1, "max": "unlimited"}, {"min": 2, "max": 3})),
        "locktime": random.choice(("tip", "any", "any")),
        "replaceable": random.choice(("required", "any")),
        "expiry": random.choice(("24h", "2d", "14d", "14d")),
    }


def _move(random: Random) -> Document:
    return {**_consent(random), "drafter_approves": random.random() < 0.3, **_transaction(random)}


def _path(random: Random, kind: ProposalKind) -> str | None:
    if kind is ProposalKind.EMERGENCY:
        return random.choice(("sweep", "sweep", "sweep", "other", None))
    return "sweep" if random.random() < 0.03 else None


def _payee(random: Random, number: int) -> PayeeFact:
    entry = random.choice(ENTRIES)
    usable = None if entry is None else NOW + random.choice((-100, -1, 0, 0, 1)) * HOUR_S
    if random.random() < 0.02:
        usable = None
    return PayeeFact(f"payee-{number}", Sats(random.randint(1, 40)), entry, usable)


def _own(random: Random, number: int) -> OwnOutputFact:
    value = random.randint(1, 40)
    return OwnOutputFact(
        address=f"own-{random.choice((0, number))}",
        value=Sats(value),
        was_used=random.random() < 0.1,
        balance_after=Sats(value + random.choice((0, 0, 0, 20))),
    )


def _input(random: Random, number: int) -> InputFact:
    return InputFact(
        outpoint=f"coin:{number}",
        value=Sats(random.randint(1, 60)),
        confirmations=random.choice((0, 1, 5, 6, 6, 7, 100)),
        label=random.choice(LABELS),
        is_frozen=random.random() < 0.06,
    )
