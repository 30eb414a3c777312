"""Labels in the exchange format of wallets: BIP 329, one JSON object a line.

What other wallets know and we don't (types, further keys, numbers with a point) is kept to
the byte and written back. A record that names the wallet it came from must name this vault.
Labels are text for people: no verdict ever rests on one, and an imported `spendable` changes
nothing here. The secret gate is the caller's.
Source: BIP 329.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from custody.bitcoin.descriptor import Descriptor, ScriptType
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput

KNOWN_TYPES = frozenset({"tx", "addr", "pubkey", "input", "output", "xpub"})
MAX_LINE_BYTES = 65_536
MAX_LINES = 200_000

_KNOWN_KEYS = frozenset({"type", "ref", "label", "origin", "spendable"})
_MAX_DEPTH = 20

_ORIGIN = re.compile(r"\[([0-9a-f]{8}(?:/[0-9]+h)*)\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """One label. `line` is set where the record holds more than the other fields say."""

    type: str
    ref: str
    label: str | None
    origin: str | None = None
    spendable: bool | None = None
    line: str | None = None
    """The line as it was read: an unknown type, or known with further keys."""

    def to_line(self) -> str:
        """Return the record as one line of JSON, without a line feed."""
        if self.line is not None:
            return self.line
        named: dict[str, str | bool | None] = {
            "type": self.type,
            "ref": self.ref,
            "label": self.label,
            "origin": self.origin,
            "spendable": self.spendable,
        }
        present = {key: value for key, value in named.items() if value is not None}
        return json.dumps(present, ensure_ascii=False)


def parse_labels(data: bytes) -> tuple[LabelRecord, ...]:
    """Read a BIP 329 file. Empty lines are skipped; of two records for one thing both are returned.

    Raises:
        InvalidInput: LABELS_MALFORMED, with the number of the line.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise _malformed(None, "the file is not UTF-8") from cause
    lines = text.removeprefix("\ufeff").split("\n")
    if len(lines) > MAX_LINES:
        raise _malformed(None, f"the file has {len(lines)} lines, at most {MAX_LINES} are read")
    return tuple(_record(line.strip("\r"), number) for number, line in enumerate(lines, start=1) if line.strip())


def format_labels(records: Iterable[LabelRecord]) -> bytes:
    """Return a BIP 329 file: what `parse_labels` reads back as the same records."""
    return "".join(record.to_line() + "\n" for record in records).encode("utf-8")


def origin_text(descriptor: Descriptor) -> str:
    """Return the abbreviated descriptor that names a vault in `origin`: its key origins without keys."""
    origins = ",".join(f"[{key.origin.to_text()}]" for key in descriptor.keys)
    body = f"wsh(sortedmulti({descriptor.threshold},{origins}))"
    return f"sh({body})" if descriptor.script_type is ScriptType.SH_WSH_SORTEDMULTI else body


def require_origin(records: Iterable[LabelRecord], descriptor: Descriptor) -> None:
    """Demand that every record which names its wallet names this vault.

    The order of the keys and the marker of hardened steps don't matter.

    Raises:
        CheckFailed: VAULT_MISMATCH with the first foreign record.
    """
    wanted = _comparable(origin_text(descriptor))
    for record in records:
        if record.origin is not None and _comparable(record.origin) != wanted:
            raise CheckFailed(
                Code.VAULT_MISMATCH,
                f"the label of `{record.ref}` belongs to another wallet: `{record.origin}`",
                advice="Import labels into the vault that they were exported from.",
                details={"origin": record.origin, "expected": origin_text(descriptor)},
            )


def _comparable(origin: str) -> tuple[str, tuple[str, ...]]:
    plain = origin.replace("'", "h").replace("H", "h").replace(" ", "").lower()
    return _ORIGIN.sub("@", plain), tuple(sorted(_ORIGIN.findall(plain)))


def _record(line: str, number: int) -> LabelRecord:
    if len(line.encode("utf-8")) > MAX_LINE_BYTES:
        raise _malformed(number, f"longer than {MAX_LINE_BYTES} bytes")
    document = _object(line, number)
    kind, ref = _text(document, "type", number), _text(document, "ref", number)
    if kind is None or ref is None:
        raise _malformed(number, "`type` or `ref` is missing")
    spendable = document.get("spendable")
    is_known = kind in KNOWN_TYPES and document.keys() <= _KNOWN_KEYS and None not in document.values()
    if spendable is not None and not isinstance(spendable, bool):
        raise _malformed(number, "`spendable` is neither true nor false")
    return LabelRecord(
        type=kind,
        ref=ref,
        label=_text(document, "label", number),
        origin=_text(document, "origin", number),
        spendable=spendable,
        line=None if is_known else line,
    )


def _object(line: str, number: int) -> dict[str, object]:
    try:
        document: object = json.loads(
            line, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant, parse_float=str
        )
    except (ValueError, RecursionError) as cause:
        raise _malformed(number, "not one JSON object with distinct keys") from cause
    if not isinstance(document, dict):
        raise _malformed(number, "not a JSON object")
    _refuse_deep(document, number)
    return document


def _refuse_deep(document: object, number: int) -> None:
    """Refuse nesting that a reader without a stack of its own could not follow; some Pythons parse it."""
    level = [document]
    for _depth in range(_MAX_DEPTH):
        level = [item for value in level for item in _members(value)]
        if not level:
            return
    raise _malformed(number, f"nested deeper than {_MAX_DEPTH} levels")


def _members(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the same key twice")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _text(document: dict[str, object], key: str, number: int) -> str | None:
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise _malformed(number, f"`{key}` is not text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as cause:
        raise _malformed(number, f"`{key}` holds half a character") from cause
    return value


def _malformed(number: int | None, message: str) -> InvalidInput:
    where = "labels" if number is None else f"line {number} of the labels"
    details = {} if number is None else {"line": number}
    return InvalidInput(
        Code.LABELS_MALFORMED,
        f"{where}: {message}",
        advice="Export the labels again as BIP 329: one JSON object a line.",
        details=details,
    )
