"""YAML with one meaning: the plain part of the language, read from PyYAML's events.

No aliases, anchors, tags, merge keys, directives, second documents or duplicate keys. A
plain scalar is `true`, `false`, `null`, a decimal integer, or text; whatever some version
of YAML would read as something else (`no`, `010`, `1:30`, `1e3`, `2024-01-01`, `~`) is
refused until it is quoted. Nothing is constructed but text, integers, booleans, null, lists
and mappings with text keys. Whether a field is known is each document's own business.
Source: YAML 1.1 and 1.2, their tag repositories (int, float, bool, null, timestamp, merge).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import yaml

from custody.codes import Code
from custody.documents.canonical_json import MAX_SAFE_INTEGER
from custody.errors import InvalidInput, JsonValue

MAX_BYTES = 1_000_000
MAX_DEPTH = 20

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,15}")
_SURPRISING = re.compile(
    r"(?i:~|<<|=|y|n|yes|no|on|off|true|false|null)"
    r"|[-+]?[0-9][0-9_,]*"
    r"|[-+]?0(?i:b[01_]+|o[0-7_]+|x[0-9a-f_]+)"
    r"|[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*(?i:e[-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?i:e[-+]?[0-9]+)"
    r"|[-+]?\.(?i:inf|nan)"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?i:t)|[ \t]|$).*"
)
_PLAIN = re.compile(r"[A-Za-z0-9_/.][A-Za-z0-9_/.+-]*")


Path: TypeAlias = "tuple[str | int, ...]"
"""Keys and list places from the root to a value."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text, counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


@dataclass(frozen=True, slots=True)
class MarkedDocument:
    """A document, and where in the text each of its values and keys began."""

    value: JsonValue
    values: Mapping[Path, Position]
    keys: Mapping[Path, Position]
    """Where the last key of the path stands."""


class _Mark(Protocol):
    """A place in the text, counted from 0, as PyYAML's two implementations both give it."""

    line: int
    column: int


@dataclass(slots=True)
class _Collection:
    """A list or mapping under construction; exactly one of `members` and `items` grows."""

    is_mapping: bool
    path: Path
    members: dict[str, JsonValue] = field(default_factory=dict)
    items: list[JsonValue] = field(default_factory=list)
    key: str | None = None

    def to_value(self) -> JsonValue:
        return self.members if self.is_mapping else self.items

    def next_path(self) -> Path:
        return (*self.path, self.key if self.key is not None else len(self.items))


def load(source: bytes | str) -> JsonValue:
    """Read one YAML document, at most 1 MB and 20 levels deep.

    Raises:
        InvalidInput: FILE_TOO_LARGE, or MALFORMED_DOCUMENT with line and column. The message
            never repeats the document's text.
    """
    return load_marked(source).value


def load_marked(source: bytes | str) -> MarkedDocument:
    """Read as `load()` does, and keep where everything stood, for messages that name the place.

    Raises:
        InvalidInput: as `load()`.
    """
    text = _decoded(source)
    try:
        return _Composer().compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _malformed("this is not valid YAML", mark) from None
    except (yaml.YAMLError, ValueError, OverflowError):
        # PyYAML's reader on a character that no YAML document may hold, or an escape beyond Unicode.
        raise _malformed("it holds a control character or another that YAML doesn't allow") from None


def dump(value: JsonValue) -> str:
    """Return `value` as YAML that `load()` reads back equal: same value, same text.

    Mappings keep their order; text is quoted unless no reader could take it for anything else.

    Raises:
        InvalidInput: a float, an integer beyond 2**53 - 1, or more than 20 levels.
    """
    return "".join(f"{line}\n" for line in _lines(value, depth=0))


