"""The printed sheet: its codes are decoded by an independent reader, from the very shapes that a printer draws."""

import html
import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from custody.audit.backup import Manifest
from custody.bitcoin.descriptor import ScriptType
from custody.vault.vault import Vault
from custody.workflow.open_vault import read_vault_file
from custody_hardware.vault_sheet import vault_sheet
from support.backups import backup_of
from support.cli import run, run_json
from support.ledger import Ledger
from support.qr import scan
from support.sheets import codes_of
from support.vaults import create_arguments, make_vault


def sheet_of(vault: Vault) -> tuple[str, Manifest]:
    manifest = Manifest.from_line(backup_of(Ledger(vault).entries).split(b"\n")[0] + b"\n")
    return vault_sheet(vault, manifest), manifest


def contents(pictures: list[Image.Image]) -> str:
    """Return what the codes say, one a line."""
    found = [scan(picture) for picture in pictures]
    assert [len(one) for one in found] == [1] * len(pictures)
    return "\n".join(one[0].decode() for one in found)


@pytest.mark.parametrize(
    "vault",
    [make_vault(2, 3), make_vault(15, 15), make_vault(3, 5, script_type=ScriptType.SH_WSH_SORTEDMULTI)],
    ids=["2-of-3", "15-of-15", "3-of-5 sh"],
)
def test_a_camera_brings_vault_file_and_descriptor_back(vault: Vault, tmp_path: Path) -> None:
    page, _manifest = sheet_of(vault)
    out = tmp_path / "vault.yaml"
    assert run(["qr", "read", "-", "-o", out], contents(codes_of(page, "vault"))).exit_code == 0
    assert read_vault_file(out) == vault
    descriptor = run_json(["qr", "read", "-"], contents(codes_of(page, "descriptor")))
    assert descriptor["content"].strip() == vault.descriptor_text
    assert descriptor["kind"] == "descriptor"


def test_the_head_of_the_journal_is_a_plain_code(tmp_path: Path) -> None:
    page, manifest = sheet_of(make_vault())
    said = contents(codes_of(page, "journal head"))
    for fact in (manifest.head, manifest.vault_id, manifest.journal_id, f"entries {manifest.entries}"):
        assert fact in said


@pytest.mark.parametrize("corner", [0.45, 0.6])
def test_a_stained_code_is_still_read(corner: float, tmp_path: Path) -> None:
    page, _manifest = sheet_of(make_vault())
    pictures = codes_of(page, "vault")
    clean = contents(pictures)
    for picture in pictures:
        size = picture.size[0]
        at = int(size * corner)
        ImageDraw.Draw(picture).ellipse((at, at, at + size // 4, at + size // 4), fill=128)
    assert contents(pictures) == clean


def test_the_codes_are_large_enough_for_a_cheap_printer() -> None:
    page, _manifest = sheet_of(make_vault(15, 15))
    sides = [int(side) for side in re.findall(r'viewBox="0 0 (\d+) ', page)]
    assert max(sides) * 0.6 <= 58, "a module is 0.6 mm or more in a code of 58 mm"


def test_the_page_loads_and_runs_nothing_and_says_what_to_compare() -> None:
    vault = make_vault()
    page, manifest = sheet_of(vault)
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|img|link|iframe|object)|https?:|url\(|@import| on[a-z]+=", page)
    plain = html.unescape(re.sub(r"<[^>]+>", " ", page)).replace(" ", "").replace("\n", "")
    facts = [manifest.head, vault.vault_id, manifest.journal_id, vault.descriptor_text]
    facts += [vault.address_at(branch, index) for branch in (0, 1) for index in range(3)]
    facts += [one.fingerprint.hex() for one in vault.cosigners]
    for fact in facts:
        assert fact.replace(" ", "") in plain, fact
    for sheet in "ABCD":
        assert f"{vault.vault_id[:8]}, sheet {sheet}" in page
    assert "${" not in page


def test_the_same_journal_gives_the_same_page() -> None:
    assert sheet_of(make_vault()) == sheet_of(make_vault())


def test_the_command_writes_both_or_neither(tmp_path: Path) -> None:
    assert run(create_arguments(make_vault(), tmp_path / "office")).exit_code == 0
    command = ["--vault", tmp_path / "office", "vault", "backup", tmp_path / "x.backup", "--paper", tmp_path / "x.html"]
    (tmp_path / "x.html").write_text("mine")
    assert run([*command, "--json"]).error["error"] == "FILE_EXISTS"
    assert not (tmp_path / "x.backup").exists()
    (tmp_path / "x.html").unlink()
    answer = run_json(command)
    assert answer["paper"] == str(tmp_path / "x.html")
    assert (tmp_path / "x.html").stat().st_mode & 0o777 == 0o600
    assert answer["head"] in (tmp_path / "x.html").read_text()
