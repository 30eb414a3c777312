"""Other programs' JSON, read strictly: each fact by name and type, and a refusal that says which one.

Members that no format here asks for are passed over: programs keep labels, windows and
histories beside the vault. A fact that is asked for is demanded in its one type.
"""

from dataclasses import dataclass

from custody.codes import Code
from custody.documents.canonical_json import parse_foreign_json
from custody.errors import InvalidInput, JsonValue, SecretRefused

MAX_BYTES = 16_000_000
_MAX_ITEMS = 10_000


@dataclass(frozen=True, slots=True)
class ForeignObject:
    """One object of another program's file, and what messages call it: "the Caravan file", "key 2"."""

    name: str
    members: dict[str, JsonValue]

    def text(self, key: str) -> str:
        """Return the text under `key`.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT, it is missing or not text.
        """
        value = self.members.get(key)
        if not isinstance(value, str):
            raise self.malformed(f"has no text under `{key}`")
        return value

    def optional_text(self, key: str) -> str | None:
        """Return the text under `key`, None where it is missing, null or empty."""
        return self.text(key) if self.members.get(key) not in (None, "") else None

    def integer(self, key: str) -> int:
        """Return the whole number under `key`."""
        value = self.members.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.malformed(f"has no whole number under `{key}`")
        return value

    def object(self, key: str) -> "ForeignObject":
        """Return the object under `key`."""
        value = self.members.get(key)
        if not isinstance(value, dict):
            raise self.malformed(f"has no object under `{key}`")
        return ForeignObject(f"`{key}` of {self.name}", value)

    def objects(self, key: str, *, called: str) -> "tuple[ForeignObject, ...]":
        """Return the objects of the list under `key`; messages name them `called` and their number."""
        found = [value for value in self._list(key) if isinstance(value, dict)]
        if len(found) != len(self._list(key)):
            raise self.malformed(f"has something else than objects under `{key}`")
        return tuple(ForeignObject(f"{called} {number}", value) for number, value in enumerate(found, start=1))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the texts of the list under `key`."""
        found = tuple(value for value in self._list(key) if isinstance(value, str))
        if len(found) != len(self._list(key)):
            raise self.malformed(f"has something else than texts under `{key}`")
        return found

    def refuse_secrets(self, *keys: str) -> None:
        """Refuse the file if anything stands under one of `keys`, encrypted or not.

        Raises:
            SecretRefused: names the member, never its value.
        """
        for key in keys:
            if self.members.get(key) not in (None, "", [], {}):
                raise SecretRefused(
                    Code.SECRET_MATERIAL,
                    f"{self.name} holds something under `{key}`, where its program keeps private keys or seeds",
                    advice="Export a watch-only wallet; treat this file as a secret and delete it here.",
                )

    def malformed(self, problem: str) -> InvalidInput:
        """Return the error for a fact that is missing or of another type."""
        return InvalidInput(
            Code.MALFORMED_DOCUMENT,
            f"{self.name} {problem}",
            advice="Export the wallet again from the program that made the file.",
        )

    def _list(self, key: str) -> list[JsonValue]:
        value = self.members.get(key)
        if not isinstance(value, list) or len(value) > _MAX_ITEMS:
            raise self.malformed(f"has no list under `{key}`")
        return value


def read_object(data: bytes, name: str) -> ForeignObject:
    """Read a file that is one JSON object.

    Raises:
        InvalidInput: not JSON, a duplicate key, or not an object.
    """
    document = parse_foreign_json(data, max_bytes=MAX_BYTES)
    if not isinstance(document, dict):
        raise ForeignObject(name, {}).malformed("is not one JSON object")
    return ForeignObject(name, document)
