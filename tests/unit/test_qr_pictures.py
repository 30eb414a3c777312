"""QR codes drawn by us, read by others: room in a code, half blocks, PNG, GIF, page; and pictures that attack."""

import io
import re
import sys
import zlib
from itertools import pairwise
from typing import Any

import pytest
from PIL import Image, ImageSequence
from segno.consts import ERROR_LEVEL_L, SYMBOL_CAPACITY

from custody.errors import DeviceUnavailable, InvalidInput
from custody_hardware.qr_blocks import block_lines, version_that_fits
from custody_hardware.qr_matrix import MAX_VERSION, Matrix, matrix_of, room_of, size_of
from custody_hardware.qr_page import page
from custody_hardware.qr_pictures import gif, png
from custody_hardware.qr_reader import codes_in, is_picture, is_video
from custody_hardware.qr_show import one_version
from support.qr import modules_of, scan, screenshot, video

TEXT = "UR:CRYPTO-PSBT/1-9/" + "LPADASCFADAXCYWENBPLJKHDCAHKADAEMEJTSWHH" * 5


def silent(_number: int) -> None:
    """Be told of a frame."""


def codes(data: bytes) -> list[bytes]:
    return list(codes_in(data, silent))


def test_room_is_that_of_the_standard() -> None:
    capacity: Any = SYMBOL_CAPACITY
    for version in range(1, MAX_VERSION + 1):
        bits = capacity[version][ERROR_LEVEL_L]
        left = bits - 4 - (9 if version < 10 else 11 if version < 27 else 13)
        assert room_of(version) == left // 11 * 2 + (left % 11 >= 6)
        assert size_of(version) == 17 + 4 * version


@pytest.mark.parametrize("version", [1, 4, 12, 27, 40])
def test_code_holds_what_its_room_says_and_not_more(version: int) -> None:
    assert matrix_of("A" * room_of(version), version).size == size_of(version)
    with pytest.raises(InvalidInput) as caught:
        matrix_of("A" * (room_of(version) + 1), version)
    assert str(caught.value.code) == "QR_TOO_LARGE"


@pytest.mark.parametrize("text", [TEXT, "small letters, so bytes", "cHNidP8BAHUCAAAAASaBcTce3/KF6Tet7qSze3gADAVm=="])
def test_picture_is_read_by_another_reader(text: str) -> None:
    matrix = matrix_of(text, None)
    assert scan(png(matrix, 3)) == codes(png(matrix, 3)) == [text.encode()]


def test_frames_of_a_gif_are_read_by_another_reader() -> None:
    texts = [f"{TEXT}{number}" for number in range(4)]
    data = b"".join(gif([matrix_of(text, 12) for text in texts], 3, 4))
    picture = Image.open(io.BytesIO(data))
    assert [scan(frame) for frame in ImageSequence.Iterator(picture)] == [[text.encode()] for text in texts]
    assert (picture.info["duration"], picture.info["loop"]) == (250, 0)
    assert codes(data) == [text.encode() for text in texts]


@pytest.mark.parametrize("scale", [1, 2, 3, 7])
def test_gif_and_png_show_the_same_pixels(scale: int) -> None:
    for length in (1, 30, 700, 3_000):
        matrix = matrix_of(("A1$B" * length)[:length], None)
        drawn = [
            Image.open(io.BytesIO(data)).convert("1")
            for data in (b"".join(gif([matrix], scale, 4)), png(matrix, scale))
        ]
        assert drawn[0].tobytes() == drawn[1].tobytes()
        assert drawn[0].size == ((matrix.size + 8) * scale,) * 2


def test_gif_has_a_largest_size() -> None:
    with pytest.raises(InvalidInput):
        list(gif([matrix_of("A", 40)], 400, 4))


@pytest.mark.parametrize("ink_is_light", [False, True])
@pytest.mark.parametrize("version", [4, 5, 12])
def test_half_blocks_are_the_modules(version: int, ink_is_light: bool) -> None:
    matrix = matrix_of("A", version)
    rows = modules_of(block_lines(matrix, ink_is_light=ink_is_light, border=4))
    light = [[module ^ ink_is_light for module in row] for row in rows]
    assert [bytes(row) for row in light[: matrix.size + 8]] == list(matrix.framed(4))
    assert not any(light[-1])


@pytest.mark.parametrize("cell", [(8, 16), (9, 18), (7, 15), (10, 22)])
def test_screenshot_of_half_blocks_is_read_by_another_reader(cell: tuple[int, int]) -> None:
    matrix = matrix_of(TEXT, 12)
    assert scan(screenshot(block_lines(matrix), cell=cell)) == [TEXT.encode()]
    assert scan(screenshot(block_lines(matrix, ink_is_light=True), ink=255, cell=cell)) == [TEXT.encode()]


