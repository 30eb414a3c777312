"""A101, A102, A121: a journal edited, cut, rolled back or rewritten by whoever owns the disk."""

import pytest

from custody.audit.journal import Entry, check_chain, head_finding, parse_export
from custody.codes import Code
from custody.errors import Altered, CustodyError
from custody.workspace.sqlite_store import SqliteJournal
from support.journals import LOCAL_DISK, export, make_chain, make_journal, tamper
from support.kill import seeded


def _forged(entry: Entry) -> Entry:
    return make_chain(entry.seq + 1, mark="forged ")[entry.seq]


def _edit_as_blob(entries):
    return ("UPDATE entry SET entry = ? WHERE seq = 3", (entries[3].canonical.replace(b"ann", b"bob"),))


def _edit_with_hash(entries):
    forged = _forged(entries[3])
    return ("UPDATE entry SET entry = ?, hash = ? WHERE seq = 3", (forged.canonical, forged.hash))


def _edit_hash_alone(entries):
    return ("UPDATE entry SET hash = ? WHERE seq = 3", ("0" * 64,))


def _delete_in_the_middle(entries):
    return ("DELETE FROM entry WHERE seq = 3", ())


def _delete_the_first(entries):
    return ("DELETE FROM entry WHERE seq = 0", ())


def _empty_entry(entries):
    return ("UPDATE entry SET entry = x'' WHERE seq = 3", ())


def _insert_forged(entries):
    forged = make_chain(1, after=entries[7], mark="forged ")[0]
    return ("INSERT INTO entry VALUES (8, ?, ?, ?)", ("1" * 64, forged.hash, forged.canonical))


CHANGES = [_edit_as_blob, _edit_with_hash, _edit_hash_alone, _delete_in_the_middle, _delete_the_first, _empty_entry,
           _insert_forged]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a101_every_change_inside_the_store_is_found(tmp_path, change):
    journal = make_journal(tmp_path, 8)
    tamper(journal.path, change(list(journal.entries())))
    with pytest.raises(Altered) as caught:
        journal.entries()
    assert caught.value.exit_code == 10
    assert journal.inspect().findings


def test_a101_two_entries_that_changed_places_are_found(tmp_path):
    journal = make_journal(tmp_path, 6)
    tamper(
        journal.path,
        ("UPDATE entry SET seq = 99 WHERE seq = 2", ()),
        ("UPDATE entry SET seq = 2 WHERE seq = 3", ()),
        ("UPDATE entry SET seq = 3 WHERE seq = 99", ()),
    )
    with pytest.raises(Altered):
        journal.entries()
    with pytest.raises(Altered):
        journal.entries(2)


def test_a101_truncation_is_found_by_the_expected_head(tmp_path):
    journal = make_journal(tmp_path, 8)
    head = journal.entries()[-1].hash
    tamper(journal.path, ("DELETE FROM entry WHERE seq > 4", ()))
    entries = journal.entries()
    check_chain(entries)
    with pytest.raises(Altered) as caught:
        check_chain(entries, expect_head=head)
    assert (caught.value.code, caught.value.exit_code) == (Code.JOURNAL_FORK, 10)
    assert head_finding(entries, head) is not None


def test_a102_an_old_copy_put_back_is_found_by_the_expected_head(tmp_path):
    journal = make_journal(tmp_path, 4)
    old = journal.path.read_bytes()
    more = make_chain(2, after=journal.entries()[-1])
    journal.append(more, expected_head=more[0].prev)
    journal.path.write_bytes(old)
    with pytest.raises(Altered):
        check_chain(journal.entries(), expect_head=more[1].hash)


def test_a102_two_histories_from_one_root_show_both_heads():
    common = make_chain(5)
    one, other = (
        [*common, *make_chain(2, after=common[-1], mark="one ")],
        make_chain(3, after=common[-1], mark="other "),
    )
    with pytest.raises(Altered) as caught:
        check_chain(one, expect_head=other[-1].hash)
    assert one[-1].hash in caught.value.message
    assert other[-1].hash in caught.value.message


def test_a121_a_history_rewritten_from_the_start_verifies_and_only_the_kept_head_shows_it():
    original, rewritten = make_chain(8), make_chain(8, mark="rewritten ")
    check_chain(rewritten)
    with pytest.raises(Altered):
        parse_export(export(rewritten), expect_head=original[5].hash)
    assert parse_export(export(original), expect_head=original[5].hash)


def test_the_expected_head_may_be_any_ancestor_and_the_empty_journals():
    entries = make_chain(6)
    for expected in ["0" * 64, *(entry.hash for entry in entries)]:
        check_chain(entries, expect_head=expected)
    with pytest.raises(Altered):
        check_chain([], expect_head=entries[0].hash)


def _lines(entries):
    return [entry.export_line() for entry in entries]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:3] + lines[4:],
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [*lines[:3], lines[2], *lines[3:]],
        lambda lines: [*lines[:3], make_chain(4, mark="forged ")[3].export_line(), *lines[3:]],
        lambda lines: [*lines, b" "],
        lambda lines: [*lines, b"\n"],
        lambda lines: [*lines, b"\0"],
        lambda lines: [*lines[:-1], lines[-1][:-1]],
        lambda lines: [b"\xef\xbb\xbf", *lines],
        lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
        lambda lines: [*lines, *lines],
    ],
)
def test_a101_every_change_of_an_export_is_found(change):
    with pytest.raises(Altered):
        parse_export(b"".join(change(_lines(make_chain(6)))))


def test_a101_no_single_byte_of_an_export_can_change():
    whole = export(make_chain(2))
    random = seeded(101)
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= random.randrange(1, 256)
        with pytest.raises(Altered):
            parse_export(bytes(changed))


def test_a101_a_changed_byte_of_the_file_is_found_or_without_effect(tmp_path):
    journal = make_journal(tmp_path, 6)
    whole, entries = journal.path.read_bytes(), journal.entries()
    random = seeded(121)
    copy = SqliteJournal(tmp_path / "copy.db", mount_table=LOCAL_DISK)
    refused = 0
    for _turn in range(400):
        changed = bytearray(whole)
        changed[random.randrange(len(whole))] ^= 1 << random.randrange(8)
        copy.path.write_bytes(changed)
        try:
            assert copy.entries() == entries
        except CustodyError as error:
            assert error.exit_code in (6, 7, 10), error.message
            refused += 1
    assert refused > 40
