"""Rows of one table of an SQLite database file, from its bytes alone: no engine opens a stranger's file.

Only what Bitcoin Core's wallets are made of is read: a table with row ids, in a database whose
journal is not a write-ahead log. Every page is visited at most once, every length is checked before
it is believed, and rows and columns are counted, because cells of a page may lie on one another.
Indexes and free pages are never looked at.
Source: SQLite, "Database File Format".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from custody.codes import Code
from custody.errors import InvalidInput

MAGIC = b"SQLite format 3\0"
Value = bytes | int | None
"""Blobs and texts as bytes."""

_HEADER = 100
_LEAF, _INTERIOR = 0x0D, 0x05
_MAX_ROWS = 500_000
"""A wallet of the size that is read has fewer: each of its records is longer than 32 bytes."""
_MAX_COLUMNS = 100
_INTEGER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}


@dataclass(slots=True)
class SqliteFile:
    """An SQLite database in memory."""

    data: bytes
    page_bytes: int = field(init=False)
    usable: int = field(init=False)
    """Bytes of a page that hold content."""

    def __post_init__(self) -> None:
        data = self.data
        if len(data) < _HEADER or not data.startswith(MAGIC):
            raise _malformed("its head is not one of SQLite")
        size = int.from_bytes(data[16:18])
        self.page_bytes = 65_536 if size == 1 else size
        self.usable = self.page_bytes - data[20]
        if self.page_bytes < 512 or self.page_bytes & (self.page_bytes - 1) or self.usable < 480:
            raise _malformed("its pages have an impossible size")
        if len(data) % self.page_bytes:
            raise _malformed("its last page is cut off")
        if data[18] != 1 or data[19] != 1:
            raise _malformed("part of it may stand in a write-ahead log beside it")

    @property
    def application_id(self) -> bytes:
        """Four bytes that a program puts there to know its files again."""
        return self.data[68:72]

    def rows(self, table: str) -> Iterator[tuple[Value, ...]]:
        """Yield the rows of a table, each as its columns.

        Raises:
            InvalidInput: MALFORMED_DOCUMENT: there is no such table, or the file is damaged.
        """
        for columns in self._rows_from(1):
            if columns[:2] == (b"table", table.encode()) and len(columns) > 3:
                root = columns[3]
                if not isinstance(root, int):
                    raise _malformed("a table has no place")
                yield from self._rows_from(root)
                return
        raise _malformed(f"it has no table `{table}`")

    def _rows_from(self, root: int) -> Iterator[tuple[Value, ...]]:
        seen: set[int] = set()
        left, rows_left = len(self.data), _MAX_ROWS
        waiting = [root]
        while waiting:
            number = waiting.pop()
            if number in seen:
                raise _malformed("a page stands twice in a table")
            seen.add(number)
            page = self._page(number)
            start = _HEADER if number == 1 else 0
            kind, count = page[start], int.from_bytes(page[start + 3 : start + 5])
            head = {_LEAF: 8, _INTERIOR: 12}.get(kind)
            if head is None:
                raise _malformed("a page is not one of a table with row ids")
            places = [_at(page, start + head + 2 * cell, 2) for cell in range(count)]
            if kind == _LEAF:
                rows_left -= count
                if rows_left < 0:
                    raise _malformed(f"a table has more than {_MAX_ROWS} rows")
                for place in places:
                    payload = self._payload(page, place)
                    left -= len(payload)
                    if left < 0:
                        raise _malformed("its rows say more than fits into it")
                    yield _record(payload)
            else:
                waiting.append(_at(page, start + 8, 4))
                waiting += [_at(page, place, 4) for place in reversed(places)]

    def _page(self, number: int) -> bytes:
        end = number * self.page_bytes
        if number < 1 or end > len(self.data):
            raise _malformed("a page lies outside of it")
        return self.data[end - self.page_bytes : end]

    def _payload(self, page: bytes, place: int) -> bytes:
        length, place = _varint(page, place)
        _rowid, place = _varint(page, place)
        if length > len(self.data):
            raise _malformed("a row is longer than the file")
        local = self._local(length)
        content = page[place : place + local]
        if len(content) != local:
            raise _malformed("a row runs out of its page")
        if local == length:
            return content
        parts, left = [content], length - local
        following = _at(page, place + local, 4)
        while left > 0:
            overflow = self._page(following)
            following = _at(overflow, 0, 4)
            parts.append(overflow[4 : 4 + min(left, self.usable - 4)])
            left -= len(parts[-1])
        return b"".join(parts)

    def _local(self, length: int) -> int:
        """Return how many bytes of a row stand in its own page."""
        most = self.usable - 35
        if length <= most:
            return length
        least = (self.usable - 12) * 32 // 255 - 23
        wanted = least + (length - least) % (self.usable - 4)
        return wanted if wanted <= most else least


def _record(payload: bytes) -> tuple[Value, ...]:
    head, place = _varint(payload, 0)
    kinds = []
    while place < head:
        kind, place = _varint(payload, place)
        kinds.append(kind)
        if len(kinds) > _MAX_COLUMNS:
            raise _malformed(f"a row has more than {_MAX_COLUMNS} columns")
    values: list[Value] = []
    for kind in kinds:
        length = (kind - 12) // 2 if kind >= 12 else 0 if kind == 0 else _INTEGER_BYTES.get(kind, -1)
        content = payload[place : place + max(length, 0)]
        if length < 0 or len(content) != length:
            raise _malformed("a row has a column that is too short, or of a kind that no wallet has")
        place += length
        values.append(content if kind >= 12 else None if kind == 0 else _integer(kind, content))
    return tuple(values)


def _integer(kind: int, content: bytes) -> int:
    return kind - 8 if kind in (8, 9) else int.from_bytes(content, signed=True)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Return a number of one to nine bytes and where it ends."""
    number = 0
    for count in range(8):
        byte = _at(data, place + count, 1)
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            return number, place + count + 1
    return number << 8 | _at(data, place + 8, 1), place + 9


def _at(data: bytes, place: int, length: int) -> int:
    part = data[place : place + length]
    if len(part) != length:
        raise _malformed("something lies outside of its page")
    return int.from_bytes(part)


def _malformed(message: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"the database can't be read: {message}",
        advice="Close the wallet in the program that wrote it, or write a backup of it, and give that file.",
    )
