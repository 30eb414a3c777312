"""QR codes that attack, through the command line: mixed frames, fountains without end, bombs, secrets.

Each attack starts from frames that are read when nobody touched them, and changes one thing.
"""

import base64
import time
import zlib
from pathlib import Path

import pytest

from custody.documents.qr.bytewords import bytewords_encode
from custody.documents.qr.cbor import CborValue, Tagged, cbor_encode
from custody_hardware.qr_matrix import matrix_of
from custody_hardware.qr_pictures import gif, png
from support.cli import run, run_json
from support.psbt_builder import EXTERNAL_SCRIPT, Coin, Pay, TestVault
from support.qr import psbt_of

SECONDS = 20
"""Far more than any of these takes; a machine under load must not fail."""


def shown(path: Path, dialect: str) -> list[str]:
    frames: list[str] = run_json(["qr", "show", path, "--dialect", dialect])["frames"]
    return frames


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Two payments: the approved one, and one of the same shape to somebody else."""
    other = TestVault().payment([Coin(0, 0, 500_000)], [Pay(EXTERNAL_SCRIPT, 450_000)])
    ours, theirs = tmp_path / "ours.psbt", tmp_path / "theirs.psbt"
    ours.write_bytes(psbt_of(1).serialize())
    theirs.write_bytes(other.psbt.serialize())
    return ours, theirs


def assert_refused(frames: list[str], code: str, tmp_path: Path) -> None:
    out = tmp_path / "out.psbt"
    answer = run(["qr", "read", "-", "-o", out, "--json"], "\n".join(frames))
    assert (answer.exit_code, answer.error["error"]) == (6, code)
    assert answer.stdout == ""
    assert not out.exists()


def assert_read(frames: list[str]) -> None:
    assert run_json(["qr", "read", "-"], "\n".join(frames))["kind"] == "psbt"


@pytest.mark.parametrize("dialect", ["ur", "ur-psbt", "bbqr", "bbqr-hex", "bbqr-base32"])
def test_a73_frames_of_two_payloads_are_refused(dialect: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    ours, theirs = shown(files[0], dialect), shown(files[1], dialect)
    assert_read(ours)
    assert_read(theirs)
    assert_refused([*ours[:2], *theirs[2:]], "QR_MIXED", tmp_path)
    assert_refused([*ours, theirs[0]], "QR_MIXED", tmp_path)


def test_a73_frames_of_two_dialects_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    assert_refused([*shown(files[0], "ur"), *shown(files[0], "bbqr")], "QR_MIXED", tmp_path)
    assert_refused([*shown(files[0], "bbqr")[:1], *shown(files[0], "ur")], "QR_MIXED", tmp_path)


def test_a73_same_place_with_other_content_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    frames = shown(files[0], "bbqr-hex")
    forged = frames[1][:-2] + ("00" if frames[1][-2:] != "00" else "01")
    assert_refused([*frames, forged], "QR_MIXED", tmp_path)


@pytest.mark.parametrize("place", [2, 3, 5])
def test_a73_header_that_differs_in_one_place_is_refused(place: int, files: tuple[Path, Path], tmp_path: Path) -> None:
    frames = shown(files[0], "bbqr-base32")
    other = {2: "Z", 3: "T", 5: chr(ord(frames[1][5]) + 1)}[place]
    assert_refused([frames[0], frames[1][:place] + other + frames[1][place + 1 :]], "QR_MIXED", tmp_path)


@pytest.mark.parametrize("letter", ["T", "J", "U"])
def test_a73_wrong_type_letter_on_every_frame_is_refused(letter: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    frames = shown(files[0], "bbqr")
    assert_refused([frame[:3] + letter + frame[4:] for frame in frames], "QR_MIXED", tmp_path)


def test_a73_wrong_type_of_a_ur_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    frames = shown(files[0], "ur")
    assert_refused([frames[0], frames[1].replace("CRYPTO-PSBT", "BYTES")], "QR_MIXED", tmp_path)


def test_a73_forged_part_under_the_genuine_header_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    frames = shown(files[0], "ur")
    head = frames[0].lower().split("/")[1]
    message = cbor_encode(files[0].read_bytes())
    length = -(-len(message) // int(head.split("-")[1]))
    body = (1, int(head.split("-")[1]), len(message), zlib.crc32(message), bytes(length))
    forged = f"ur:crypto-psbt/{head}/{bytewords_encode(cbor_encode(body))}"
    assert_refused([*frames[:3], forged], "QR_MIXED", tmp_path)
    assert_refused([forged, *frames[1:]], "QR_MIXED", tmp_path)


def test_a73_pictures_and_videos_of_two_payloads_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    ours, theirs = shown(files[0], "ur"), shown(files[1], "ur")
    drawn = [matrix_of(frame, 12) for frame in (*ours, theirs[0])]
    (tmp_path / "mixed.gif").write_bytes(b"".join(gif(drawn, 3, 4)))
    answer = run(["qr", "read", tmp_path / "mixed.gif", "--json"])
    assert (answer.exit_code, answer.error["error"]) == (6, "QR_MIXED")
    for number, matrix in enumerate((drawn[0], drawn[-1])):
        (tmp_path / f"{number}.png").write_bytes(png(matrix, 3))
    answer = run(["qr", "read", tmp_path / "0.png", tmp_path / "1.png", "--json"])
    assert (answer.exit_code, answer.error["error"]) == (6, "QR_MIXED")


def ur_part(seq_num: int, seq_len: int, message_len: int, data: bytes) -> str:
    body = cbor_encode((seq_num, seq_len, message_len, 0x01020304, data))
    return f"ur:bytes/{seq_num}-{seq_len}/{bytewords_encode(body)}"


@pytest.mark.parametrize(
    "frame",
    [
        ur_part(1, 1_000_000, 10_000_000, b"x" * 10),
        ur_part(7_000_000, 1_000_000, 10_000_000, b"x" * 10),
        ur_part(1, 4_294_967_295, 4_294_967_295, b"x"),
        ur_part(1, 5_001, 5_001, b"x"),
        ur_part(1, 2, 1 << 62, b"x"),
        ur_part(1, 1, 16_000_001, b"x" * 10),
    ],
)
def test_a74_declared_size_is_bounded_before_anything_is_built(frame: str, tmp_path: Path) -> None:
    started = time.monotonic()
    assert_refused([frame], "QR_TOO_LARGE", tmp_path)
    assert time.monotonic() - started < SECONDS


def test_a74_number_of_fragments_that_the_length_contradicts_is_refused(tmp_path: Path) -> None:
    assert_refused([ur_part(1, 5_000, 100, b"x" * 10)], "QR_MALFORMED", tmp_path)


def test_a74_dense_mixtures_at_the_limit_stay_quick(tmp_path: Path) -> None:
    started = time.monotonic()
    frames = [ur_part(number, 5_000, 5_000, bytes([number % 256])) for number in range(4_000_000, 4_000_300)]
    answer = run(["qr", "read", "-", "--json"], "\n".join(frames))
    assert answer.exit_code in (5, 6)
    assert time.monotonic() - started < SECONDS


def test_a74_numbers_beyond_the_first_round_are_accepted(files: tuple[Path, Path]) -> None:
    frames = shown(files[0], "ur")
    first_round = int(frames[0].split("/")[1].split("-")[1])
    assert len(frames) > first_round
    assert_read([*frames[first_round // 2 :]])


def test_a74_declared_cbor_length_is_compared_with_what_is_there(tmp_path: Path) -> None:
    for raw in ("9bffffffffffffffff", "5b00000000ffffffff", "bb00000000ffffffff", "9a7fffffff"):
        assert_refused([f"ur:crypto-output/{bytewords_encode(bytes.fromhex(raw))}"], "QR_MALFORMED", tmp_path)
    nested = bytewords_encode(bytes([0x81]) * 5_000)
    assert_refused([f"ur:crypto-output/{nested}"], "QR_MALFORMED", tmp_path)


def bomb(length: int) -> str:
    compressor = zlib.compressobj(9, wbits=-10)
    packed = compressor.compress(bytes(length)) + compressor.flush()
    return "B$ZP0100" + base64.b32encode(packed).decode().rstrip("=")


@pytest.mark.parametrize("length", [200_000, 2_000_000, 5_000_000])
def test_a75_bomb_in_one_frame_is_refused(length: int, tmp_path: Path) -> None:
    frame = bomb(length)
    assert len(frame) < 10_000
    assert_refused([frame], "QR_TOO_LARGE", tmp_path)


def test_a75_bomb_over_many_frames_is_refused(tmp_path: Path) -> None:
    packed = bomb(200_000_000)[8:]
    size = 4_000
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    two = [digits[number // 36] + digits[number % 36] for number in range(len(pieces) + 1)]
    frames = [f"B$ZP{two[len(pieces)]}{two[number]}{piece}" for number, piece in enumerate(pieces)]
    started = time.monotonic()
    assert_refused(frames, "QR_TOO_LARGE", tmp_path)
    assert time.monotonic() - started < SECONDS


def test_a75_picture_that_unpacks_too_far_is_refused(tmp_path: Path) -> None:
    head = (20_000).to_bytes(4, "big") * 2 + bytes((1, 0, 0, 0, 0))
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(50_020_000), 9)), (b"IEND", b""))
    body = b"".join(
        len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")
        for kind, content in chunks
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    answer = run(["qr", "read", tmp_path / "bomb.png", "--json"])
    assert (answer.exit_code, answer.error["error"]) in ((6, "QR_TOO_LARGE"), (6, "QR_MALFORMED"))


def test_a90_private_hdkey_in_a_code_is_refused_without_echo(tmp_path: Path) -> None:
    private: dict[int | str, CborValue] = {2: True, 3: b"\0" + bytes(range(32)), 4: bytes(range(32))}
    output = Tagged(401, Tagged(407, {1: 1, 2: (Tagged(303, private),)}))
    values: dict[str, CborValue] = {"crypto-hdkey": private, "hdkey": private, "crypto-output": output}
    for ur_type, value in values.items():
        frame = f"ur:{ur_type}/{bytewords_encode(cbor_encode(value))}"
        assert_refused([frame], "SECRET_MATERIAL", tmp_path)
        (tmp_path / "code.png").write_bytes(png(matrix_of(frame.upper(), None), 3))
        answer = run(["qr", "read", tmp_path / "code.png"])
        assert (answer.exit_code, frame[-20:] in answer.stdout + answer.stderr) == (6, False)


@pytest.mark.parametrize("kind", ["crypto-seed", "seed", "crypto-bip39", "crypto-sskr", "eckey"])
def test_a90_seed_in_several_frames_is_refused_at_the_first(kind: str, tmp_path: Path) -> None:
    frame = ur_part(1, 3, 30, b"x" * 10).replace("bytes", kind)
    answer = run(["qr", "read", "-", "--json"], frame)
    assert (answer.exit_code, answer.error["error"]) == (6, "SECRET_MATERIAL")
    assert frame[-20:] not in answer.stderr


def test_a90_compact_seed_code_is_refused(tmp_path: Path) -> None:
    import segno

    segno.make(bytes(range(160, 192)), mode="byte", error="l", micro=False).save(str(tmp_path / "s.png"), scale=4)
    answer = run(["qr", "read", tmp_path / "s.png", "--json"])
    assert (answer.exit_code, answer.error["error"]) == (6, "SECRET_MATERIAL")
