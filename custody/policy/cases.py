"""Cases beside a policy (`custody-policy-cases/1`): given history and request, expect decision.

A case says only what it is about; the rest is an ordinary request, whose values stand in
`docs/formats/policy.md`: drafted and signed by `dina`, one old coin, a small fee, everything
on the allowlist. Times are told from the case's `now`: how long ago, in how long.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from custody.bitcoin.amount import Sats, parse_amount
from custody.codes import Code
from custody.documents import strict_yaml
from custody.documents.format_tag import require_format
from custody.errors import Finding, Severity
from custody.people.officer import check_role
from custody.policy.decision import Decision, Gate
from custody.policy.evaluate import evaluate
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
from custody.policy.hours import TimeZone
from custody.policy.limit import parse_duration
from custody.policy.model import SpendPolicy
from custody.policy.reading import Place
from custody.spend.expiry import parse_time
from custody.spend.proposal import ProposalKind

CASES_FORMAT = "custody-policy-cases/1"

DRAFTER = "dina"
TIP = 900_000
DEFAULT_FEE = 4_000
DEFAULT_VSIZE = 400
DEFAULT_LIFE_S = 86_400
OLD = 100
OWN_GROUP = "own"

_MAX_ITEMS = 10_000
"""Of any list in a file of cases."""

_CASE = ("name", "gate", "now", "expect")
_CASE_OPTIONAL = (
    "kind", "path", "pays", "returns", "spends_coins", "fee", "vsize", "locktime", "replaceable", "expires_in",
    "drafter", "replaced_fee", "replaced_was_approved", "signing_began", "approvals", "proposals", "outflows",
    "suspended_by", "officers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a case expects: allowed, or exactly these rules that forbid and these that are missing."""

    denied: frozenset[str]
    missing: frozenset[str] | None
    """None where it is denied and what is missing doesn't matter."""


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """One case."""

    name: str
    gate: Gate
    request: SpendRequest
    history: History
    expect: Expectation


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of a case."""

    case: PolicyCase
    decision: Decision
    problem: str | None
    """What was expected and not found; None where the case holds."""

    def to_finding(self) -> Finding | None:
        """Return the finding of a case that doesn't hold."""
        if self.problem is None:
            return None
        return Finding(
            Code.POLICY_CASE_FAILED,
            Severity.REFUSE,
            f"case:{self.case.name}",
            self.problem,
            "Decide which is right, the policy or the case, and mend the other.",
        )


def load_cases(source: bytes | str) -> tuple[str, tuple[PolicyCase, ...]]:
    """Read cases from YAML; return the name of the policy that they belong to, and the cases.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD or UNKNOWN_FORMAT, with line and column.
        UpgradeNeeded: a later format.
    """
    document = strict_yaml.load_marked(source)
    root = Place(document, document.value, (), "a file of cases")
    require_format(root.value, CASES_FORMAT, "the file of cases", advice="Give a file of cases.")
    found = root.members(("format", "policy", "officers", "cases"))
    officers = _officers(found["officers"])
    cases = tuple(_case(place, officers) for place in found["cases"].items(_MAX_ITEMS))
    if len({case.name for case in cases}) < len(cases):
        raise found["cases"].refuse("two cases have the same name")
    return found["policy"].text("the name of a policy"), cases


def run_cases(policy: SpendPolicy, cases: Iterable[PolicyCase], *, zone: TimeZone) -> tuple[CaseResult, ...]:
    """Decide every case by the policy, and compare."""
    return tuple(_result(policy, case, zone) for case in cases)


def _result(policy: SpendPolicy, case: PolicyCase, zone: TimeZone) -> CaseResult:
    decision = evaluate(policy, case.request, case.history, case.gate, zone=zone)
    denied = frozenset(reason.rule for reason in decision.forbidding)
    missing = frozenset(one.rule for one in decision.missing)
    expect = case.expect
    if denied == expect.denied and expect.missing in (None, missing):
        return CaseResult(case, decision, None)
    wanted = f"denied by {_list(expect.denied)}"
    if expect.missing is not None:
        wanted += f", missing {_list(expect.missing)}"
    return CaseResult(case, decision, f"got denied by {_list(denied)}, missing {_list(missing)}; expected {wanted}")


def _list(rules: frozenset[str]) -> str:
    return ", ".join(f"`{rule}`" for rule in sorted(rules)) or "nothing"


def _officers(place: Place) -> tuple[OfficerFact, ...]:
    return tuple(OfficerFact(name, _roles(roles)) for name, roles in place.mapping().items())


def _roles(place: Place) -> frozenset[str]:
    roles = [item.text("a role") for item in place.items(_MAX_ITEMS)]
    return place.read(lambda: frozenset(check_role(role) for role in roles))


def _time(place: Place) -> int:
    text = place.text('a time in quotes, such as `"2026-03-02T06:00:00Z"`')
    return place.read(lambda: parse_time(text))


def _case(place: Place, shared: tuple[OfficerFact, ...]) -> PolicyCase:
    found = place.members(_CASE, _CASE_OPTIONAL)
    now = _time(found["now"])
    officers = _officers(found["officers"]) if "officers" in found else shared
    return PolicyCase(
        name=found["name"].text("a sentence"),
        gate=Gate(found["gate"].choice(*Gate)),
        request=_request(found, now),
        history=History(
            now=now,
            tip_height=TIP,
            officers=officers,
            approvals=_approvals(found, officers, now),
            spends=tuple(_record(item, now) for item in _items(found, "proposals")),
            outflows=tuple(_outflow(item, now) for item in _items(found, "outflows")),
            suspended_by=found["suspended_by"].text("a name") if "suspended_by" in found else None,
        ),
        expect=_expectation(found["expect"]),
    )