def test_screen_decides_the_version() -> None:
    assert version_that_fits(80, 24, 3, 40) == 6
    assert version_that_fits(200, 60, 3, 40) == 24
    assert version_that_fits(10, 10, 3, 40) == 3
    assert all(
        version_that_fits(300, low, 3, 40) <= version_that_fits(300, high, 3, 40) for low, high in pairwise(range(99))
    )


def test_frames_share_the_smallest_version_that_holds_all() -> None:
    assert one_version(["A"]) is None
    assert one_version(["A", "A" * 335]) == 9
    assert one_version(["A", "A" * 336]) == 10


def test_page_loads_nothing_and_holds_every_module() -> None:
    matrices = [matrix_of(TEXT, 12), matrix_of(TEXT + "X", 12)]
    text = page(matrices, title="<b>pay\x1b[0m.psbt", digest="ab" * 32, frames_per_second=5)
    assert "default-src 'none'" in text
    assert "<b>" not in text and "\x1b" not in text and "&lt;b&gt;pay" in text
    assert not re.search(r"(?:src|href)\s*=|url\(|import|fetch|https?:", text)
    frames = re.findall(r'"([0-9a-f ]{100,})"', text)
    assert [_matrix_of_hex(frame) for frame in frames] == matrices
    assert "ab" * 32 in text


def _matrix_of_hex(frame: str) -> Matrix:
    rows = frame.split(" ")
    bits = ["".join(f"{int(digit, 16):04b}" for digit in row)[: len(rows)] for row in rows]
    return Matrix(tuple(bytes(map(int, row)) for row in bits))


def test_video_is_read_frame_by_frame() -> None:
    texts = [f"FRAME {number} {'X' * 100}" for number in range(5)]
    data = video(Image.open(io.BytesIO(png(matrix_of(text, 8), 6))) for text in texts)
    seen: list[int] = []
    assert list(codes_in(data, seen.append)) == [text.encode() for text in texts]
    assert seen == [1, 2, 3, 4, 5]


def test_video_of_an_odd_width_is_read() -> None:
    data = video([Image.open(io.BytesIO(png(matrix_of("HELLO", 4), 6)))] * 2, side=342)
    assert codes(data) == [b"HELLO"] * 2


def test_transparent_picture_stands_on_white_paper() -> None:
    drawn = Image.open(io.BytesIO(png(matrix_of("HELLO", 4), 4))).convert("L")
    clear = Image.new("RGBA", drawn.size, (0, 0, 0, 0))
    clear.putalpha(drawn.point(lambda grey: 255 - grey))
    out = io.BytesIO()
    clear.save(out, "PNG")
    assert codes(out.getvalue()) == [b"HELLO"]


def test_kinds_are_told_by_their_first_bytes() -> None:
    drawn = Image.open(io.BytesIO(png(matrix_of("HELLO", 4), 4))).convert("L")
    for kind in ("PNG", "GIF", "JPEG", "BMP", "WEBP"):
        out = io.BytesIO()
        drawn.save(out, kind)
        assert is_picture(out.getvalue()) and not is_video(out.getvalue())
        assert codes(out.getvalue()) == [b"HELLO"]
    assert not is_picture(b"ur:bytes/") and not is_video(b"B$HP0100")


def _png_of_size(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((1, 0, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (_png_of_size(10_000, 10_000), "QR_TOO_LARGE"),
        (_png_of_size(100_000, 100_000), "QR_MALFORMED"),
        (_png_of_size(100, 100), "QR_MALFORMED"),
        (b"\x89PNG\r\n\x1a\n" + b"junk" * 9, "QR_MALFORMED"),
        (b"GIF89a" + b"\xff" * 50, "QR_MALFORMED"),
        (b"\xff\xd8\xff\xe0junk", "QR_MALFORMED"),
        (b"\x1aE\xdf\xa3junk", "QR_MALFORMED"),
        (b"\0\0\0\x18ftypmp42" + b"\0" * 50, "QR_MALFORMED"),
        (b"RIFF\0\0\0\0AVI junk", "QR_MALFORMED"),
    ],
)
def test_picture_that_attacks_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        codes(data)
    assert str(caught.value.code) == code


@pytest.mark.parametrize(("library", "said"), [("PIL", "Pillow"), ("zxingcpp", "zxing-cpp"), ("av", "PyAV")])
def test_missing_library_says_what_to_install(library: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(matrix_of("HELLO", 4), 4) if library != "av" else b"\x1aE\xdf\xa3junk"
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(DeviceUnavailable, match=said) as caught:
        codes(data)
    assert "reserve-custody[camera]" in caught.value.advice
