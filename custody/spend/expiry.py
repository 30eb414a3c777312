"""Times as documents write them, and when a proposal expires.

Expiry is judged by the chain's median time past, never by a wall clock, so that two
machines give one answer. It never takes a signature back: only a spent input does.
Source: RFC 3339 (UTC, to the second), BIP 113 (median time past).
"""

import re
from datetime import UTC, datetime

from custody.codes import Code
from custody.errors import InvalidInput

DEFAULT_LIFETIME_S = 14 * 24 * 60 * 60
"""A proposal lives two weeks from its tip's median time past unless it says otherwise."""

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_LAST_S = 253_402_300_799
"""End of the year 9999."""


def format_time(unix_s: int) -> str:
    """Return Unix seconds as `YYYY-MM-DDTHH:MM:SSZ`."""
    if not 0 <= unix_s <= _LAST_S:
        raise _refused(f"time {unix_s} lies outside the years 1970 to 9999")
    return datetime.fromtimestamp(unix_s, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> int:
    """Read `YYYY-MM-DDTHH:MM:SSZ` and return Unix seconds.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT.
    """
    if _TIME.fullmatch(text) is None:
        raise _refused("a time is not `YYYY-MM-DDTHH:MM:SSZ`")
    try:
        moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as cause:
        raise _refused(f"time `{text}` does not exist") from cause
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400 + moment.hour * 3600
    seconds += moment.minute * 60 + moment.second
    # The year must survive the way back: `strftime` writes years before 1000 without zeros.
    if format_time(seconds) != text:
        raise _refused(f"time `{text}` lies before 1970")
    return seconds


def expiry_after(median_time_past: int) -> str:
    """Return when a proposal drafted at this median time past expires."""
    return format_time(median_time_past + DEFAULT_LIFETIME_S)


def is_expired(expires: str, median_time_past: int) -> bool:
    """Say whether the chain's median time past has reached `expires`."""
    return median_time_past >= parse_time(expires)


def _refused(message: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT, message, advice="Write times in UTC to the second, such as 2030-01-31T12:00:00Z."
    )
