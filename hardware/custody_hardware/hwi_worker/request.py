"""What a request holds, and the errors of our own: values that every part of the worker shares."""

from collections.abc import Callable
from typing import TypeAlias

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"
Ask = Callable[[str], str]
"""Takes `pin` or `passphrase`, returns what its holder typed."""


class WorkerError(Exception):
    """Something that we found out, not the driver. The parent knows each by the name of its class."""


class NotAsked(WorkerError):
    """The device wants a PIN or passphrase from the computer, and nobody is there to type it."""


class OtherDevice(WorkerError):
    """The device at that place has another fingerprint than the one that is wanted."""


class WrongApp(WorkerError):
    """A Ledger has the app of another network open."""


class OldApp(WorkerError):
    """A Ledger's app speaks the old protocol, which knows no wallet policies."""


class WrongPin(WorkerError):
    """The device refused the PIN."""


class NotConfirmed(WorkerError):
    """The device's holder did not confirm in time, or said no where the device does not tell."""


class UnwantedLibrary(WorkerError):
    """`requests` is installed beside HWI: with it the Jade driver talks to a server."""


class Request:
    """A JSON object whose members are read with their type; anything else in it is an error."""

    def __init__(self, value: Json) -> None:
        if not isinstance(value, dict):
            raise TypeError("a request is a JSON object")
        self._members = value

    def text(self, key: str) -> str:
        """Return a text."""
        value = self._members[key]
        if not isinstance(value, str):
            raise TypeError(f"{key} is not a text")
        return value

    def number(self, key: str) -> int:
        """Return an integer."""
        value = self._members[key]
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{key} is not an integer")
        return value

    def flag(self, key: str) -> bool:
        """Return a truth value."""
        value = self._members[key]
        if not isinstance(value, bool):
            raise TypeError(f"{key} is neither true nor false")
        return value

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        value = self._members[key]
        if not isinstance(value, list):
            raise TypeError(f"{key} is not a list")
        found = [item for item in value if isinstance(item, str)]
        if len(found) != len(value):
            raise TypeError(f"{key} holds something else than texts")
        return found

    def part(self, key: str) -> "Request":
        """Return an object inside."""
        return Request(self._members[key])

    def parts(self, key: str) -> "list[Request]":
        """Return a list of objects inside."""
        value = self._members[key]
        if not isinstance(value, list):
            raise TypeError(f"{key} is not a list")
        return [Request(item) for item in value]

    def is_null(self, key: str) -> bool:
        """Whether a member is null."""
        return self._members[key] is None
