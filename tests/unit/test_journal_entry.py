import hashlib
import json

import pytest

from custody.audit.journal import (
    GENESIS_PREV,
    MAX_ENTRY_BYTES,
    Entry,
    check_chain,
    head_finding,
    inspect_chain,
    inspect_export,
    inspect_stored,
    parse_export,
)
from custody.codes import Code
from custody.errors import Altered, InvalidInput, UsageError
from support.journals import JOURNAL_ID, export, make_chain, make_entry


def test_hash_is_sha256_of_the_canonical_entry_without_hash():
    entry = make_entry()
    line = json.loads(entry.export_line())
    assert line.pop("hash") == hashlib.sha256(entry.canonical_without_hash()).hexdigest() == entry.hash
    assert json.dumps(line, sort_keys=True, separators=(",", ":")).encode() == entry.canonical_without_hash()
    assert sorted(line) == sorted(
        ["format", "journal_id", "seq", "time", "tip", "actor", "kind", "body", "request_id", "prev"]
    )


def test_an_entry_is_known_to_the_byte():
    # Computed by hand from the design: this line may never change.
    entry = Entry.make(
        journal_id=JOURNAL_ID,
        seq=0,
        time="2026-11-24T12:00:00Z",
        tip=None,
        actor=None,
        kind="label_set",
        body={"ref": "é"},
        request_id="r-1",
        prev=GENESIS_PREV,
    )
    stored = (
        b'{"actor":null,"body":{"ref":"\xc3\xa9"},"format":"custody-journal/1","journal_id":"' + b"5f" * 16 + b'",'
        b'"kind":"label_set","prev":"' + b"0" * 64 + b'","request_id":"r-1","seq":0,'
        b'"time":"2026-11-24T12:00:00Z","tip":null}'
    )
    assert entry.canonical_without_hash() == stored
    assert entry.hash == hashlib.sha256(stored).hexdigest()


def test_stored_and_exported_entries_read_back_equal():
    entry = make_entry(body={"nested": [{"a": 1, "b": None}], "text": "\u2028\u202e\x07", "yes": True})
    assert Entry.from_stored(entry.canonical, entry.hash) == entry
    assert Entry.from_export_line(entry.export_line()) == entry


def test_a_change_of_the_callers_body_does_not_reach_the_entry():
    body = {"outpoints": ["aa:0"]}
    entry = make_entry(body=body)
    body["outpoints"].append("bb:1")
    assert entry.body == {"outpoints": ["aa:0"]}


@pytest.mark.parametrize(
    "wrong",
    [
        {"journal_id": ""},
        {"journal_id": "a b"},
        {"seq": -1},
        {"seq": True},
        {"time": "2026-11-24 12:00:00Z"},
        {"time": "2026-13-24T12:00:00Z"},
        {"time": "2026-11-24T12:00:00+00:00"},
        {"actor": ""},
        {"actor": "ann\n"},
        {"actor": "an\u202en"},
        {"kind": "Label"},
        {"body": []},
        {"body": {"amount": 1.5}},
        {"body": {"amount": 2**53}},
        {"body": {"text": "\ud800"}},
        {"request_id": 'a"b'},
        {"prev": "0" * 63},
        {"prev": "A" * 64},
    ],
)
def test_refuses_to_make_an_entry_with_a_wrong_field(wrong):
    fields = {
        "journal_id": JOURNAL_ID,
        "seq": 0,
        "time": "2026-11-24T12:00:00Z",
        "tip": None,
        "actor": None,
        "kind": "label_set",
        "body": {},
        "request_id": "r",
        "prev": GENESIS_PREV,
    }
    with pytest.raises(InvalidInput):
        Entry.make(**{**fields, **wrong})


def test_an_entry_that_could_not_be_read_back_can_not_be_made():
    with pytest.raises(InvalidInput) as caught:
        make_entry(body={"pad": "x" * MAX_ENTRY_BYTES})
    assert caught.value.code is Code.FILE_TOO_LARGE