def _request(found: dict[str, Place], now: int) -> SpendRequest:
    kind = ProposalKind(found["kind"].choice(*ProposalKind)) if "kind" in found else ProposalKind.PAYMENT
    payees = tuple(_payee(item, now) for item in _items(found, "pays"))
    own = tuple(_own(item) for item in _items(found, "returns"))
    fee = _amount(found["fee"]) if "fee" in found else Sats(DEFAULT_FEE)
    total = Sats(sum(payee.value for payee in payees) + sum(one.value for one in own) + fee)
    coins = [_coin(item, total) for item in _items(found, "spends_coins")]
    return SpendRequest(
        kind=kind,
        path=found["path"].text("a name") if "path" in found else None,
        payees=payees,
        own_outputs=own,
        inputs=tuple(coins) or (InputFact("coin:0", total, OLD, None, False),),
        fee=fee,
        vsize=found["vsize"].whole(1, 1_000_000) if "vsize" in found else DEFAULT_VSIZE,
        locktime=found["locktime"].whole(0, 0xFFFFFFFF) if "locktime" in found else TIP,
        signals_replacement=found["replaceable"].boolean() if "replaceable" in found else True,
        expires=now + (_duration(found["expires_in"]) if "expires_in" in found else DEFAULT_LIFE_S),
        drafter=_drafter(found),
        group=OWN_GROUP,
        replaced_fee=_amount(found["replaced_fee"]) if "replaced_fee" in found else None,
        replaced_was_approved=_flag(found, "replaced_was_approved"),
        signing_began=_flag(found, "signing_began"),
    )


def _drafter(found: dict[str, Place]) -> str | None:
    if "drafter" not in found:
        return DRAFTER
    return None if found["drafter"].value is None else found["drafter"].text("a name, or null")


def _payee(place: Place, now: int) -> PayeeFact:
    found = place.members(("value",), ("to", "address", "usable_in"))
    address = found["address"].text("an address") if "address" in found else "address-of-payee"
    if "to" not in found:
        return PayeeFact(address, _amount(found["value"]))
    wait = _duration(found["usable_in"]) if "usable_in" in found else 0
    return PayeeFact(address, _amount(found["value"]), found["to"].text("the name of an entry"), now + wait)


def _own(place: Place) -> OwnOutputFact:
    found = place.members(("value",), ("address", "was_used", "balance_after"))
    value = _amount(found["value"])
    return OwnOutputFact(
        address=found["address"].text("an address") if "address" in found else f"own-{place.path[-1]}",
        value=value,
        was_used=_flag(found, "was_used"),
        balance_after=_amount(found["balance_after"]) if "balance_after" in found else value,
    )


def _coin(place: Place, value: Sats) -> InputFact:
    found = place.members((), ("label", "confirmations", "frozen"))
    return InputFact(
        outpoint=f"coin:{place.path[-1]}",
        value=value,
        confirmations=found["confirmations"].whole(0, 10_000_000) if "confirmations" in found else OLD,
        label=found["label"].text("a label") if "label" in found else None,
        is_frozen=_flag(found, "frozen"),
    )


def _approvals(found: dict[str, Place], officers: tuple[OfficerFact, ...], now: int) -> tuple[ApprovalFact, ...]:
    if "approvals" not in found:
        return ()
    roles = {officer.name: officer.roles for officer in officers}
    approvals = []
    for name, ago in found["approvals"].mapping().items():
        if name not in roles:
            raise ago.refuse(f"no officer of the case has this name; there are {', '.join(sorted(roles))}")
        approvals.append(ApprovalFact(name, roles[name], now - _duration(ago)))
    return tuple(approvals)


def _record(place: Place, now: int) -> SpendRecord:
    found = place.members(("amount", "approved_ago"), ("ended_ago", "group"))
    return SpendRecord(
        group=found["group"].text("a name") if "group" in found else f"proposal-{place.path[-1]}",
        amount=_amount(found["amount"]),
        since=now - _duration(found["approved_ago"]),
        ended=now - _duration(found["ended_ago"]) if "ended_ago" in found else None,
    )


def _outflow(place: Place, now: int) -> OutflowRecord:
    found = place.members(("amount", "ago"))
    return OutflowRecord(_amount(found["amount"]), now - _duration(found["ago"]))


def _expectation(place: Place) -> Expectation:
    if place.value == "allowed":
        return Expectation(frozenset(), frozenset())
    found = place.members((), ("denied", "missing"))
    rules = {key: frozenset(item.text("a rule") for item in place.items(_MAX_ITEMS)) for key, place in found.items()}
    if not any(rules.values()):
        raise place.refuse("expect `allowed`, or rules under `denied` or `missing`")
    denied = rules.get("denied", frozenset())
    return Expectation(denied, rules.get("missing", None if denied else frozenset()))


def _items(found: dict[str, Place], key: str) -> tuple[Place, ...]:
    return tuple(found[key].items(_MAX_ITEMS)) if key in found else ()


def _flag(found: dict[str, Place], key: str) -> bool:
    return key in found and found[key].boolean()


def _amount(place: Place) -> Sats:
    text = place.text("an amount with its unit")
    return place.read(lambda: parse_amount(text))


def _duration(place: Place) -> int:
    seconds = parse_duration(place.text("a duration"))
    if seconds is None:
        raise place.refuse("this is not a duration such as `30m`, `48h` or `14d`")
    return seconds
