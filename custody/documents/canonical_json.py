"""JSON in exactly one form: RFC 8785 out, and a reader that accepts no second meaning.

`canonical()` is what gets hashed and signed; `parse_json()` reads documents, and
`parse_canonical()` those that must be right to the byte; `parse_foreign_json()` reads other
programs' files, whose odd numbers it keeps as text. All know integers within
+/-(2**53 - 1), strings, booleans, null, lists and objects, and nothing else: no floats, no
duplicate keys, no lone surrogates, no byte order mark. None gives an unknown field a
meaning: that is the business of each document's type.
Source: RFC 8259, RFC 7493 (I-JSON), RFC 8785 (JCS).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import NoReturn, cast

import rfc8785

from custody.codes import Code
from custody.errors import InvalidInput, JsonValue

MAX_SAFE_INTEGER = 2**53 - 1
MAX_DEPTH = 64
MAX_BYTES = 16_000_000

_LAST_OF_ONE_UNIT = "\uffff"
"""Every character above it takes two units in UTF-16."""
_MAX_INTEGER_DIGITS = len(str(MAX_SAFE_INTEGER))


def canonical(value: JsonValue) -> bytes:
    """Return the RFC 8785 form of `value`, UTF-8.

    Raises:
        InvalidInput: a float, an integer beyond 2**53 - 1, text that UTF-8 can't hold, a key
            that isn't text, or more than 64 levels.
    """
    _require_document_values(value)
    return _plainly_written(value) or rfc8785.dumps(value)


def digest(value: JsonValue) -> str:
    """Return the SHA-256 of the canonical form of `value`, as lower-case hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def parse_json(data: bytes, *, max_bytes: int = MAX_BYTES) -> JsonValue:
    """Read one JSON document, strictly. The bytes needn't be canonical.

    Raises:
        InvalidInput: too large, not UTF-8, not JSON, a duplicate key, a float, or any value
            that `canonical()` refuses.
    """
    value = _decoded(_text_of(data, max_bytes), _DECODER.decode)
    _require_document_values(value)
    return value


def parse_foreign_json(data: bytes, *, max_bytes: int = MAX_BYTES) -> JsonValue:
    """Read JSON that another program wrote: as `parse_json`, but other numbers than safe whole ones become their text.

    Wallet files hold rates, sizes and times that nobody here reads; they are no reason to refuse
    the file, and no float may come of them.

    Raises:
        InvalidInput: too large, not UTF-8, not JSON, a duplicate key, `NaN`, or more than 64 levels.
    """
    value = _decoded(_text_of(data, max_bytes), _FOREIGN_DECODER.decode)
    _require_document_values(value)
    return value


def parse_canonical(data: bytes, *, max_bytes: int = MAX_BYTES) -> JsonValue:
    """Read one JSON document whose bytes must be those that `canonical()` writes.

    Raises:
        InvalidInput: whatever `parse_json` refuses, and every other spelling of a good value.
    """
    text = _text_of(data, max_bytes)
    value = _decoded(text, _decode_without_spaces)
    if not _is_plainly_canonical(text, value) and canonical(value) != data:
        raise _malformed("it is not in its canonical form")
    return value


