"""Time zones from the pinned `tzdata` package, never from the machine.

Two machines must read a policy's office hours alike, whatever their systems ship or an
administrator put there. Only names that the package lists exist; links (`Asia/Calcutta`) do.
"""

from functools import cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata

from custody.codes import Code
from custody.errors import InvalidInput
from custody.policy.hours import TimeZone

_FOLDER = Path(tzdata.__file__).parent


def time_zone(name: str) -> TimeZone:
    """Return a zone with its rules.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT for a name that the pinned package doesn't list.
    """
    if name not in _names():
        raise InvalidInput(
            Code.MALFORMED_DOCUMENT,
            f"there is no time zone of this name in tzdata {tzdata.IANA_VERSION}",
            advice="Write a name such as `Asia/Karachi`, `America/El_Salvador` or `UTC`.",
        )
    rules = _FOLDER.joinpath("zoneinfo", *name.split("/")).read_bytes()
    return TimeZone(name, ZoneInfo.from_file(BytesIO(rules), key=name))


@cache
def _names() -> frozenset[str]:
    # INVARIANT: a path is built only from a name in this list.
    return frozenset((_FOLDER / "zones").read_text(encoding="ascii").split())
