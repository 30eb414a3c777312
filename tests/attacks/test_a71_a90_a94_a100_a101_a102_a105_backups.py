"""A90, A94, A100 to A102, A105: backups that were edited, cut, mixed, rolled back, forged, or interrupted."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from custody.errors import CustodyError
from custody.vault.formats import vault_file
from custody.workflow.kept_elsewhere import Expected
from custody.workflow.restore_vault import restore_backup
from support.backups import Sections, backup_of
from support.cli import Result, run, run_json
from support.kill import run_and_kill, seeded
from support.ledger import Ledger, nonce
from support.long_journal import long_journal
from support.restored_office import DESCRIBED
from support.secrets import extended, phrase, wif
from support.vaults import create_arguments, make_vault


def small_ledger() -> Ledger:
    """A vault with an address, a label, a frozen coin and a described device."""
    ledger = Ledger(make_vault())
    ledger.issue(0, "invoice 1")
    (coin,) = ledger.receive(5_000_000)
    ledger.add("coins_frozen", {"outpoints": [str(coin)], "reason": None})
    ledger.add(*DESCRIBED_ANN)
    return ledger


DESCRIBED_ANN = (DESCRIBED[0][0], {**DESCRIBED[0][1], "cosigner": "ann"})
REGISTERED_ANN = (DESCRIBED[1][0], {**DESCRIBED[1][1], "cosigner": "ann"})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "x.backup"


def restore(backup: bytes, place: Path, *arguments: str | Path) -> Result:
    """Write a backup and restore it; whatever is refused leaves nothing behind."""
    place.unlink(missing_ok=True)
    place.write_bytes(backup)
    target = place.parent / "target"
    result = run(["vault", "restore", place, target, "--json", *arguments])
    if result.exit_code:
        assert sorted(path.name for path in place.parent.iterdir()) == [place.name]
    return result


def assert_refused(result: Result, exit_code: int, error: str) -> None:
    assert (result.exit_code, result.error["error"]) == (exit_code, error), result.stderr


def flipped(data: bytes, at: int, bit: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def edits(backup: bytes, step: int) -> Iterator[tuple[int, bytes]]:
    """Yield a backup with one byte changed, taken out, or put in, the sorts taking turns."""
    for at in range(0, len(backup), step):
        sorts = (
            flipped(backup, at, 0),
            flipped(backup, at, 5),
            backup[:at] + backup[at + 1 :],
            backup[:at] + b" " + backup[at:],
            backup[:at] + b"\n" + backup[at:],
            backup[:at] + backup[at : at + 1] + backup[at:],
        )
        edited = sorts[at // step % len(sorts)]
        yield at, edited if edited != backup else flipped(backup, at, 1)


def unrefused(backup: bytes, folder: Path, step: int) -> list[int]:
    """Return the places at which an edit was accepted."""
    accepted = []
    place, target = folder / "x.backup", folder / "target"
    for number, (at, edited) in enumerate(edits(backup, step)):
        place.write_bytes(edited)
        try:
            restore_backup(place, target, Expected(), unique=nonce(number))
        except CustodyError as error:
            assert error.exit_code in (6, 10), (at, error.message)
            assert not target.exists()
        else:
            accepted.append(at)
    return accepted


@pytest.mark.parametrize("step", [29, pytest.param(1, marks=pytest.mark.slow)])
def test_a101_every_edit_of_one_byte_is_refused(tmp_path: Path, step: int) -> None:
    backup = backup_of(small_ledger().entries)
    assert unrefused(backup, tmp_path, step) == []
    assert [path.name for path in tmp_path.iterdir()] == ["x.backup"]
    assert restore(backup, tmp_path / "x.backup").exit_code == 0


def test_a101_lines_cut_doubled_swapped_or_added_are_refused(place: Path) -> None:
    lines = backup_of(small_ledger().entries).splitlines(keepends=True)
    wrong = [lines[:count] for count in range(1, len(lines))]
    wrong += [[*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]] for at in range(1, len(lines) - 1)]
    wrong += [[*lines[: at + 1], *lines[at:]] for at in range(1, len(lines))]
    wrong += [[*lines, b"\n"], [*lines, lines[-1]], [*lines[:-1], lines[-1][:-1]], [b"\xef\xbb\xbf", *lines]]
    for one in wrong[:-1]:
        assert restore(b"".join(one), place).exit_code == 10
    assert restore(b"".join(wrong[-1]), place).exit_code == 6
    assert restore(b"", place).exit_code == 6
    assert_refused(restore(lines[0], place), 10, "BACKUP_ALTERED")


def test_a71_what_a_backup_declares_is_never_taken_on_trust(place: Path) -> None:
    ledger = small_ledger()

    def many_profiles(sections: Sections) -> None:
        sections["profiles"] = [b'{"id":"a%d","profile":{}}\n' % number for number in range(101)]

    def large_profile(sections: Sections) -> None:
        sections["profiles"] = [b'{"id":"ledger","profile":"%s"}\n' % (b"x" * 10_000_000)]

    def more_than_declared(sections: Sections) -> None:
        sections["labels"] = [b"x" * 1_000_000 + b"\n"]

    for change in (many_profiles, large_profile):
        assert_refused(restore(backup_of(ledger.entries, change), place), 10, "BACKUP_ALTERED")
    honest, longer = backup_of(ledger.entries), backup_of(ledger.entries, more_than_declared)
    first = b"\n".join([honest.split(b"\n")[0], *longer.split(b"\n")[1:]])
    assert_refused(restore(first, place), 10, "BACKUP_ALTERED")
    for number in (b"999999999999", b"9007199254740991"):
        boundless = honest.replace(b'"lines":1,"name":"vault"', b'"lines":%s,"name":"vault"' % number, 1)
        assert boundless != honest
        assert_refused(restore(boundless, place), 10, "BACKUP_ALTERED")
    endless = honest.split(b"\n")[0] + b" " * 20_000 + b"\n"
    assert restore(endless, place).exit_code in (6, 10)


def other_vault(sections: Sections) -> None:
    sections["vault"] = [backup_of(Ledger(make_vault(seed=2)).entries).splitlines(keepends=True)[1]]


def other_label(sections: Sections) -> None:
    sections["labels"] = [line.replace(b"invoice", b"refunds") for line in sections["labels"]]


def no_labels(sections: Sections) -> None:
    sections["labels"] = []


def other_token(sections: Sections) -> None:
    sections["signers"] = [line.replace(b"cd" * 32, b"ce" * 32) for line in sections["signers"]]


def no_signers(sections: Sections) -> None:
    sections["signers"] = []


def profile_of_a_stranger(sections: Sections) -> None:
    sections["profiles"] = [b'{"id":"../../escape","profile":{}}\n']


def journal_of_another_vault(sections: Sections) -> None:
    sections["journal"] = [entry.export_line() for entry in Ledger(make_vault(seed=2)).entries]


@pytest.mark.parametrize(
    "change",
    [other_vault, other_label, no_labels, other_token, no_signers, profile_of_a_stranger, journal_of_another_vault],
)
def test_a101_parts_that_contradict_the_journal_are_refused_whatever_the_digests(
    place: Path, change: Callable[[Sections], None]
) -> None:
    ledger = small_ledger()
    ledger.add(*REGISTERED_ANN)
    assert restore(backup_of(ledger.entries), place).exit_code == 0
    target = place.parent / "target"
    target.rename(place.parent.parent / f"good-{change.__name__}")
    assert_refused(restore(backup_of(ledger.entries, change), place), 10, "BACKUP_ALTERED")


def test_a101_line_1_of_another_vault_is_refused(place: Path) -> None:
    ledger = small_ledger()
    stranger = make_vault(seed=2)
    lied = backup_of(ledger.entries, vault=stranger)
    assert_refused(restore(lied, place, "--expect-vault-id", stranger.vault_id), 10, "BACKUP_ALTERED")
    assert_refused(restore(lied, place, "--expect-vault-id", ledger.vault.vault_id), 3, "VAULT_MISMATCH")


def test_a102_a_backup_that_was_rolled_back_is_shown_by_the_head_kept_elsewhere(place: Path) -> None:
    ledger = small_ledger()
    old = backup_of(ledger.entries)
    ledger.issue(1)
    head = ledger.entries[-1].hash
    assert_refused(restore(old, place, "--expect-head", head), 10, "JOURNAL_FORK")
    good = restore(backup_of(ledger.entries), place, "--expect-head", ledger.entries[1].hash)
    assert (good.exit_code, _warned(good)) == (0, ["JOURNAL_COPIED"])


def test_a102_without_anything_kept_elsewhere_an_old_backup_looks_good_and_that_is_said(place: Path) -> None:
    assert _warned(restore(backup_of(small_ledger().entries), place)) == ["JOURNAL_COPIED", "BACKUP_NOT_COMPARED"]


def _warned(result: Result) -> list[str]:
    return [one["code"] for one in result.json["findings"] if one["severity"] == "warn"]


def test_a102_two_copies_of_one_journal_fork_and_a_kept_head_shows_it(tmp_path: Path) -> None:
    vault = make_vault()
    assert run(create_arguments(vault, tmp_path / "old")).exit_code == 0
    run_json(["--vault", tmp_path / "old", "vault", "backup", tmp_path / "x.backup"])
    warned = run_json(["vault", "restore", tmp_path / "x.backup", tmp_path / "new"])["findings"]
    assert [one["code"] for one in warned if one["severity"] == "warn"] == ["JOURNAL_COPIED", "BACKUP_NOT_COMPARED"]
    for folder, label in (("old", "one"), ("new", "two")):
        run_json(["--vault", tmp_path / folder, "address", "next", "--label", label])
    kept = run_json(["--vault", tmp_path / "new", "journal", "verify"])["head"]
    verify = ["--vault", tmp_path / "old", "journal", "verify", "--expect-head", kept]
    assert [one["code"] for one in run_json(verify, exit_code=10)["findings"]] == ["JOURNAL_FORK"]
    run_json(["--vault", tmp_path / "old", "vault", "backup", tmp_path / "fork.backup"])
    again = run(["vault", "restore", tmp_path / "fork.backup", tmp_path / "third", "--expect-head", kept, "--json"])
    assert_refused(again, 10, "JOURNAL_FORK")


def test_a102_authority_without_signatures_comes_back_as_nothing_and_is_listed(place: Path) -> None:
    ledger = small_ledger()
    ledger.add("vault_restored", {"source": "vault", "lost_head": None})
    restored = restore(backup_of(ledger.entries), place).json
    assert "AUTHORITY_DISREGARDED" in [one["code"] for one in restored["findings"]]
    assert restored["governance"] == "none"


def test_a_backup_of_a_later_version_is_no_alteration(place: Path) -> None:
    ledger = small_ledger()
    assert_refused(restore(backup_of(ledger.entries).replace(b"backup/1", b"backup/2", 1), place), 6, "UPGRADE_NEEDED")
    entries = [*ledger.entries]
    ledger.add("moon_landed", {})
    later = backup_of(entries).split(b"\n")[1:]
    line_1 = backup_of(entries, lambda sections: sections["journal"].append(ledger.entries[-1].export_line()))
    forged = b"\n".join([line_1.split(b"\n")[0], *later[:-1]]) + b"\n" + ledger.entries[-1].export_line()
    assert_refused(restore(forged, place), 6, "UPGRADE_NEEDED")


SECRETS = {
    "words": " ".join(phrase("a label")),
    "wif": wif("a label", version=0xEF, compressed=True),
    "xprv": extended("a label", version="0488ade4", private=True),
}


@pytest.mark.parametrize("name", SECRETS)
def test_a90_a_secret_in_a_backup_is_refused_and_not_repeated(place: Path, name: str) -> None:
    secret = SECRETS[name]
    ledger = small_ledger()
    body = {"type": "tx", "ref": "ab" * 32, "label": secret, "origin": None, "spendable": None}
    ledger.add("label_set", {**body})
    result = restore(backup_of(ledger.entries), place)
    assert_refused(result, 6, "SECRET_MATERIAL")
    assert secret not in result.stderr + result.stdout


def test_a94_only_an_empty_place_of_its_own_is_filled(tmp_path: Path) -> None:
    place = tmp_path / "x.backup"
    place.write_bytes(backup_of(small_ledger().entries))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "vault.yaml").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for target in ("link", "dangling", "full", "file"):
        result = run(["vault", "restore", place, tmp_path / target, "--json"])
        assert_refused(result, 7, "VAULT_EXISTS")
    assert (tmp_path / "full" / "vault.yaml").read_text() == "mine"
    assert not any((tmp_path / "elsewhere").iterdir())
    assert not (tmp_path / "nothing").exists()
    assert run(["vault", "restore", place, tmp_path / "no" / "parent"]).exit_code == 6
    assert run(["vault", "restore", place, tmp_path / "elsewhere"]).exit_code == 0


def test_a94_a_backup_is_read_from_a_plain_file_and_written_to_a_new_one(tmp_path: Path) -> None:
    real = tmp_path / "real.backup"
    real.write_bytes(backup_of(small_ledger().entries))
    (tmp_path / "link").symlink_to(real)
    os.mkfifo(tmp_path / "pipe")
    for source in ("link", "pipe", "missing"):
        assert run(["vault", "restore", tmp_path / source, tmp_path / "target"]).exit_code == 6
    run_json(["vault", "restore", real, tmp_path / "office"])
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    for target in ("link", "dangling", "pipe", "office"):
        result = run(["--vault", tmp_path / "office", "vault", "backup", tmp_path / target, "--json"])
        assert_refused(result, 7, "FILE_EXISTS")
    assert not (tmp_path / "nothing").exists()


def test_a94_a_dash_is_no_name_of_a_file_that_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(create_arguments(make_vault(), tmp_path / "office")).exit_code == 0
    monkeypatch.chdir(tmp_path)
    assert_refused(run(["--vault", "office", "vault", "backup", "-", "--json"]), 6, "PATH_UNSAFE")
    assert_refused(run(["--vault", "office", "vault", "backup", "x", "--paper", "-", "--json"]), 6, "PATH_UNSAFE")
    assert [path.name for path in tmp_path.iterdir()] == ["office"]


def test_a101_a_workspace_that_was_altered_is_not_backed_up(tmp_path: Path) -> None:
    assert run(create_arguments(make_vault(), tmp_path / "office")).exit_code == 0
    (tmp_path / "office" / "vault.yaml").write_text(vault_file.write(make_vault(seed=2)))
    result = run(["--vault", tmp_path / "office", "vault", "backup", tmp_path / "x.backup", "--json"])
    assert_refused(result, 10, "WORKSPACE_ALTERED")
    assert not (tmp_path / "x.backup").exists()


def test_a105_the_text_file_alone_is_enough_for_the_addresses(tmp_path: Path) -> None:
    vault = make_vault()
    (tmp_path / "descriptor.txt").write_text(vault.descriptor_text + "\n")
    words = ["--name", "reserve", "--network", "regtest", "--expect-vault-id", vault.vault_id]
    answer = run_json(["vault", "restore", tmp_path / "descriptor.txt", tmp_path / "again", *words])
    assert answer["first_addresses"][0]["address"] == vault.first_address
    assert "BACKUP_NOT_COMPARED" not in [one["code"] for one in answer["findings"]]
    unseen = run_json(["vault", "restore", tmp_path / "descriptor.txt", tmp_path / "unseen", *words[:4]])
    assert "BACKUP_NOT_COMPARED" in [one["code"] for one in unseen["findings"]]
    assert run(["vault", "restore", tmp_path / "descriptor.txt", tmp_path / "other"]).exit_code == 2
    backup = tmp_path / "x.backup"
    run_json(["--vault", tmp_path / "again", "vault", "backup", backup])
    assert run(["vault", "restore", backup, tmp_path / "third", "--name", "other"]).exit_code == 2
    # What was not known is not known after a backup of it either.
    assert run_json(["vault", "restore", backup, tmp_path / "third"])["governance"] == "unknown"


def whole_run_ms(command: list[str | Path]) -> int:
    """Return how long a command takes, and a little more: kills fall all over it, and some runs end."""
    started = time.monotonic()
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    return int((time.monotonic() - started) * 1_200)


CUSTODY: list[str | Path] = [sys.executable, "-c", "from custody_cli.app import main; main()"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of 1,000 entries: long enough to be killed in the middle of."""
    path = tmp_path_factory.mktemp("kept") / "x.backup"
    path.write_bytes(backup_of(list(long_journal(1_000))))
    return path