def _text_of(data: bytes, max_bytes: int) -> str:
    if len(data) > max_bytes:
        raise InvalidInput(
            Code.FILE_TOO_LARGE,
            f"a JSON document has {len(data)} bytes, more than {max_bytes}",
            advice="Give the document itself, without anything else in the same file.",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from None


def _decoded(text: str, decode: Callable[[str], object]) -> JsonValue:
    """Return the value, which may still be too deep or hold half a surrogate pair."""
    try:
        return cast(JsonValue, decode(text))
    except json.JSONDecodeError as error:
        raise _malformed(f"line {error.lineno}, column {error.colno}: not valid JSON") from None
    except RecursionError:
        raise _malformed(f"more than {MAX_DEPTH} levels deep") from None


def _decode_without_spaces(text: str) -> object:
    """Decode a text that begins and ends with its value; a key that stands twice counts once.

    That saves looking for spaces and doubles, which no canonical text has: what it is compared with has none.
    """
    value, end = _QUICK_DECODER.raw_decode(text)
    if end != len(text):
        raise json.JSONDecodeError("something stands after the value", text, end)
    return value


def _plainly_written(value: JsonValue) -> bytes | None:
    """Return the canonical form of a value of documents, or None where only rfc8785 can tell it.

    rfc8785 is written in Python: whoever reads or signs much would spend their time there. The
    standard writer, in C, writes documents' values (no floats, whole numbers in range) as
    RFC 8785 does, but for one thing: it sorts keys by character and not by UTF-16 unit. The two
    orders are one where each character is one unit.
    """
    text = _PLAIN_WRITER.encode(value)
    return text.encode("utf-8") if _has_one_unit_each(text) else None


def _has_one_unit_each(text: str) -> bool:
    return text.isascii() or max(text) <= _LAST_OF_ONE_UNIT


def _is_plainly_canonical(text: str, value: JsonValue) -> bool:
    """Tell whether the standard library's writer shows `text` to be canonical; False shows nothing.

    Why it may be asked: see `_plainly_written`.
    Equal text also excludes duplicate keys, other escapes, spaces, and half a surrogate pair:
    `text` was UTF-8, so it holds none, and the writer would have written one as it is.
    """
    if not _has_one_unit_each(text):
        return False
    if text.count("{") + text.count("[") >= MAX_DEPTH:
        # With fewer brackets it can't be too deep; one inside a string only costs this look.
        _require_document_values(value)
    return _PLAIN_WRITER.encode(value) == text


def _require_document_values(root: object) -> None:
    # Level by level and not recursively, so that a deep document can't exhaust the stack.
    level: list[object] = [root]
    for _depth in range(MAX_DEPTH):
        inner: list[object] = []
        for value in level:
            # Nearly everything is plain text; the rest is judged with more words.
            if type(value) is not str or not value.isascii():
                inner.extend(_checked_children(value))
        if not inner:
            return
        level = inner
    raise _malformed(f"more than {MAX_DEPTH} levels deep")


def _checked_children(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        for key in value:
            if type(key) is not str or not key.isascii():
                _require_text(key)
        return list(value.values())
    if isinstance(value, list):
        return value
    if isinstance(value, int):
        _require_safe_integer(value)
    elif value is not None:
        _require_text(value)
    return ()


def _require_safe_integer(value: int) -> None:
    if abs(value) > MAX_SAFE_INTEGER:
        raise _malformed("a whole number lies beyond 2^53 - 1")


def _require_text(value: object) -> None:
    if isinstance(value, float):
        raise _malformed("a number is not whole")
    if not isinstance(value, str):
        raise _malformed(f"a value or key of type `{type(value).__name__}` does not belong in a document")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _malformed("a text holds half of a surrogate pair") from None


def _object_without_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _malformed("an object has the same key twice")
    return members


def _whole_number(digits: str) -> int:
    # Counted first: turning a million digits into a number takes long.
    value = int(digits) if len(digits) <= _MAX_INTEGER_DIGITS + 1 else None
    if value is None or not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        raise _malformed("a whole number lies beyond 2^53 - 1")
    if digits == "-0":
        raise _malformed("a number is written -0")
    return value


def _number_or_text(digits: str) -> int | str:
    is_safe = len(digits) <= _MAX_INTEGER_DIGITS + 1 and abs(int(digits)) <= MAX_SAFE_INTEGER
    return int(digits) if is_safe else digits


def _refuse_number(_digits: str) -> NoReturn:
    raise _malformed("a number is not whole")


def _malformed(problem: str) -> InvalidInput:
    # INVARIANT: the message never repeats the document's content; it may be anything.
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"a document is malformed: {problem}",
        advice="Take the file again from where it was made; don't mend it by hand.",
    )


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_without_duplicates,
    parse_float=_refuse_number,
    parse_int=_whole_number,
    parse_constant=_refuse_number,
    strict=True,
)

_FOREIGN_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_without_duplicates,
    parse_float=str,
    parse_int=_number_or_text,
    parse_constant=_refuse_number,
    strict=True,
)

_QUICK_DECODER = json.JSONDecoder(
    parse_float=_refuse_number,
    parse_int=_whole_number,
    parse_constant=_refuse_number,
    strict=True,
)

_PLAIN_WRITER = json.JSONEncoder(
    ensure_ascii=False,
    check_circular=False,  # what comes from the decoder holds no circle
    allow_nan=False,
    sort_keys=True,
    separators=(",", ":"),
)
