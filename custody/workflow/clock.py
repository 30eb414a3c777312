"""Times as the journal writes them."""

from datetime import UTC, datetime


def rfc3339(unix_seconds: int) -> str:
    """Return `YYYY-MM-DDTHH:MM:SSZ`."""
    return datetime.fromtimestamp(unix_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
