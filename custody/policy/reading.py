"""Reading a document value by value, so that every refusal names its place.

A `Place` is a value with its path; read from YAML it knows line and column too. Each read
demands one shape. Unknown keys are refused where they stand; nothing is guessed, nothing has
a default. Messages name fields and repeat keys, never values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from custody.codes import Code
from custody.documents.display import escape
from custody.documents.strict_yaml import MarkedDocument, Path, Position
from custody.errors import CustodyError, InvalidInput, JsonValue

Value = TypeVar("Value")

_SHOWN_KEY = 40


@dataclass(frozen=True, slots=True)
class Place:
    """A value somewhere in a document."""

    document: MarkedDocument
    """Without any positions where it didn't come from YAML."""
    value: JsonValue
    path: Path
    noun: str = "a policy"
    """What the document is, for messages."""

    def refuse(self, problem: str, code: Code = Code.MALFORMED_DOCUMENT) -> InvalidInput:
        """Return the error that the value here is wrong."""
        return self._refusal(self.document.values.get(self.path), self.path, problem, code)

    def read(self, make: Callable[[], Value]) -> Value:
        """Return what `make` returns, its refusal told with this place."""
        try:
            return make()
        except CustodyError as cause:
            raise self.refuse(cause.message, cause.code) from cause

    def members(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, "Place"]:
        """Return the members of a mapping that has every `required` key and at most `optional` ones besides."""
        found = self.mapping()
        for key, member in found.items():
            if key not in required and key not in optional:
                raise self._unknown(member.path, key, (*required, *optional))
        for key in required:
            if key not in found:
                raise self.refuse(f"the field `{key}` is missing; absence is never taken for a value")
        return found

    def mapping(self) -> dict[str, "Place"]:
        """Return the members of a mapping with keys of any name."""
        if not isinstance(self.value, dict):
            raise self.refuse("this is not a mapping of names to values")
        return {key: self._inner(key, member) for key, member in self.value.items()}

    def items(self, most: int) -> Iterator["Place"]:
        """Return the items of a list of at most so many."""
        if not isinstance(self.value, list):
            raise self.refuse("this is not a list")
        if len(self.value) > most:
            raise self.refuse(f"this list has more than {most} items")
        return (self._inner(number, item) for number, item in enumerate(self.value))

    def text(self, expected: str) -> str:
        """Return text."""
        if not isinstance(self.value, str):
            raise self.refuse(f"this is not {expected}")
        return self.value

    def whole(self, least: int, most: int) -> int:
        """Return a whole number within bounds."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.refuse(f"this is not a whole number from {least} to {most}")
        return value

    def boolean(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.refuse("this is neither true nor false")
        return self.value

    def choice(self, *words: str) -> str:
        """Return one of the words."""
        text = self.text(" or ".join(f"`{word}`" for word in words))
        if text not in words:
            raise self.refuse(f"this is none of {', '.join(f'`{word}`' for word in words)}")
        return text

    def _inner(self, key: str | int, value: JsonValue) -> "Place":
        return Place(self.document, value, (*self.path, key), self.noun)

    def _unknown(self, path: Path, key: str, known: tuple[str, ...]) -> InvalidInput:
        shown = escape(key[:_SHOWN_KEY])
        problem = f"`{shown}` is unknown here; known are {', '.join(sorted(known))}"
        return self._refusal(self.document.keys.get(path), self.path, problem, Code.UNKNOWN_FIELD)

    def _refusal(self, position: Position | None, path: Path, problem: str, code: Code) -> InvalidInput:
        where = show_path(path)
        at = f"{position}: " if position is not None else ""
        return InvalidInput(
            code,
            f"{self.noun} is refused: {at}{f'`{where}`: ' if where else ''}{problem}",
            advice="Mend that place; every field is explained in docs/formats/policy.md.",
        )


def show_path(path: Path) -> str:
    """Return a path for people: `payment.tiers[0].up_to`."""
    shown = "".join(f"[{part}]" if isinstance(part, int) else f".{escape(part[:_SHOWN_KEY])}" for part in path)
    return shown.removeprefix(".")


def unmarked(value: JsonValue) -> MarkedDocument:
    """Return a parsed value as a document that knows no positions."""
    return MarkedDocument(value, {}, {})
