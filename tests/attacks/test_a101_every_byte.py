"""A101: every single-byte edit, and every edit of one line, of an export of 500 entries is found.

What is proven how, from the whole check down to the quickest:

1. `verify_export` over the whole export, and the command line, judge a sample of each sort of edit.
2. An export is checked line by line, split at LF alone, and a line that can't be read is a finding
   whatever stands around it. So an edit that neither makes nor takes away an LF leaves all other
   lines as they were, and is found if the edited line can't be read. Edits that touch an LF are
   judged by all the lines that they leave of the two that it separates.
3. A line is read only if its hash covers the rest of it (`Entry` refuses any other). So a line in
   which no such hash stands can't be read: one SHA-256 for each of millions of edits. The reader
   itself judges every fifth position here, and every position in the slow test.

Edits of whole lines leave every line readable, and are judged by the links between all 500 entries.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from custody.audit.journal import Entry, head_finding, inspect_chain, inspect_export
from custody.errors import Altered
from custody.workflow.verify_journal import verify_export
from support.cli import run_json
from support.kill import seeded
from support.long_journal import long_journal

COUNT = 500
MEMBER = b',"hash":"'
MEMBER_LENGTH = len(MEMBER) + 64 + 1

Edit = Callable[[bytes, int], bytes]
"""Takes bytes and a position in them; returns them with one byte changed, taken out, or put in before it."""
Judge = Callable[[bytes], bool]
"""Tells whether a line may be one that the reader accepts."""


@cache
def entries() -> tuple[Entry, ...]:
    return tuple(long_journal(COUNT))


@cache
def lines() -> tuple[bytes, ...]:
    return tuple(entry.export_line() for entry in entries())


def flip(bit: int) -> Edit:
    return lambda data, at: data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def write(value: int) -> Edit:
    return lambda data, at: data[:at] + bytes([value]) + data[at + 1 :]


def insert(value: int) -> Edit:
    return lambda data, at: data[:at] + bytes([value]) + data[at:]


def double(data: bytes, at: int) -> bytes:
    return data[: at + 1] + data[at:]


def delete(data: bytes, at: int) -> bytes:
    return data[:at] + data[at + 1 :]


FEW: dict[str, Edit] = {
    "delete": delete,
    "double": double,
    "space": insert(ord(" ")),
    "low bit": flip(0),
    "case": flip(5),
    "zero": write(ord("0")),
}


def is_read(line: bytes) -> bool:
    try:
        Entry.from_export_line(line)
    except Altered:
        return False
    return True


def has_a_hash_that_covers_it(line: bytes) -> bool:
    """Tell whether anything in the line that could be its hash covers the rest of it: false means unreadable."""
    whole = line[:-1]
    at = whole.find(MEMBER)
    while at >= 0:
        claimed = whole[at + len(MEMBER) : at + MEMBER_LENGTH]
        rest = whole[:at] + whole[at + MEMBER_LENGTH :]
        if hashlib.sha256(rest).hexdigest().encode() + b'"' == claimed:
            return True
        at = whole.find(MEMBER, at + 1)
    return False


def is_found(line: bytes, edited: bytes, following: bytes, judge: Judge) -> bool:
    if edited == line:
        return True  # no edit: that very byte stood there
    if edited.count(b"\n") == 1 and edited.endswith(b"\n"):
        return not judge(edited)
    parts = (edited + following).split(b"\n")
    return parts[-1] != b"" or not all(is_read(part + b"\n") for part in parts[:-1])


def unfound(edit: Edit, judge: Judge, *, first: int = 0, step: int = 1) -> Iterator[tuple[int, int]]:
    """Yield line and position of every edit that is not found, of every position or each `step`th."""
    for number, line in enumerate(lines()):
        following = lines()[number + 1] if number + 1 < COUNT else b""
        for at in range(first, len(line), step):
            if not is_found(line, edit(line, at), following, judge):
                yield number, at


def test_a101_a_line_that_can_not_be_read_is_a_finding_wherever_it_stands() -> None:
    assert all(line.count(b"\n") == 1 and line.endswith(b"\n") for line in lines())
    assert inspect_export(b"".join(lines())).findings == ()
    for number in range(0, COUNT, 23):
        findings = inspect_export(b"".join((*lines()[:number], b"{}\n", *lines()[number + 1 :]))).findings
        assert [finding.where for finding in findings] == [f"line:{number + 1}"]


def test_a101_a_line_is_read_only_if_its_hash_covers_the_rest() -> None:
    assert all(is_read(line) and has_a_hash_that_covers_it(line) for line in lines())
    for line, other in pairwise(entries()):
        lie = line.export_line().replace(line.hash.encode(), other.hash.encode())
        assert not is_read(lie)
        assert not has_a_hash_that_covers_it(lie)


@pytest.mark.parametrize("sort", FEW)
def test_a101_an_edit_of_any_byte_leaves_no_hash_that_covers_its_line(sort: str) -> None:
    assert list(unfound(FEW[sort], has_a_hash_that_covers_it)) == []


@pytest.mark.parametrize("sort", FEW)
def test_a101_the_reader_refuses_an_edit_of_every_thirtieth_byte(sort: str) -> None:
    # The sorts take turns, so that together they come to every fifth byte.
    first = 5 * list(FEW).index(sort)
    assert list(unfound(FEW[sort], is_read, first=first, step=30)) == []


def test_a101_edits_that_make_or_take_an_end_of_line_are_found() -> None:
    for number, line in enumerate(lines()):
        following = lines()[number + 1] if number + 1 < COUNT else b""
        last = len(line) - 1
        edits = [write(value)(line, last) for value in range(256)] if number % 100 == 0 else [delete(line, last)]
        edits += [insert(10)(line, at) for at in range(0, len(line) + 1, 13)]
        assert all(is_found(line, edited, following, is_read) for edited in edits)


def test_a101_the_whole_check_finds_a_sample_of_every_sort(tmp_path: Path) -> None:
    whole = b"".join(lines())
    assert verify_export(whole, expect_head=None).is_intact
    random = seeded(101)
    for sort, edit in [*FEW.items(), *((f"write {value}", write(value)) for value in (0, 10, 13, 34, 92, 255))]:
        places = [at for at in random.sample(range(len(whole)), 9) if edit(whole, at) != whole]
        for at in places[:3]:
            assert not verify_export(edit(whole, at), expect_head=None).is_intact, (sort, at)
        (tmp_path / "export").write_bytes(edit(whole, places[3]))
        answer = run_json(["journal", "verify", "--file", tmp_path / "export"], exit_code=10)
        assert (answer["ok"], bool(answer["findings"])) == (False, True), (sort, places[3])


def test_a101_a_line_deleted_doubled_or_swapped_is_found() -> None:
    whole = list(entries())
    for at in range(COUNT):
        assert inspect_chain([*whole[:at], *whole[at + 1 :]]) or at == COUNT - 1
        assert inspect_chain([*whole[: at + 1], *whole[at:]])
        if at + 1 < COUNT:
            assert inspect_chain([*whole[:at], whole[at + 1], whole[at], *whole[at + 2 :]])
    for at in range(0, COUNT - 1, 83):
        for edited in (
            [*lines()[:at], *lines()[at + 1 :]],
            [*lines()[: at + 1], *lines()[at:]],
            [*lines()[:at], lines()[at + 1], lines()[at], *lines()[at + 2 :]],
        ):
            assert not verify_export(b"".join(edited), expect_head=None).is_intact


def test_a101_a_cut_is_found_inside_a_line_always_and_between_lines_by_the_expected_head(tmp_path: Path) -> None:
    head = entries()[-1].hash
    assert not any(is_read(line[:at]) for line in lines()[::50] for at in range(len(line)))
    assert all(head_finding(entries()[:count], head) is not None for count in range(COUNT))
    for count in (0, 1, 250, COUNT - 1):
        cut = b"".join(lines()[:count])
        assert not verify_export(cut, expect_head=head).is_intact
        assert verify_export(cut, expect_head=None).is_intact is (count > 0)
    (tmp_path / "export").write_bytes(b"".join(lines()[:100]))
    command = ["journal", "verify", "--file", tmp_path / "export"]
    assert run_json(command)["ok"] is True
    cut_short = run_json([*command, "--expect-head", head], exit_code=10)
    assert [one["code"] for one in cut_short["findings"]] == ["JOURNAL_FORK"]


def all_unfound(judge: Judge, edits: Sequence[Edit]) -> list[tuple[int, int]]:
    print(f"{len(edits)} edits at each of {sum(map(len, lines()))} positions")
    return [place for edit in edits for place in unfound(edit, judge)]


@pytest.mark.slow
def test_a101_all_values_at_all_bytes_leave_no_hash_that_covers_the_line() -> None:
    edits = [*map(write, range(256)), *map(insert, range(256)), delete]
    assert all_unfound(has_a_hash_that_covers_it, edits) == []


@pytest.mark.slow
def test_a101_the_reader_refuses_every_flipped_bit_and_every_byte_taken_or_put_in() -> None:
    some = [ord(character) for character in ' "\\,:{}[]0'] + [0, 13, 127, 128, 192, 240, 255]
    assert all_unfound(is_read, [*map(flip, range(8)), *map(insert, some), delete, double]) == []