class _Composer:
    """Builds plain values from PyYAML's events, refusing every event that has a second meaning."""

    def __init__(self) -> None:
        self._open: list[_Collection] = []
        self._documents = 0
        self._root: list[JsonValue] = []
        self._values: dict[Path, Position] = {}
        self._keys: dict[Path, Position] = {}

    def compose(self, text: str) -> MarkedDocument:
        # Events come one by one, so a bomb is refused before it is expanded.
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            self._take(event)
        if self._documents != 1 or not self._root:
            raise _malformed("it is empty")
        return MarkedDocument(self._root[0], self._values, self._keys)

    def _take(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._start_document(event)
        elif isinstance(event, yaml.AliasEvent):
            raise _malformed("aliases (`*name`) are not allowed", event.start_mark)
        elif isinstance(event, yaml.NodeEvent):
            self._take_node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = self._open.pop()
            self._place(closed.to_value())

    def _start_document(self, event: yaml.DocumentStartEvent) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _malformed("there is a second document", event.start_mark)
        if event.version is not None or event.tags:
            raise _malformed("directives (`%`) are not allowed", event.start_mark)

    def _take_node(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            raise _malformed("anchors (`&name`) are not allowed", event.start_mark)
        if isinstance(event, yaml.ScalarEvent):
            self._take_scalar(event)
            return
        if isinstance(event, yaml.CollectionStartEvent):
            if event.tag is not None:
                raise _malformed("tags (`!name`) are not allowed", event.start_mark)
            self._require_no_key_expected(event.start_mark)
            if len(self._open) >= MAX_DEPTH:
                raise _malformed(f"it is more than {MAX_DEPTH} levels deep", event.start_mark)
            path = self._mark_value(event)
            self._open.append(_Collection(isinstance(event, yaml.MappingStartEvent), path))

    def _take_scalar(self, event: yaml.ScalarEvent) -> None:
        if event.tag is not None:
            raise _malformed("tags (`!name`) are not allowed", event.start_mark)
        value = _plain_value(event) if event.style is None else _text_value(event)
        parent = self._open[-1] if self._open else None
        if parent is None or not parent.is_mapping or parent.key is not None:
            self._mark_value(event)
            self._place(value)
            return
        if not isinstance(value, str):
            raise _malformed("a key is not text; put it in quotes", event.start_mark)
        if value in parent.members:
            raise _malformed("a key stands twice in the same mapping", event.start_mark)
        parent.key = value
        self._keys[parent.next_path()] = _position(event.start_mark)

    def _mark_value(self, event: yaml.NodeEvent) -> Path:
        path = self._open[-1].next_path() if self._open else ()
        self._values[path] = _position(event.start_mark)
        return path

    def _require_no_key_expected(self, mark: _Mark | None) -> None:
        if self._open and self._open[-1].is_mapping and self._open[-1].key is None:
            raise _malformed("a key is a list or a mapping", mark)

    def _place(self, value: JsonValue) -> None:
        if not self._open:
            self._root.append(value)
            return
        parent = self._open[-1]
        if parent.key is not None:
            parent.members[parent.key] = value
            parent.key = None
        else:
            parent.items.append(value)


def _position(mark: _Mark | None) -> Position:
    # Only a made-up event lacks its mark; PyYAML's parser marks every one.
    return Position(0, 0) if mark is None else Position(mark.line + 1, mark.column + 1)


def _plain_value(event: yaml.ScalarEvent) -> JsonValue:
    text = event.value
    if text in ("true", "false"):
        return text == "true"
    if text == "null":
        return None
    if text == "":
        raise _malformed("a value is missing; write null or an empty text in quotes", event.start_mark)
    if _INTEGER.fullmatch(text) and abs(int(text)) <= MAX_SAFE_INTEGER:
        return int(text)
    if _SURPRISING.fullmatch(text):
        raise _malformed("a value could be read in more than one way; put it in quotes", event.start_mark)
    return _text_value(event)


def _text_value(event: yaml.ScalarEvent) -> str:
    text: str = event.value
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _malformed("a text holds half of a surrogate pair", event.start_mark)
    return text


def _decoded(source: bytes | str) -> str:
    data = source if isinstance(source, bytes) else source.encode("utf-8", errors="surrogatepass")
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            Code.FILE_TOO_LARGE,
            f"a YAML document has {len(data)} bytes, more than {MAX_BYTES}",
            advice="Give the document itself, without anything else in the same file.",
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise _malformed("it begins with a byte order mark")
    return text


def _malformed(problem: str, mark: _Mark | None = None) -> InvalidInput:
    # INVARIANT: the message never repeats the document's text; it may be anything.
    where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"a YAML document is malformed: {where}{problem}",
        advice="Mend that place in the file, or write the file again with this program.",
    )


def _lines(value: JsonValue, *, depth: int) -> list[str]:
    if depth > MAX_DEPTH:
        raise _malformed(f"it is more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict) and value:
        return [line for key, member in value.items() for line in _entry(f"{_quoted(key)}:", member, depth)]
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item, depth)]
    return [_scalar(value)]


def _entry(label: str, value: JsonValue, depth: int) -> list[str]:
    inner = _lines(value, depth=depth + 1)
    if isinstance(value, dict | list) and value:
        return [label, *(f"  {line}" for line in inner)]
    return [f"{label} {inner[0]}"]


def _item(value: JsonValue, depth: int) -> list[str]:
    first, *rest = _lines(value, depth=depth + 1)
    return [f"- {first}", *(f"  {line}" for line in rest)]


def _scalar(value: JsonValue) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    if not isinstance(value, int) or abs(value) > MAX_SAFE_INTEGER:
        raise _malformed("a number is not whole, or lies beyond 2^53 - 1")
    return str(value)


def _quoted(text: object) -> str:
    if not isinstance(text, str):
        raise _malformed("a key is not text")
    is_plain = _PLAIN.fullmatch(text) and not _SURPRISING.fullmatch(text) and not text.startswith(("..", "---"))
    return text if is_plain else '"' + "".join(_in_quotes(character) for character in text) + '"'


def _in_quotes(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08X}"
    if 0xD800 <= code <= 0xDFFF:
        raise _malformed("a text holds half of a surrogate pair")
    return f"\\u{code:04X}"
