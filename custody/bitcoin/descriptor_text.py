"""The grammar of the descriptors that the toolkit builds, and names for those it doesn't.

Follows BIP 380, 382, 383 and 389 as far as `wsh(sortedmulti(…))` and
`sh(wsh(sortedmulti(…)))` of ranged extended keys go. A descriptor of another kind is
refused as unsupported where its outermost words are known ones, as invalid otherwise; it
is not examined further, so "unsupported" does not say that it is valid.
"""

import re
from dataclasses import dataclass

from custody.bitcoin.curve import is_valid_public_key
from custody.bitcoin.keys import HARDENED, KeyExpression, parse_step
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import InvalidInput, SecretRefused

MAX_KEYS = 15
MAX_TEXT_STEPS = 255

_CALL = re.compile(r"(?P<name>[a-z0-9_:]+)\((?P<inner>.*)\)", re.ASCII | re.DOTALL)
_RAW_KEY = re.compile(r"(?:\[[^\[\]]*\])?(?P<key>[0-9a-fA-F]{64}|[0-9a-fA-F]{66}|[0-9a-fA-F]{130})", re.ASCII)
_THRESHOLD = re.compile(r"0|[1-9][0-9]{0,8}", re.ASCII)

_TOP_ELSEWHERE = frozenset({"pk", "pkh", "wpkh", "combo", "multi", "sortedmulti", "addr", "raw", "tr", "rawtr", "sp"})
_IN_SH_ELSEWHERE = frozenset({"pk", "pkh", "wpkh", "multi", "sortedmulti"})
_IN_WSH_ELSEWHERE = frozenset(
    {"pk", "pkh", "multi", "pk_k", "pk_h", "older", "after", "sha256", "hash256", "ripemd160", "hash160"}
    | {"andor", "and_v", "and_b", "and_n", "or_b", "or_c", "or_d", "or_i", "thresh"}
)
"""Words that are right in their place in some descriptor, of a kind that is not built here."""


@dataclass(frozen=True, slots=True)
class DescriptorParts:
    """What a descriptor's text says, before its keys are compared with one another."""

    wrapped: bool
    """Whether `sh(…)` stands around `wsh(…)`."""
    threshold: int
    keys: tuple[KeyExpression, ...]
    branches: tuple[int, ...]
    """The step before the wildcard, the same for every key: one, or one per chain."""


def read_descriptor(body: str, network: Network) -> DescriptorParts:
    """Read a descriptor without its checksum.

    Raises:
        InvalidInput: with the code of what is wrong, and the number of the key where it is one.
    """
    if "?" in body:
        raise InvalidInput(
            Code.ANNOTATION_PRESENT,
            "a descriptor carries an annotation after `?`",
            advice="Remove the annotation and recompute the checksum; scan limits are not taken from files.",
        )
    wrapped, arguments = _unwrap(body)
    threshold_text, *key_texts = arguments.split(",")
    if not key_texts:
        raise invalid("sortedmulti() has no keys")
    if len(key_texts) > MAX_KEYS:
        raise InvalidInput(
            Code.TOO_MANY_KEYS,
            f"a descriptor has {len(key_texts)} keys, at most {MAX_KEYS} are supported",
            advice="Use a vault of fewer keys.",
        )
    threshold = _read_threshold(threshold_text, len(key_texts))
    keys = [_read_numbered_key(number, text, network) for number, text in enumerate(key_texts, start=1)]
    if len({branches for _, branches in keys}) > 1:
        raise InvalidInput(
            Code.MIXED_MULTIPATH,
            "the keys of a descriptor go on to different branches",
            advice="Give every key the same ending, normally `/<0;1>/*`.",
        )
    return DescriptorParts(wrapped, threshold, tuple(key for key, _ in keys), keys[0][1])


def invalid(message: str) -> InvalidInput:
    """Return the error for text that is no descriptor."""
    return InvalidInput(
        Code.DESCRIPTOR_INVALID, message, advice="Copy the whole descriptor with its checksum again from its source."
    )


def unsupported(message: str) -> InvalidInput:
    """Return the error for a descriptor of a kind that is not built."""
    return InvalidInput(
        Code.DESCRIPTOR_UNSUPPORTED,
        message,
        advice="Use `wsh(sortedmulti(…))` or `sh(wsh(sortedmulti(…)))` over keys ending in `/<0;1>/*`.",
    )


def _unwrap(body: str) -> tuple[bool, str]:
    name, inner = _call(body)
    wrapped = name == "sh"
    if wrapped:
        name, inner = _call(inner)
        if name != "wsh":
            raise _other_kind(name, "sh()", _IN_SH_ELSEWHERE)
    elif name != "wsh":
        raise _other_kind(name, None, _TOP_ELSEWHERE)
    name, inner = _call(inner)
    if name != "sortedmulti":
        raise _other_kind(name.rpartition(":")[2], "wsh()", _IN_WSH_ELSEWHERE)
    if "musig(" in inner:
        raise unsupported("musig() is not supported")
    if any(character in "(){}" for character in inner):
        raise invalid("sortedmulti() holds brackets that belong elsewhere")
    return wrapped, inner


