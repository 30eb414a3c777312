"""The parts of a backup: the manifest, profiles of models that a version lost, and a vault without its journal."""

import json
from pathlib import Path

import pytest

from custody.atomic import read_lines
from custody.audit.backup import Manifest
from custody.audit.fold import fold
from custody.codes import Code
from custody.documents import strict_yaml
from custody.documents.canonical_json import canonical
from custody.errors import Altered, CustodyError, InvalidInput, JsonValue, UpgradeNeeded
from custody_hardware.device_profiles import profile_text
from support.backups import Sections, backup_of
from support.cli import run, run_json
from support.ledger import Ledger
from support.restored_office import DESCRIBED
from support.vaults import create_arguments, make_vault


def described(device: str, dialect: str | None = None) -> Ledger:
    ledger = Ledger(make_vault())
    kind, body = DESCRIBED[0]
    ledger.add(kind, {**body, "cosigner": "ann", "device": device, "qr_dialect": dialect})
    return ledger


def profile_line(name: str, **changes: JsonValue) -> bytes:
    document = strict_yaml.load(profile_text("keystone-3"))
    assert isinstance(document, dict)
    return canonical({"id": name, "profile": {**document, "model": name, **changes}}) + b"\n"


def restored(ledger: Ledger, folder: Path, *profiles: bytes) -> dict[str, object]:
    def with_profiles(sections: Sections) -> None:
        sections["profiles"] = [*profiles]

    (folder / "x.backup").write_bytes(backup_of(ledger.entries, with_profiles))
    answer: dict[str, object] = run_json(["vault", "restore", folder / "x.backup", folder / "office"])
    return answer


def test_a_model_that_this_version_does_not_know_keeps_its_menu_of_codes(tmp_path: Path) -> None:
    answer = restored(described("futuresigner"), tmp_path, profile_line("futuresigner"))
    assert answer["devices"] == [
        {"cosigner": "ann", "device": "futuresigner", "known": True, "qr_dialects": ["ur"]},
    ]
    # It is not lost from the next backup either.
    again = run_json(["--vault", tmp_path / "office", "vault", "backup", tmp_path / "again.backup"])
    assert again["unknown_devices"] == []
    assert (tmp_path / "again.backup").read_bytes() == (tmp_path / "x.backup").read_bytes()


def test_a_backup_changes_nothing_that_this_version_knows_of_a_model(tmp_path: Path) -> None:
    lied = profile_line("seedsigner", qr={"dialects": {"is": ["bbqr"], "source": "a liar"}})
    answer = restored(described("seedsigner"), tmp_path, lied)
    assert answer["devices"] == [
        {"cosigner": "ann", "device": "seedsigner", "known": True, "qr_dialects": ["ur"]},
    ]


@pytest.mark.parametrize("changes", [{"format": "custody-device/9"}, {"model": "another"}, {"qr": 3}])
def test_a_profile_that_can_not_be_read_is_none(tmp_path: Path, changes: dict[str, JsonValue]) -> None:
    answer = restored(described("futuresigner", "bbqr"), tmp_path, profile_line("futuresigner", **changes))
    assert answer["devices"] == [
        {"cosigner": "ann", "device": "futuresigner", "known": False, "qr_dialects": ["bbqr"]},
    ]


def test_a_device_without_a_profile_is_said(tmp_path: Path) -> None:
    restored(described("futuresigner"), tmp_path)
    result = run(["--vault", tmp_path / "office", "vault", "backup", tmp_path / "y.backup"])
    assert "no profile of the device `futuresigner`" in result.stdout
    assert not (tmp_path / "office" / "device-profiles.jsonl").exists()


def test_the_kept_profiles_are_read_strictly(tmp_path: Path) -> None:
    restored(described("futuresigner"), tmp_path, profile_line("futuresigner"))
    kept = tmp_path / "office" / "device-profiles.jsonl"
    whole = kept.read_bytes()
    for wrong in (whole[:-1], b"{}\n", whole.replace(b"{", b"{ ", 1)):
        kept.write_bytes(wrong)
        result = run(["--vault", tmp_path / "office", "vault", "backup", tmp_path / "y.backup"])
        assert result.exit_code == 6
        assert f"`{kept}` is not what a restore wrote" in result.stderr
        assert "move it away" in result.stderr
    assert not (tmp_path / "y.backup").exists()
    # The way out that is named is one: only the unknown model's profile is gone then.
    kept.rename(tmp_path / "moved-away")
    assert run(["--vault", tmp_path / "office", "vault", "backup", tmp_path / "y.backup"]).exit_code == 0


def manifest_line(**changes: JsonValue) -> bytes:
    document = json.loads(backup_of(Ledger(make_vault()).entries).split(b"\n")[0])
    return canonical({**document, **changes}) + b"\n"


