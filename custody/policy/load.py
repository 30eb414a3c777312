"""Reading a spend policy (`custody-policy/1`), strictly, from YAML or from the journal.

Every field of a section must be there; a section that isn't there forbids its kind (without `keys`, nothing asks
for proofs of keys; without `publication`, addresses may be published). Unknown
keys, unknown formats and contradictions inside one field are refused with line and column
where the text was YAML. What only a person can judge (a tier weaker than the one below it)
is `check.py`'s business. Whether the time zone exists is judged where its rules are read.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import TypeVar

from custody.bitcoin.amount import FeeRate, parse_amount
from custody.documents import strict_yaml
from custody.documents.canonical_json import canonical, parse_canonical
from custody.documents.format_tag import require_format
from custody.documents.names import check_name
from custody.documents.strict_yaml import MarkedDocument
from custody.errors import JsonValue
from custody.people.officer import check_role
from custody.people.quorum import MAX_ROLES, Quorum
from custody.policy.hours import DAYS, Hours
from custody.policy.limit import UNLIMITED, Limit, parse_duration, parse_percent
from custody.policy.model import (
    CoinRules,
    Consent,
    EmergencyPath,
    FeeRules,
    Governance,
    Limits,
    MoveSection,
    PaymentSection,
    SpendPolicy,
    Tier,
    TransactionRules,
)
from custody.policy.reading import Place, unmarked

Section = TypeVar("Section")

POLICY_FORMAT = "custody-policy/1"

NONE = "none"
ANY = "any"
DENY = "deny"

_MAX_COUNT = 10_000
_MAX_PEOPLE = 100
_MAX_ITEMS = 50
"""Of a list: tiers are compared with each other, and a person must be able to read them all."""
_RATE_UNIT = "sat/vb"
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+/-]{0,63}", re.ASCII)
_CLOCK = re.compile(r"(?P<hour>[01][0-9]|2[0-4]):(?P<minute>[0-5][0-9])", re.ASCII)
_REQUIRED = ("format", "name", "version", "time_zone", "governance", "coins", "allowlist")
_SECTIONS = ("keys", "publication", "payment", "internal", "bump", "cancel", "emergency")
_CONSENT = ("approvals", "waiting", "hours")
_TRANSACTION = ("fee", "confirmations", "inputs", "locktime", "replaceable", "expiry")
_LIMITS = ("payment", "day", "week", "month")


def load_policy(source: bytes | str) -> SpendPolicy:
    """Read a policy from YAML.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD, UNKNOWN_FORMAT and what amounts and names
            are refused for, each with line and column. UpgradeNeeded: a later format.
    """
    return _policy_of(strict_yaml.load_marked(source))


def policy_from_document(document: JsonValue) -> SpendPolicy:
    """Read a policy from a parsed document, as it stands in the journal.

    Raises:
        InvalidInput: as `load_policy()`, with the field's path alone.
    """
    return policy_from_canonical(canonical(document))


@lru_cache(maxsize=16)
def policy_from_canonical(document: bytes) -> SpendPolicy:
    """Read a policy from its canonical form, once for the same bytes: each signature under it asks for it again.

    Raises:
        InvalidInput: as `policy_from_document()`.
    """
    return _policy_of(unmarked(parse_canonical(document)))


def _policy_of(document: MarkedDocument) -> SpendPolicy:
    root = Place(document, document.value, ())
    require_format(root.value, POLICY_FORMAT, "the policy", advice="Give a spend policy.")
    found = root.members(_REQUIRED, _SECTIONS)
    allowlist = found["allowlist"].members(("waiting",))
    return SpendPolicy(
        name=_name(found["name"]),
        version=found["version"].whole(1, 1_000_000_000),
        time_zone=_time_zone(found["time_zone"]),
        governance=_governance(found["governance"]),
        allowlist_waiting=_duration(allowlist["waiting"]),
        coins=_coins(found["coins"]),
        prove_keys_every=_section(found, "keys", _prove_every),
        publishes_addresses=_section(found, "publication", _publishes_addresses) is not False,
        payment=_section(found, "payment", _payment),
        internal=_section(found, "internal", _move),
        bump=_section(found, "bump", _move),
        cancel=_section(found, "cancel", _move),
        emergency=_section(found, "emergency", _emergency) or (),
        canonical=canonical(document.value),
    )


def _section(found: dict[str, Place], name: str, read: Callable[[Place], Section]) -> Section | None:
    return read(found[name]) if name in found else None


def _governance(place: Place) -> Governance:
    found = place.members(("approvals", "waiting", "custodians_attest"))
    approvals = _quorum(found["approvals"])
    if not approvals.roles:
        raise found["approvals"].refuse("a change of governance needs at least one approval; it can't be `none`")
    return Governance(approvals, _duration(found["waiting"]), found["custodians_attest"].boolean())


def _coins(place: Place) -> CoinRules:
    found = place.members(("address_cap", "address_reuse", "keep_apart"))
    prefixes: list[str] = []
    for item in found["keep_apart"].items(_MAX_ITEMS):
        prefix = _name(item)
        if any(prefix.startswith(other) or other.startswith(prefix) for other in prefixes):
            raise item.refuse("one of two labels that are kept apart begins with the other")
        prefixes.append(prefix)
    reuse = found["address_reuse"].choice("forbidden", "allowed") == "allowed"
    return CoinRules(_amount_limit(found["address_cap"]), reuse, tuple(prefixes))


def _prove_every(place: Place) -> int:
    found = place.members(("prove_every",))
    seconds = _duration(found["prove_every"])
    if not seconds:
        raise found["prove_every"].refuse("0 would make every key overdue at once; leave out `keys` to ask for nothing")
    return seconds


def _publishes_addresses(place: Place) -> bool:
    return place.members(("addresses",))["addresses"].choice("shown", "committed") == "shown"


def _payment(place: Place) -> PaymentSection:
    found = place.members(("tiers", "drafter_approves", "unlisted", "limits", *_TRANSACTION))
    tiers = tuple(_tier(item) for item in found["tiers"].items(_MAX_ITEMS))
    names = [tier.name for tier in tiers]
    if not tiers:
        raise found["tiers"].refuse("there is no tier; leave out the whole section to forbid payments")
    _require_distinct(found["tiers"], names)
    unlisted = found["unlisted"].text(f"`{DENY}` or the name of a tier")
    if unlisted != DENY and unlisted not in names:
        raise found["unlisted"].refuse(f"this is neither `{DENY}` nor the name of a tier")
    return PaymentSection(
        tiers=tiers,
        drafter_approves=found["drafter_approves"].boolean(),
        unlisted=None if unlisted == DENY else unlisted,
        limits=_limits(found["limits"]),
        transaction=_transaction(found),
    )


def _tier(place: Place) -> Tier:
    found = place.members(("name", "up_to", *_CONSENT))
    name = _name(found["name"])
    if name == DENY:
        raise found["name"].refuse(f"a tier can't be called `{DENY}`")
    return Tier(name, _amount_limit(found["up_to"]), _consent(found))


def _move(place: Place) -> MoveSection:
    found = place.members((*_CONSENT, "drafter_approves", *_TRANSACTION))
    return MoveSection(_consent(found), found["drafter_approves"].boolean(), _transaction(found))


def _emergency(place: Place) -> tuple[EmergencyPath, ...]:
    paths = tuple(_path(item) for item in place.items(_MAX_ITEMS))
    _require_distinct(place, [path.name for path in paths])
    return paths


def _path(place: Place) -> EmergencyPath:
    own = ("name", "destinations", "drafter_approves", "limits", "while_suspended")
    found = place.members((*own, *_CONSENT, *_TRANSACTION))
    destinations = tuple(_name(item) for item in found["destinations"].items(_MAX_ITEMS))
    if not destinations:
        raise found["destinations"].refuse("an emergency path names no destination")
    _require_distinct(found["destinations"], destinations)
    return EmergencyPath(
        name=_name(found["name"]),
        destinations=destinations,
        consent=_consent(found),
        drafter_approves=found["drafter_approves"].boolean(),
        limits=_limits(found["limits"]),
        transaction=_transaction(found),
        while_suspended=found["while_suspended"].boolean(),
    )


def _consent(found: dict[str, Place]) -> Consent:
    approvals = _quorum(found["approvals"])
    waiting = _duration(found["waiting"])
    if waiting and not approvals.roles:
        raise found["waiting"].refuse("waiting counts from the last approval, and none is asked for")
    return Consent(approvals, waiting, _hours(found["hours"]))


def _transaction(found: dict[str, Place]) -> TransactionRules:
    fee = found["fee"].members(("max", "max_rate", "max_percent"))
    inputs = found["inputs"].members(("min", "max"))
    least = inputs["min"].whole(1, _MAX_COUNT)
    most = _limit(inputs["max"], lambda place: place.whole(1, _MAX_COUNT))
    if not most.allows(least):
        raise found["inputs"].refuse("`min` is above `max`")
    return TransactionRules(
        fee=FeeRules(_amount_limit(fee["max"]), _limit(fee["max_rate"], _rate), _limit(fee["max_percent"], _percent)),
        confirmations=found["confirmations"].whole(0, _MAX_COUNT),
        min_inputs=least,
        max_inputs=most,
        locktime_by_tip=found["locktime"].choice("tip", ANY) == "tip",
        must_signal_replacement=found["replaceable"].choice("required", ANY) == "required",
        expiry=_duration(found["expiry"]),
    )


def _limits(place: Place) -> Limits:
    found = place.members(_LIMITS)
    payment, day, week, month = (_amount_limit(found[name]) for name in _LIMITS)
    return Limits(payment, day, week, month)


def _limit(place: Place, read: Callable[[Place], int]) -> Limit:
    return Limit(None) if place.value == UNLIMITED else Limit(read(place))


def _amount_limit(place: Place) -> Limit:
    return _limit(place, _amount)


def _amount(place: Place) -> int:
    text = place.text(f"an amount with its unit, such as `10btc` or `5000sat`, or `{UNLIMITED}`")
    return place.read(lambda: parse_amount(text))


def _rate(place: Place) -> int:
    text = place.text(f"a fee rate, such as `25{_RATE_UNIT}`, or `{UNLIMITED}`")
    if not text.endswith(_RATE_UNIT):
        raise place.refuse(f"a fee rate has no unit; write it like `25{_RATE_UNIT}`")
    return place.read(lambda: FeeRate.from_sat_vb(text.removesuffix(_RATE_UNIT)).sat_kvb)


def _percent(place: Place) -> int:
    points = parse_percent(place.text(f"a percentage, such as `0.5%`, or `{UNLIMITED}`"))
    if points is None:
        raise place.refuse("this is not a percentage of 0 to 100 with at most two decimals, such as `0.5%`")
    return points


def _duration(place: Place) -> int:
    seconds = parse_duration(place.text("a duration, such as `30m`, `48h` or `14d`"))
    if seconds is None:
        raise place.refuse(
            "this is not a duration in whole minutes, hours or days of at most 3,650 days, such as `48h`"
        )
    return seconds


def _quorum(place: Place) -> Quorum:
    if place.value == NONE:
        return Quorum(())
    found = place.mapping()
    if not 1 <= len(found) <= MAX_ROLES:
        raise place.refuse(f"approvals name 1 to {MAX_ROLES} roles; where nobody is asked, write `{NONE}`")
    for role in found:
        place.read(partial(check_role, role))
    return Quorum.of({role: count.whole(1, _MAX_PEOPLE) for role, count in found.items()})


def _hours(place: Place) -> Hours | None:
    if place.value == ANY:
        return None
    found = place.members(("days", "from", "to"))
    days = [item.choice(*DAYS) for item in found["days"].items(len(DAYS))]
    if not days:
        raise found["days"].refuse("there is no day; leave out the section to forbid it")
    _require_distinct(found["days"], days)
    first, last = _minute(found["from"]), _minute(found["to"])
    if first >= last:
        raise place.refuse("`from` is not before `to`; hours don't cross midnight")
    return Hours(frozenset(DAYS.index(day) for day in days), first, last)


def _minute(place: Place) -> int:
    match = _CLOCK.fullmatch(place.text('a time of day in quotes, such as `"09:00"`'))
    minute = int(match["hour"]) * 60 + int(match["minute"]) if match else None
    if minute is None or minute > 24 * 60:
        raise place.refuse('this is not a time of day from `"00:00"` to `"24:00"`')
    return minute


def _name(place: Place) -> str:
    text = place.text("a name")
    return place.read(lambda: check_name(text))


def _time_zone(place: Place) -> str:
    text = place.text("the name of a time zone, such as `Asia/Karachi`")
    if _ZONE.fullmatch(text) is None:
        raise place.refuse("this is not the name of a time zone, such as `Asia/Karachi`")
    return text


def _require_distinct(place: Place, names: list[str] | tuple[str, ...]) -> None:
    if len(set(names)) != len(names):
        raise place.refuse("a name stands twice in this list")
