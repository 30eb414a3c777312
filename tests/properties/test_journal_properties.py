"""Journal entries for any body: what the reader cuts and pastes is what RFC 8785 writes, and no more is let in.

The reader proves a line canonical and then takes the hash out of its bytes. Here the same is done the
long way round: parse, take the hash out of the value, write both forms with rfc8785, compare all bytes.
"""

import hashlib

from hypothesis import example, given
from hypothesis import strategies as st

from custody.audit.journal import ENTRY_FORMAT, GENESIS_PREV, Entry, EntryTip
from custody.documents.canonical_json import MAX_SAFE_INTEGER, canonical, parse_json
from custody.errors import Altered, CustodyError, InvalidInput, JsonValue

HASH = "ab" * 32
DECOY = f',"hash":"{HASH}","journal_id":"j","kind":"k"'

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6) | st.sampled_from([DECOY, "\U00010000", "\uffff"])
names = texts | st.sampled_from(["hash", "journal_id", "kind", "format", "prev", "tip", "body", "seq"])
scalars = st.none() | st.booleans() | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | texts | st.just(HASH)
values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=10
)
bodies: st.SearchStrategy[dict[str, JsonValue]] = st.dictionaries(names, values, max_size=4)
ids = st.text("AZaz09_.:-", max_size=6).map("x".__add__)
tips = st.none() | st.builds(EntryTip, st.integers(0, 900_000), st.just(HASH), st.integers(0, MAX_SAFE_INTEGER))


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    return Entry.make(
        journal_id=draw(ids),
        seq=draw(st.integers(0, MAX_SAFE_INTEGER)),
        time="2026-11-24T12:00:00Z",
        tip=draw(tips),
        actor=draw(st.none() | st.sampled_from(["ann", "Ünal", "\U00010400"])),
        kind=draw(st.sampled_from(["label_set", "hash", "journal_id"])),
        body=draw(bodies),
        request_id=draw(ids),
        prev=draw(st.sampled_from([GENESIS_PREV, HASH])),
    )


def document_of(entry: Entry) -> dict[str, JsonValue]:
    return {
        "format": ENTRY_FORMAT,
        "journal_id": entry.journal_id,
        "seq": entry.seq,
        "time": entry.time,
        "tip": None if entry.tip is None else entry.tip.to_document(),
        "actor": entry.actor,
        "kind": entry.kind,
        "body": entry.body,
        "request_id": entry.request_id,
        "prev": entry.prev,
    }


def read_the_long_way(line: bytes) -> dict[str, JsonValue] | None:
    """Return the members of a line that is canonical and covered by its hash, whatever they say."""
    try:
        value = parse_json(line.removesuffix(b"\n"))
    except InvalidInput:
        return None
    if not isinstance(value, dict) or canonical(value) + b"\n" != line:
        return None
    bare = {name: member for name, member in value.items() if name != "hash"}
    return value if value.get("hash") == hashlib.sha256(canonical(bare)).hexdigest() else None


@given(entries())
def test_stored_and_exported_bytes_are_those_of_rfc_8785(entry: Entry) -> None:
    document = document_of(entry)
    assert entry.canonical == canonical(document)
    assert entry.export_line() == canonical({**document, "hash": entry.hash}) + b"\n"
    assert Entry.from_stored(entry.canonical, entry.hash) == entry
    assert Entry.from_export_line(entry.export_line()) == entry


PIECES = [b"", b'"', b",", b"{", b"}", b" ", b"\n", b"0", b"\\", b"null", DECOY.encode(), f',"hash":"{HASH}"'.encode()]


@st.composite
def tampered(draw: st.DrawFn) -> bytes:
    entry = draw(entries())
    line = entry.export_line()
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, min(len(line), start + 3)) | st.integers(start, len(line)))
    piece = draw(st.sampled_from(PIECES) | st.binary(max_size=2) | st.just(line[start:end] * 2))
    line = line[:start] + piece + line[end:]
    # Half the time the forger computes the hash anew, as anybody can.
    return rehashed(line, entry.hash) if draw(st.booleans()) else line


def rehashed(line: bytes, old: str) -> bytes:
    member = f',"hash":"{old}"'.encode()
    fresh = hashlib.sha256(line.removesuffix(b"\n").replace(member, b"")).hexdigest()
    return line.replace(old.encode(), fresh.encode())


@given(tampered())
@example(b"")
@example(b"{}\n")
def test_what_is_read_from_any_line_would_be_written_so(line: bytes) -> None:
    try:
        entry = Entry.from_export_line(line)
    except Altered:
        return
    found = read_the_long_way(line)
    assert found == {**document_of(entry), "hash": entry.hash}
    assert entry.export_line() == line


@given(bodies, st.dictionaries(names, values, max_size=2))
def test_members_that_an_entry_does_not_have_are_refused(
    body: dict[str, JsonValue], more: dict[str, JsonValue]
) -> None:
    entry = Entry.make(
        journal_id="j",
        seq=0,
        time="2026-11-24T12:00:00Z",
        tip=None,
        actor=None,
        kind="label_set",
        body=body,
        request_id="r",
        prev=GENESIS_PREV,
    )
    document = {**document_of(entry), **more}
    document.pop("hash", None)
    stored = canonical(document)
    digest = hashlib.sha256(stored).hexdigest()
    line = canonical({**document, "hash": digest}) + b"\n"
    try:
        stored_entry, line_entry = Entry.from_stored(stored, digest), Entry.from_export_line(line)
    except CustodyError:
        assert document != document_of(entry)
        return
    assert document_of(stored_entry) == document_of(line_entry) == document
