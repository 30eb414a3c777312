"""An exported journal opened with nothing else: the vault it adopted, its state, and what it is compared with."""

from pathlib import Path

import pytest

from custody.audit.backup import SectionCount
from custody.audit.fold import fold
from custody.audit.journal import Entry
from custody.codes import Code
from custody.errors import Altered, CheckFailed, SecretRefused
from custody.workflow.open_export import open_export
from support.backups import backup_of
from support.journals import export
from support.ledger import OUTSIDE, Ledger
from support.secrets import wif
from support.vaults import make_vault


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    """A vault with two coins, one of them paid out."""
    ledger = Ledger(make_vault())
    ledger.receive(5_000_000, 7_000_000)
    paid = ledger.propose(ledger.draft((OUTSIDE, 1_000_000)))
    final = ledger.finalize(paid)
    ledger.broadcast(paid, final)
    ledger.mine(6, final)
    return ledger.entries


def written(folder: Path, content: bytes) -> Path:
    path = folder / "export"
    path.write_bytes(content)
    return path


def test_an_export_comes_to_the_state_of_its_journal(entries: list[Entry], tmp_path: Path) -> None:
    opened = open_export(written(tmp_path, export(entries)))
    assert opened.state == fold(entries)
    assert opened.vault.vault_id == make_vault().vault_id
    assert (opened.head, opened.count) == (entries[-1].hash, len(entries))
    assert opened.findings == ()


def test_a_backup_is_opened_by_its_last_section(entries: list[Entry], tmp_path: Path) -> None:
    assert open_export(written(tmp_path, backup_of(entries))).state == fold(entries)


def test_another_vault_beside_it_is_refused(entries: list[Entry], tmp_path: Path) -> None:
    path = written(tmp_path, export(entries))
    assert open_export(path, expected=make_vault()).count == len(entries)
    with pytest.raises(CheckFailed) as refused:
        open_export(path, expected=make_vault(threshold=3))
    assert refused.value.code is Code.VAULT_MISMATCH


def test_the_first_alteration_is_raised_with_all_of_them(entries: list[Entry], tmp_path: Path) -> None:
    lines = [entry.export_line() for entry in entries]
    lines[1], lines[3] = lines[1][:-2] + b"\n", lines[3][:-2] + b"\n"
    with pytest.raises(Altered) as refused:
        open_export(written(tmp_path, b"".join(lines)))
    found = refused.value.details["findings"]
    assert isinstance(found, list)
    assert [one["where"] for one in found if isinstance(one, dict)] == ["line:2", "line:4"]


def test_a_head_kept_elsewhere_shows_a_journal_cut_short(entries: list[Entry], tmp_path: Path) -> None:
    path = written(tmp_path, export(entries[:-1]))
    assert open_export(path, expect_head=entries[-2].hash).count == len(entries) - 1
    with pytest.raises(Altered) as refused:
        open_export(path, expect_head=entries[-1].hash)
    assert refused.value.code is Code.JOURNAL_FORK


def test_a_backup_whose_first_line_says_another_head_is_refused(entries: list[Entry], tmp_path: Path) -> None:
    lines = backup_of(entries).splitlines(keepends=True)
    false = lines[0].replace(entries[-1].hash.encode(), b"ab" * 32)
    assert false != lines[0]
    with pytest.raises(Altered) as refused:
        open_export(written(tmp_path, b"".join([false, *lines[1:]])))
    assert refused.value.code is Code.BACKUP_ALTERED


def test_a_backup_with_a_false_digest_is_refused(entries: list[Entry], tmp_path: Path) -> None:
    count = SectionCount.of(entry.export_line() for entry in entries)
    content = backup_of(entries).replace(count.sha256.encode(), b"cd" * 32)
    with pytest.raises(Altered) as refused:
        open_export(written(tmp_path, content))
    assert "section journal" in str(refused.value.details["findings"])


def test_a_private_key_in_any_line_is_refused_and_not_echoed(tmp_path: Path) -> None:
    secret = wif("an export", version=0x80, compressed=True)
    ledger = Ledger(make_vault())
    ledger.add(
        "label_set",
        {"type": "tx", "ref": "ab" * 32, "label": secret, "origin": None, "spendable": None},
    )
    with pytest.raises(SecretRefused) as refused:
        open_export(written(tmp_path, export(ledger.entries)))
    assert "line 2" in refused.value.message
    assert secret not in refused.value.message


def test_progress_counts_the_entries(entries: list[Entry], tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    open_export(written(tmp_path, backup_of(entries)), progress=lambda *words: told.append(words))
    assert told == [("entries of the journal", 0, len(entries))]
