"""`custody qr`: shows what it is given, reads it back, and says what is missing, mixed or too large."""

import base64
import json
import sys
from pathlib import Path

import pytest

from custody.bitcoin.qr_payload import ShowAs
from custody_hardware.qr_matrix import Matrix, matrix_of
from custody_hardware.qr_pictures import png
from support.cli import Result, run, run_json
from support.psbt_builder import TestVault
from support.qr import block_frames, psbt_of, run_on_terminal, scan, screenshot, without_colours
from support.vaults import create_arguments, make_vault

WORDS = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"


@pytest.fixture
def psbt_file(tmp_path: Path) -> Path:
    path = tmp_path / "payment.psbt"
    path.write_bytes(psbt_of(1).serialize())
    return path


def test_frames_survive_the_way_through_text(psbt_file: Path, tmp_path: Path) -> None:
    for dialect in ShowAs:
        density = 40 if dialect is ShowAs.PLAIN else 12
        shown = run_json(["qr", "show", psbt_file, "--dialect", dialect, "--density", density])
        pasted = "\n".join(reversed(shown["frames"]))
        answer = run_json(["qr", "read", "-"], pasted)
        assert (answer["kind"], answer["sha256"]) == ("psbt", shown["sha256"])
        assert base64.b64decode(answer["content"]) == psbt_file.read_bytes()
        assert shown["frame_count"] == len(shown["frames"])


def test_read_psbt_lands_in_a_new_file_in_binary(psbt_file: Path, tmp_path: Path) -> None:
    frames = "\n".join(run_json(["qr", "show", psbt_file])["frames"])
    out = tmp_path / "back.psbt"
    answer = run(["qr", "read", "-", "-o", out], frames)
    assert answer.exit_code == 0
    assert out.read_bytes() == psbt_file.read_bytes()
    assert psbt_of(1).unsigned_txid in answer.stdout
    assert f"custody psbt review {out}" in answer.stdout
    again = run(["qr", "read", "-", "-o", out], frames)
    assert (again.exit_code, out.read_bytes()) == (7, psbt_file.read_bytes())


def test_psbt_without_a_file_is_base64_on_stdout(psbt_file: Path) -> None:
    frames = "\n".join(run_json(["qr", "show", psbt_file])["frames"])
    answer = run(["qr", "read", "-"], frames)
    assert base64.b64decode(answer.stdout) == psbt_file.read_bytes()


def test_transaction_lands_in_hex(tmp_path: Path) -> None:
    raw = psbt_of(1).unsigned_transaction().serialize()
    (tmp_path / "a.txn").write_text(raw.hex())
    frames = "\n".join(run_json(["qr", "show", tmp_path / "a.txn", "--dialect", "bbqr"])["frames"])
    assert run_json(["qr", "read", "-"], frames)["encoding"] == "hex"
    assert run(["qr", "read", "-", "-o", tmp_path / "b.txn"], frames).exit_code == 0
    assert (tmp_path / "b.txn").read_text() == raw.hex() + "\n"


def test_vault_file_is_shown_as_its_descriptor(tmp_path: Path) -> None:
    vault = make_vault()
    assert run(create_arguments(vault, tmp_path / "reserve")).exit_code == 0
    shown = run_json(["qr", "show", tmp_path / "reserve" / "vault.yaml"])
    assert shown["kind"] == "descriptor"
    assert shown["frames"][0].startswith("UR:CRYPTO-OUTPUT/")
    assert run_json(["qr", "read", "-"], "\n".join(shown["frames"]))["content"].strip() == vault.descriptor.to_text(
        vault.network
    )


def test_pictures_page_and_gif_are_new_files(psbt_file: Path, tmp_path: Path) -> None:
    pictures = run_json(["qr", "show", psbt_file, "--png", tmp_path / "frames"])["files"]
    assert sorted(map(str, (tmp_path / "frames").iterdir())) == pictures
    run_json(["qr", "show", psbt_file, "--gif", tmp_path / "a.gif"])
    assert "custody" not in (run(["qr", "show", psbt_file, "--html", tmp_path / "a.html"]).stdout)
    for option, target in (("--png", "frames"), ("--gif", "a.gif"), ("--html", "a.html")):
        before = (tmp_path / "a.html").read_bytes()
        refused = run(["qr", "show", psbt_file, option, tmp_path / target])
        assert refused.exit_code == 7
        assert (tmp_path / "a.html").read_bytes() == before
    for source in (pictures, [tmp_path / "a.gif"]):
        assert run_json(["qr", "read", *source])["sha256"] == run_json(["qr", "show", psbt_file])["sha256"]
    assert run(["qr", "show", psbt_file, "--png", "x", "--gif", "y"]).exit_code == 2


def test_missing_frames_are_counted(psbt_file: Path) -> None:
    frames = run_json(["qr", "show", psbt_file, "--dialect", "bbqr"])["frames"]
    answer = run(["qr", "read", "-", "--json"], "\n".join(frames[:-1]))
    assert answer.exit_code == 5
    assert answer.error["error"] == "QR_INCOMPLETE"
    assert answer.error["details"] == {"known": len(frames) - 1, "needed": len(frames), "missing": 1}
    assert answer.stdout == ""


