"""Versions of devices' firmware: read from text, put in order, compared with a range.

A version is two to four whole numbers between dots, `v` before them and an edition after them left out: Coldcard
writes `5.6.1`, `1.5.1Q` (the Q), `6.6.1X` and `6.6.1QX` (Edge), Keystone `2.0.4-BTC`. Only the numbers are compared;
editions have numbers of their own. Anything else (`dev`, `5.6.1-rc1`, `latest`) is no version that we can order: it
is unknown, and an unknown version is never taken for a new or an old one.
"""

import re
from dataclasses import dataclass

_VERSION = re.compile(r"v?([0-9]{1,5}(?:\.[0-9]{1,5}){1,3})(?:-?(?:Q|X|QX|BTC))?", re.ASCII)
_MOST_NUMBERS = 4


def version_numbers(text: str) -> tuple[int, ...] | None:
    """Return the four numbers that order a version (missing ones are 0), None where it can't be ordered."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    numbers = tuple(int(part) for part in match[1].split("."))
    return numbers + (0,) * (_MOST_NUMBERS - len(numbers))


def same_version(one: str | None, other: str | None) -> bool:
    """Tell whether two texts name one version: the same text, or the same numbers however they are written."""
    numbers = version_numbers(one or "")
    return one == other or (numbers is not None and numbers == version_numbers(other or ""))


@dataclass(frozen=True, slots=True)
class FirmwareRange:
    """Versions from `first` on, and before `below`; None is an open end."""

    first: str | None = None
    below: str | None = None

    def __post_init__(self) -> None:
        first, below = _end(self.first), _end(self.below)
        if first is not None and below is not None and first >= below:
            raise ValueError(f"not a range of versions: {self}")

    def holds(self, version: str | None) -> bool | None:
        """Tell whether a version lies in the range; None where the version is unknown and the range has an end."""
        first, below = _end(self.first), _end(self.below)
        if first is None and below is None:
            return True
        numbers = None if version is None else version_numbers(version)
        if numbers is None:
            return None
        return (first is None or numbers >= first) and (below is None or numbers < below)

    def __str__(self) -> str:
        if self.first is None and self.below is None:
            return "any version"
        if self.first is None:
            return f"before {self.below}"
        return f"{self.first} and later" if self.below is None else f"{self.first} and later, before {self.below}"


def _end(version: str | None) -> tuple[int, ...] | None:
    if version is None:
        return None
    numbers = version_numbers(version)
    if numbers is None:
        raise ValueError(f"`{version}` is no version that can be ordered")
    return numbers