def _line(**changes: object) -> bytes:
    fields = json.loads(make_entry().canonical)
    fields.update(changes)
    stored = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps(
        {**fields, "hash": hashlib.sha256(stored).hexdigest()}, sort_keys=True, separators=(",", ":")
    ).encode() + b"\n"  # fmt: skip


ENTRY = make_entry()
LINE = ENTRY.export_line()


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("no line feed", LINE[:-1]),
        ("two line feeds", LINE + b"\n"),
        ("carriage return", LINE[:-1] + b"\r\n"),
        ("byte order mark", b"\xef\xbb\xbf" + LINE),
        ("space", LINE.replace(b'":', b'": ', 1)),
        ("space at the end", LINE[:-1] + b" \n"),
        ("escaped letter", LINE.replace(b'"ann"', b'"\\u0061nn"')),
        ("other key order", b'{"kind":"label_set",' + LINE[1:].replace(b'"kind":"label_set",', b"")),
        ("duplicate key", LINE.replace(b'{"actor":"ann",', b'{"actor":"ann","actor":"ann",')),
        ("upper-case hash", LINE.replace(ENTRY.hash.encode(), ENTRY.hash.upper().encode())),
        ("no hash", ENTRY.canonical + b"\n"),
        ("hash of another", LINE.replace(ENTRY.hash.encode(), make_entry(1).hash.encode())),
        ("edited", LINE.replace(b"number 0", b"number 1")),
        ("not JSON", b"hello\n"),
        ("not an object", b"[]\n"),
        ("empty", b"\n"),
        ("not UTF-8", LINE.replace(b"ann", b"\xff\xff\xff")),
        ("unknown key", _line(extra=1)),
        ("other format", _line(format="custody-journal/2")),
        ("float", _line(seq=0.0)),
        ("tip of two keys", _line(tip={"height": 1, "hash": "ab" * 32})),
        ("tip with true", _line(tip={"height": True, "hash": "ab" * 32, "median_time_past": 1})),
        ("body a list", _line(body=[])),
        ("deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n"),
    ],
)  # fmt: skip
def test_any_other_export_line_is_an_alteration(what, line):
    with pytest.raises(Altered) as caught:
        parse_export(line)
    assert caught.value.exit_code == 10
    assert inspect_export(line).findings


def test_no_bytes_are_an_empty_journal():
    assert parse_export(b"") == []


def test_reads_an_export_of_many():
    entries = make_chain(20)
    assert parse_export(export(entries)) == entries
    assert parse_export(export(entries), expect_head=entries[7].hash) == entries


def test_inspection_lists_every_break_with_its_position_and_no_more():
    entries = make_chain(12)
    broken = [*entries[:3], *entries[4:7], entries[8], entries[7], *entries[9:]]
    lines = export(broken).split(b"\n")
    lines[1] = lines[1].replace(b'"1"', b'"9"')
    findings = inspect_export(b"\n".join(lines)).findings
    assert {finding.where for finding in findings} == {"line:2", "line:4", "line:7", "line:8", "line:9"}
    assert {finding.code for finding in findings} == {Code.JOURNAL_ALTERED}
    assert len(inspect_chain(broken)) == len([f for f in findings if f.where != "line:2"])


def test_inspection_of_stored_rows_goes_on_after_a_bad_one():
    entries = make_chain(5)
    rows = [(entry.canonical, entry.hash) for entry in entries]
    rows[2] = (rows[2][0].replace(b'"2"', b'"X"'), rows[2][1])
    inspection = inspect_stored(rows)
    assert [finding.where for finding in inspection.findings] == ["entry:2"]
    assert len(inspection.entries) == 4


def test_a_second_journal_in_the_same_chain_is_an_alteration():
    first = make_entry()
    with pytest.raises(Altered):
        check_chain([first, make_entry(1, first.hash, journal_id="another")])


def test_expected_head_must_be_a_hash():
    with pytest.raises(UsageError):
        head_finding([], "deadbeef")


def test_errors_carry_every_finding():
    entries = make_chain(6)
    with pytest.raises(Altered) as caught:
        check_chain([entries[0], entries[2], entries[5]])
    assert len(caught.value.details["findings"]) == 4