def test_text_on_stdout_can_not_move_the_cursor(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("pay \x1b[2J now")
    frames = run_json(["qr", "show", tmp_path / "note.txt", "--dialect", "bbqr"])["frames"]
    answer = run(["qr", "read", "-"], "\n".join(frames))
    assert "\x1b" not in answer.stdout
    assert run(["qr", "read", "-", "-o", tmp_path / "copy.txt"], "\n".join(frames)).exit_code == 0
    assert (tmp_path / "copy.txt").read_text() == "pay \x1b[2J now"


@pytest.mark.parametrize("content", [WORDS, f"frames\n{WORDS}\n", f"ur:{'crypto-seed'}/oeadgdst"])
def test_secret_is_neither_shown_nor_stored(content: str, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text(content)
    (tmp_path / "note.png").write_bytes(png(matrix_of(content, None), 4))
    for name in ("note.txt", "note.png"):
        answer = run(["qr", "read", tmp_path / name, "-o", tmp_path / "out"])
        _assert_secret(answer)
    _assert_secret(run(["qr", "show", tmp_path / "note.txt"]))
    assert not (tmp_path / "out").exists()


def _assert_secret(answer: Result) -> None:
    assert answer.exit_code == 6
    assert "SECRET_MATERIAL" in answer.stderr
    assert "abandon" not in answer.stdout + answer.stderr
    assert "oeadgdst" not in answer.stdout + answer.stderr


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "white.png").write_bytes(png(Matrix((bytes(30),) * 30), 4))
    (tmp_path / "empty.txt").write_bytes(b"")
    for place, stdin in (("-", ""), (tmp_path / "empty.txt", None), (tmp_path / "white.png", None)):
        answer = run(["qr", "read", place], stdin)
        assert (answer.exit_code, "QR_NOT_FOUND" in answer.stderr) == (6, True)
    assert run(["qr", "show", tmp_path / "empty.txt"]).exit_code == 6
    assert run(["qr", "read", tmp_path / "absent.png"]).exit_code == 6


def test_pictures_without_their_library_are_exit_8(
    psbt_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png(matrix_of("A", 4), 4))
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    answer = run(["qr", "read", tmp_path / "a.png", "--json"])
    assert (answer.exit_code, answer.error["error"]) == (8, "COMPONENT_MISSING")
    assert run(["qr", "show", psbt_file]).exit_code == 0


def test_plain_payload_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.psbt").write_bytes(psbt_of(5).serialize())
    answer = run(["qr", "show", tmp_path / "large.psbt", "--dialect", "plain"])
    assert (answer.exit_code, "QR_TOO_LARGE" in answer.stderr) == (6, True)


def test_text_of_blocks_holds_every_frame(psbt_file: Path) -> None:
    for invert in ([], ["--invert"]):
        shown = run(["qr", "show", psbt_file, *invert])
        frames = block_frames(shown.stdout)
        ink = 255 if invert else 0
        read = [scan(screenshot(frame, ink=ink))[0].decode() for frame in frames]
        assert read == run_json(["qr", "show", psbt_file])["frames"]


def test_terminal_shows_codes_that_a_screenshot_yields(psbt_file: Path) -> None:
    code, written = run_on_terminal(["qr", "show", psbt_file, "--rounds", "1", "--fps", "30"], columns=100, lines=40)
    frames = block_frames(without_colours(written))
    pasted = "\n".join(scan(screenshot(frame))[0].decode() for frame in frames)
    assert code == 0
    assert (
        base64.b64decode(json.loads(run(["qr", "read", "-", "--json"], pasted).stdout)["content"])
        == psbt_file.read_bytes()
    )
    assert written.rstrip().splitlines()[-1].startswith("sha256 ")
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1


def test_enter_ends_the_show(psbt_file: Path) -> None:
    code, written = run_on_terminal(["qr", "show", psbt_file], columns=100, lines=40, typed=b"\n")
    assert code == 0
    assert "frames shown" in written


def test_small_terminal_says_what_it_needs(psbt_file: Path) -> None:
    for arguments in ([], ["--density", "30"]):
        code, written = run_on_terminal(["qr", "show", psbt_file, *arguments], columns=30, lines=10)
        assert code == 6
        assert "QR_TOO_LARGE" in written
    code, written = run_on_terminal(
        ["qr", "show", psbt_file, "--dialect", "plain", "--rounds", "1"], columns=80, lines=24
    )
    assert (code, "QR_TOO_LARGE" in written) == (6, True)


def test_frames_typed_at_a_terminal_end_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "d.txt").write_text(TestVault().descriptor_text)
    frames = run_json(["qr", "show", tmp_path / "d.txt", "--dialect", "bbqr", "--density", "8"])["frames"]
    typed = "".join(f"{frame}\n" for frame in frames).encode()
    code, written = run_on_terminal(
        ["qr", "read", "-", "-v", "-o", tmp_path / "o.txt"], columns=200, lines=40, typed=typed
    )
    assert code == 0, written
    assert f"frames read: {len(frames)} of {len(frames)}" in written
    assert (tmp_path / "o.txt").read_text().strip() == TestVault().descriptor_text