KILLS = pytest.mark.parametrize("kills", [4, pytest.param(40, marks=pytest.mark.slow)])


@KILLS
def test_a100_a_killed_restore_leaves_nothing_or_the_whole_workspace(kept: Path, tmp_path: Path, kills: int) -> None:
    random = seeded(20_261_126)
    within_ms = whole_run_ms([*CUSTODY, "vault", "restore", kept, tmp_path / "whole"])
    killed, whole = 0, 1
    for turn in range(kills):
        target = tmp_path / f"target-{turn}"
        outcome = run_and_kill([*CUSTODY, "vault", "restore", kept, target], random=random, within_ms=within_ms)
        killed += outcome.killed
        if target.exists():
            whole += 1
            assert run_json(["--vault", target, "journal", "verify"])["entries"] == 1_000
        else:
            assert outcome.killed
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".tmp-")}
    assert len(left) == whole
    assert killed > 0


@KILLS
def test_a100_a_killed_backup_leaves_no_file_or_the_whole_one(kept: Path, tmp_path: Path, kills: int) -> None:
    office = tmp_path / "office"
    run_json(["vault", "restore", kept, office])
    random = seeded(20_261_127)
    within_ms = whole_run_ms([*CUSTODY, "--vault", office, "vault", "backup", tmp_path / "whole.backup"])
    killed = 0
    for turn in range(kills):
        path = tmp_path / f"{turn}.backup"
        command = [*CUSTODY, "--vault", office, "vault", "backup", path]
        killed += run_and_kill(command, random=random, within_ms=within_ms).killed
        assert not path.exists() or path.read_bytes() == kept.read_bytes()
    assert killed > 0
    assert run_json(["--vault", office, "journal", "verify"])["ok"] is True
