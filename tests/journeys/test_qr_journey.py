"""A 3-of-5 PSBT of 40 inputs goes by QR codes: drawn by us, decoded by zxing-cpp, filmed badly, and back again."""

import base64
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from support.cli import run, run_json
from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, TestVault
from support.qr import block_frames, blurred, psbt_of, run_on_terminal, scan, screenshot, video, without_colours

INPUTS = 40


@pytest.fixture(scope="module")
def psbt_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("qr") / "payment.psbt"
    path.write_bytes(psbt_of(INPUTS).serialize())
    return path


@pytest.fixture(scope="module", params=["ur", "bbqr"])
def pictures(request: pytest.FixtureRequest, psbt_file: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The frames as pictures, in one dialect after the other."""
    folder = tmp_path_factory.mktemp("pictures") / request.param
    density = 25 if request.param == "ur" else 30
    answer = run_json(
        ["qr", "show", psbt_file, "--dialect", request.param, "--density", density, "--scale", 4, "--png", folder]
    )
    return [Path(name) for name in answer["files"]]


def test_independent_reader_gets_the_psbt_from_the_pictures(pictures: list[Path], psbt_file: Path) -> None:
    contents = [scan(picture) for picture in pictures]
    assert all(len(found) == 1 for found in contents)
    pasted = b"\n".join(found[0] for found in contents)
    answer = run_json(["qr", "read", "-"], pasted.decode())
    assert base64.b64decode(answer["content"]) == psbt_file.read_bytes()


def test_pictures_in_any_order_are_read_by_the_command(pictures: list[Path], psbt_file: Path, tmp_path: Path) -> None:
    shuffled = list(pictures)
    random.Random(1).shuffle(shuffled)  # noqa: S311 (a camera, not a key)
    out = tmp_path / "back.psbt"
    assert run(["qr", "read", *shuffled, *shuffled[:5], "-o", out]).exit_code == 0
    assert out.read_bytes() == psbt_file.read_bytes()


def filmed(pictures: list[Path], chance: random.Random, *, dropped: float) -> Iterator[Image.Image]:
    """Yield what a bad camera sees: some frames never, some twice, some out of focus, all a little turned, no order."""
    seen = [picture for picture in pictures if chance.random() >= dropped]
    seen += chance.choices(seen, k=len(seen) // 4)
    chance.shuffle(seen)
    for picture in seen:
        drawn = Image.open(picture).convert("L")
        yield blurred(drawn, 8).rotate(2, fillcolor=255)  # between two frames nothing can be read
        yield blurred(drawn, chance.uniform(0, 1.2)).rotate(chance.uniform(-4, 4), fillcolor=220, expand=True)


def test_video_with_dropped_repeated_blurred_and_shuffled_frames(
    pictures: list[Path], psbt_file: Path, tmp_path: Path
) -> None:
    is_fountain = "UR" in scan(pictures[0])[0].decode()[:2]
    film = tmp_path / "film.mkv"
    chance = random.Random(2)  # noqa: S311 (a camera, not a key)
    film.write_bytes(video(filmed(pictures, chance, dropped=0.2 if is_fountain else 0), side=900))
    answer = run_json(["qr", "read", film])
    assert base64.b64decode(answer["content"]) == psbt_file.read_bytes()


def test_video_that_misses_too_much_says_how_much(pictures: list[Path], tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    chance = random.Random(3)  # noqa: S311 (a camera, not a key)
    film.write_bytes(video(filmed(pictures[: len(pictures) // 3], chance, dropped=0), side=900))
    answer = run(["qr", "read", film, "--json"])
    assert (answer.exit_code, answer.error["error"]) == (5, "QR_INCOMPLETE")
    details = answer.error["details"]
    assert details["known"] == len(pictures) // 3
    assert details["missing"] == details["needed"] - details["known"] > 0


def test_terminal_is_scanned_from_screenshots(psbt_file: Path) -> None:
    code, written = run_on_terminal(["qr", "show", psbt_file, "--rounds", "1", "--fps", "30"], columns=140, lines=60)
    frames = block_frames(without_colours(written))
    contents = [scan(screenshot(frame, cell=(6, 12)))[0].decode() for frame in frames]
    assert code == 0
    assert max(map(len, frames[0])) <= 140
    assert base64.b64decode(run_json(["qr", "read", "-"], "\n".join(contents))["content"]) == psbt_file.read_bytes()


def test_signature_comes_back_by_qr_and_counts(tmp_path: Path) -> None:
    vault = TestVault()
    payment = vault.payment([Coin(0, 1, 500_000)], [Pay(EXTERNAL_SCRIPT, 100_000), Change(0, 399_000)])
    (tmp_path / "payment.psbt").write_bytes(payment.psbt.serialize())
    names = ("ann", "bo", "cy", "dot", "eve")
    keys = [f"--cosigner={name}={vault.key_expression(at).to_text(vault.network)}" for at, name in enumerate(names)]
    terms = ("--name", "reserve", "--network", "regtest", "--threshold", 3)
    assert run(["vault", "create", tmp_path / "reserve", *terms, *keys]).exit_code == 0
    for number in range(3):
        (tmp_path / f"{number}.psbt").write_bytes(payment.signed(number).serialize())
        frames = run_json(["qr", "show", tmp_path / f"{number}.psbt", "--dialect", ("ur", "bbqr", "ur-psbt")[number]])
        back = run(["qr", "read", "-", "-o", tmp_path / f"back-{number}.psbt"], "\n".join(frames["frames"]))
        assert back.exit_code == 0
        assert re.search(r"custody psbt review \S+", back.stdout)
    back_files = [tmp_path / f"back-{number}.psbt" for number in range(3)]
    own = ("--vault-file", tmp_path / "reserve" / "vault.yaml")
    combined = run_json(["psbt", "combine", tmp_path / "payment.psbt", *back_files, *own])
    assert combined["signing"]["missing"] == 0