def _call(text: str) -> tuple[str, str]:
    match = _CALL.fullmatch(text)
    if match is None:
        raise invalid("a descriptor is not of the form `name(…)` throughout")
    return match["name"], match["inner"]


def _other_kind(name: str, outer: str | None, known: frozenset[str]) -> InvalidInput:
    place = f" inside {outer}" if outer else ""
    return unsupported(f"{name}(){place} is not supported") if name in known else invalid(f"no {name}(){place} exists")


def _read_threshold(text: str, key_count: int) -> int:
    threshold = int(text) if _THRESHOLD.fullmatch(text) else 0
    if not 1 <= threshold <= key_count:
        raise InvalidInput(
            Code.THRESHOLD_INVALID,
            f"the threshold is not a number from 1 to {key_count}",
            advice=f"Give a threshold from 1 to {key_count}.",
        )
    return threshold


def _read_numbered_key(number: int, text: str, network: Network) -> tuple[KeyExpression, tuple[int, ...]]:
    try:
        return _read_key(text, network)
    except SecretRefused:
        raise
    except InvalidInput as cause:
        raise InvalidInput(cause.code, f"key {number}: {cause.message}", advice=cause.advice) from cause


def _read_key(text: str, network: Network) -> tuple[KeyExpression, tuple[int, ...]]:
    raw = _RAW_KEY.fullmatch(text)
    if raw is not None:
        raise _raw_key_refused(raw["key"])
    head, bracket, tail = text.rpartition("]")
    key, slash, steps = tail.partition("/")
    expression = KeyExpression.parse(head + bracket + key, network)
    return expression, _read_branches(steps.split("/") if slash else [])


def _raw_key_refused(key: str) -> InvalidInput:
    if len(key) == 66 and is_valid_public_key(bytes.fromhex(key)):
        return unsupported("it is a single public key, not an extended one")
    return InvalidInput(
        Code.INVALID_PUBLIC_KEY,
        "it is not a compressed point of the curve",
        advice="Export the key again from its device.",
    )


def _read_branches(steps: list[str]) -> tuple[int, ...]:
    """Read what follows an extended key: one branch step (of one or more values), then `*`."""
    if len(steps) > MAX_TEXT_STEPS:
        raise invalid(f"a key has {len(steps)} steps after it, at most {MAX_TEXT_STEPS} can be valid")
    if any(step.startswith("*") for step in steps[:-1]):
        raise invalid("a wildcard stands before the last step")
    if sum(step.startswith("<") for step in steps) > 1:
        raise invalid("a key has more than one multipath step")
    ranged = bool(steps) and steps[-1].startswith("*")
    values = [_read_multipath(step) for step in (steps[:-1] if ranged else steps)]
    if not ranged:
        raise InvalidInput(
            Code.NOT_RANGED,
            "the key has no wildcard, so it gives one address only",
            advice="End every key in `/<0;1>/*`.",
        )
    _check_wildcard(steps[-1])
    if len(values) != 1:
        raise unsupported(f"{len(values)} steps stand between the extended key and its wildcard, expected one")
    return values[0]


def _check_wildcard(step: str) -> None:
    if step == "*":
        return
    if step in ("*h", "*'"):
        raise _hardened_refused()
    if step == "*H":
        raise InvalidInput(
            Code.BAD_HARDENED_MARKER,
            "a wildcard carries the marker `H`",
            advice="End every key in `/<0;1>/*`.",
        )
    raise invalid("a wildcard is followed by something else than its end")


def _read_multipath(step: str) -> tuple[int, ...]:
    multipath = step.startswith("<")
    if multipath and not step.endswith(">"):
        raise invalid("a multipath step has no end")
    values = tuple(_read_step(value) for value in (step[1:-1].split(";") if multipath else [step]))
    if multipath and (len(values) < 2 or len(set(values)) < len(values)):
        raise invalid("a multipath step does not hold at least two different values")
    return values


def _read_step(text: str) -> int:
    try:
        step = parse_step(text)
    except InvalidInput as cause:
        if cause.code is Code.ORIGIN_INVALID:
            raise invalid("a step after the extended key is not a number") from cause
        raise
    if step >= HARDENED:
        raise _hardened_refused()
    return step


def _hardened_refused() -> InvalidInput:
    return InvalidInput(
        Code.HARDENED_PUBLIC_DERIVATION,
        "a step after the extended public key is hardened, which only the private key can derive",
        advice="End every key in `/<0;1>/*`.",
    )