def test_a_manifest_is_read_to_the_byte() -> None:
    line = manifest_line()
    assert Manifest.from_line(line).to_line() == line
    sections = json.loads(line)["sections"]
    reversed_sections: list[JsonValue] = list(reversed(sections))
    moved: list[JsonValue] = [{**one, "first_line": one["first_line"] + 1} for one in sections]
    for wrong, error in (
        (manifest_line(format="custody-backup/2"), UpgradeNeeded),
        (manifest_line(format="custody-bundle/1"), InvalidInput),
        (manifest_line(more=1), InvalidInput),
        (manifest_line(vault_id="AB" * 32), InvalidInput),
        (manifest_line(sections=reversed_sections), Altered),
        (manifest_line(sections=moved), Altered),
        (line.replace(b",", b", ", 1), InvalidInput),
    ):
        with pytest.raises(error):
            Manifest.from_line(wrong)


def test_a_journal_that_replaces_a_lost_one_says_so_in_its_second_entry() -> None:
    ledger = Ledger(make_vault())
    ledger.add("vault_restored", {"source": "descriptor", "lost_head": "ab" * 32})
    state = ledger.state
    assert state.is_governance_unknown
    assert state.lost_journal is not None
    assert (state.lost_journal.source, state.lost_journal.head) == ("descriptor", "ab" * 32)


def test_nobody_can_take_a_vaults_governance_away_by_saying_that_it_was_restored() -> None:
    ledger = Ledger(make_vault())
    ledger.issue(0)
    ledger.add("vault_restored", {"source": "descriptor", "lost_head": None})
    assert not ledger.state.is_governance_unknown
    assert [one.seq for one in ledger.state.governance.disregarded] == [2]


@pytest.mark.parametrize("body", [{}, {"source": "x", "lost_head": "short"}, {"source": 1, "lost_head": None}])
def test_an_entry_of_another_shape_is_an_alteration(body: dict[str, JsonValue]) -> None:
    ledger = Ledger(make_vault())
    ledger.add("vault_restored", body)
    with pytest.raises(Altered):
        fold(ledger.entries)


def test_unknown_governance_refuses_on_every_network_and_even_ungoverned(tmp_path: Path) -> None:
    ledger = Ledger(make_vault())
    ledger.add("vault_restored", {"source": "vault", "lost_head": None})
    restored(ledger, tmp_path)
    result = run(["--vault", tmp_path / "office", "address", "next", "--json"])
    assert (result.exit_code, result.error["error"]) == (4, "GOVERNANCE_UNKNOWN")
    assert result.error["details"] == {}


def test_a_vault_that_was_never_founded_is_restored_as_such(tmp_path: Path) -> None:
    assert run([*create_arguments(make_vault(), tmp_path / "one"), "--ungoverned"]).exit_code == 0
    run_json(["--vault", tmp_path / "one", "vault", "backup", tmp_path / "x.backup"])
    assert run_json(["vault", "restore", tmp_path / "x.backup", tmp_path / "two"])["governance"] == "none, ungoverned"


def test_lines_are_read_one_by_one_and_no_longer_than_they_may_be(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"one\n\ntwo\r\nthree")
    assert list(read_lines(path, max_line_bytes=6)) == [b"one\n", b"\n", b"two\r\n", b"three"]
    with pytest.raises(InvalidInput) as caught:
        list(read_lines(path, max_line_bytes=4))
    assert caught.value.code is Code.FILE_TOO_LARGE
    with pytest.raises(CustodyError):
        list(read_lines(tmp_path / "none", max_line_bytes=4))


def test_a_vault_that_only_receives_is_backed_up_and_restored(tmp_path: Path) -> None:
    vault = make_vault()
    (tmp_path / "one.txt").write_text(vault.descriptor.single_branch_text(0, vault.network) + "\n")
    terms = ["--name", "reserve", "--network", "regtest"]
    run_json(["vault", "import", tmp_path / "one.txt", tmp_path / "one", *terms, "--receive-only"])
    sheet = tmp_path / "sheet.html"
    run_json(["--vault", tmp_path / "one", "vault", "backup", tmp_path / "x.backup", "--paper", sheet])
    assert "change 0" not in sheet.read_text()
    again = run_json(["vault", "restore", tmp_path / "x.backup", tmp_path / "two"])
    assert {one["branch"] for one in again["first_addresses"]} == {"receive"}
    assert run(["vault", "restore", tmp_path / "one" / "vault.yaml", tmp_path / "three"]).exit_code == 0
    bare = ["vault", "restore", tmp_path / "one.txt", tmp_path / "four", *terms]
    assert run([*bare, "--json"]).error["error"] == "CHANGE_BRANCH_MISSING"
    assert run([*bare, "--receive-only"]).exit_code == 0
    refused = run(["vault", "restore", tmp_path / "x.backup", tmp_path / "five", "--receive-only"])
    assert refused.exit_code == 2
