"""QR codes seen from outside: an independent reader, pictures, videos, and a terminal's screen as a picture."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterable, Sequence
from pathlib import Path

import av
import zxingcpp
from PIL import Image, ImageFilter

from custody.bitcoin.psbt import Psbt
from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, TestVault

_MAIN = [sys.executable, "-c", "from custody_cli.app import main; main()"]
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_MODULES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}


def psbt_of(inputs: int) -> Psbt:
    """Return a 3-of-5 PSBT that spends so many coins."""
    coins = [Coin(0, index, 500_000 + index) for index in range(inputs)]
    return TestVault().payment(coins, [Pay(EXTERNAL_SCRIPT, 100_000), Change(0, 350_000 * inputs)]).psbt


def scan(picture: "Image.Image | Path | bytes") -> list[bytes]:
    """Return what zxing-cpp reads in a picture, without any code of ours."""
    if isinstance(picture, bytes):
        picture = Image.open(io.BytesIO(picture))
    elif isinstance(picture, Path):
        picture = Image.open(picture)
    # Among the modules of a large code a reader of all formats may see the bars of another kind.
    only_qr = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    return [code.bytes for code in zxingcpp.read_barcodes(picture.convert("L"), formats=only_qr)]


def blurred(picture: Image.Image, radius: float) -> Image.Image:
    """Return a picture out of focus."""
    return picture.filter(ImageFilter.GaussianBlur(radius))


def video(pictures: Iterable[Image.Image], *, side: int = 640) -> bytes:
    """Return a video (MPEG-4 in Matroska) that shows square pictures one after another."""
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = side
        stream.bit_rate = 8_000_000
        for picture in pictures:
            container.mux(stream.encode(_video_frame(picture.convert("L").resize((side, side)))))
        container.mux(stream.encode())
    return out.getvalue()


def _video_frame(picture: Image.Image) -> av.VideoFrame:
    frame = av.VideoFrame(picture.width, picture.height, "gray")
    plane, raw = frame.planes[0], picture.tobytes()
    rows = (raw[start : start + picture.width] for start in range(0, len(raw), picture.width))
    plane.update(b"".join(row.ljust(plane.line_size, b"\0") for row in rows))
    return frame.reformat(format="yuv420p")


def modules_of(lines: Sequence[str]) -> list[list[int]]:
    """Return the modules that half blocks show, ink as 1."""
    rows: list[list[int]] = []
    for line in lines:
        pairs = [_MODULES[character] for character in line]
        rows += [[upper for upper, _ in pairs], [lower for _, lower in pairs]]
    return rows


def screenshot(lines: Sequence[str], *, ink: int = 0, cell: tuple[int, int] = (8, 16)) -> Image.Image:
    """Return a picture of half blocks as a terminal draws them, `cell` pixels a character, ink in grey `ink`."""
    rows = modules_of(lines)
    small = Image.new("L", (len(rows[0]), len(rows)))
    small.putdata([ink if module else 255 - ink for row in rows for module in row])
    return small.resize((small.width * cell[0], small.height * cell[1] // 2), Image.Resampling.NEAREST)


def block_frames(text: str) -> list[list[str]]:
    """Return the codes in text that `qr show` printed, each as its lines of blocks."""
    frames: list[list[str]] = [[]]
    for line in text.splitlines():
        if line and set(line) <= set(_MODULES):
            frames[-1].append(line)
        elif frames[-1]:
            frames.append([])
    return [frame for frame in frames if frame]


def run_on_terminal(
    arguments: Sequence[str | Path], *, columns: int, lines: int, typed: bytes = b""
) -> tuple[int, str]:
    """Run `custody ARGUMENTS…` on a terminal of that size; return the exit code and everything written, unchanged."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [*_MAIN, *map(str, arguments)],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        env={**environment, "TERM": "xterm-256color"},
    ) as process:
        os.close(slave)
        if typed:
            os.write(master, typed)
        written = bytearray()
        try:
            while piece := os.read(master, 65_536):
                written += piece
        except OSError:
            pass  # Linux says so when the other side is closed
        code = process.wait()
    os.close(master)
    return code, written.decode()


def without_colours(text: str) -> str:
    """Return what a terminal was sent, without its control sequences."""
    return _ANSI.sub("", text)
