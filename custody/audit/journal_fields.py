"""The fields of a journal entry: their shapes, and the errors of a wrong one.

Shapes only. What the fields mean together is `journal.py`, what a kind means is the fold's.
"""

import hashlib
import re

from custody.codes import Code
from custody.errors import Altered, Finding, InvalidInput, JsonValue, Severity

ALTERED_ADVICE = "Stop, leave the files as they are, and call the auditor."

_MAX_INTEGER = 2**53 - 1
_MAX_ACTOR_LENGTH = 200
_HASH = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TIME = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)Z")


def hash_of(stored: bytes) -> str:
    """Return the lower-case hex SHA-256 of an entry's stored bytes."""
    return hashlib.sha256(stored).hexdigest()


def is_id(text: str) -> bool:
    """Tell whether `text` is a plain id: printable ASCII without spaces."""
    return _ID.fullmatch(text) is not None


def is_kind(text: str) -> bool:
    """Tell whether `text` is a lower-case word."""
    return _KIND.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Tell whether `text` is RFC 3339 UTC to the second."""
    return _TIME.fullmatch(text) is not None


def is_hash(text: str) -> bool:
    """Tell whether `text` is 64 lower-case hex characters."""
    return _HASH.fullmatch(text) is not None


def altered(message: str, *, code: Code = Code.JOURNAL_ALTERED, **details: JsonValue) -> Altered:
    """Return the error of a journal that is not what was written."""
    return Altered(code, message, advice=ALTERED_ADVICE, details=details)


def finding(where: str, message: str) -> Finding:
    """Return one discrepancy of a journal, with its position."""
    return Finding(Code.JOURNAL_ALTERED, Severity.REFUSE, where, message, ALTERED_ADVICE)


def malformed(message: str) -> InvalidInput:
    """Return the error of a field that no entry can have."""
    return InvalidInput(Code.MALFORMED_DOCUMENT, message, advice="Write entries with this program only.")


def demand(holds: bool, message: str) -> None:
    """Refuse an entry for which the claim doesn't hold."""
    if not holds:
        raise malformed(message)


def text_of(value: JsonValue, what: str) -> str:
    """Return a text field, or refuse it."""
    if not isinstance(value, str):
        raise malformed(f"{what} is not text")
    return value


def integer_of(value: JsonValue, what: str) -> int:
    """Return an integer field, or refuse it; true and false are no integers."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise malformed(f"{what} is not an integer")
    return value


def is_count(value: int) -> bool:
    """Tell whether the integer is 0 or more and survives every JSON reader."""
    return 0 <= value <= _MAX_INTEGER


def is_actor(value: str) -> bool:
    """Tell whether the text can stand on a screen as a name."""
    return 0 < len(value) <= _MAX_ACTOR_LENGTH and value.isprintable() and value == value.strip()
