"""Where frames of QR codes come from: a camera, pictures, videos, text files, lines typed or pasted on stdin.

Lines that are frames go to the joiner, which refuses the types of secrets by their name; the joined payload
passes the secret gate as a whole. A text without any frame is one plain payload.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from custody import atomic
from custody.codes import Code
from custody.documents.qr.joiner import Joiner
from custody.errors import InvalidInput
from custody_cli.options import STDIO
from custody_cli.session import Session
from custody_hardware.qr_camera import Kernel, camera_frames
from custody_hardware.qr_reader import codes_in, codes_in_frames, is_picture, is_video

_MAX_FILE = 512_000_000
"""Bytes of a video of some minutes."""
_MAX_TEXT = 64_000_000


def join_sources(places: Iterable[str], session: Session) -> Joiner:
    """Return what all `places` together hold.

    Raises:
        InvalidInput: QR_NOT_FOUND, what a frame is refused for, or a file that can't be read.
        DeviceUnavailable: COMPONENT_MISSING.
    """
    joiner = Joiner()
    for place in places:
        for frame in _frames_at(place, session):
            before = joiner.progress
            progress = joiner.add(frame)
            if progress != before:
                session.progress("frames read", progress.known, progress.needed)
            if place == STDIO and progress.is_complete and _is_typed():
                break  # a person at the keyboard is not asked for the end of the input
    return joiner


def join_camera(device: str, session: Session, kernel: Kernel) -> Joiner:
    """Return what the camera at `device` sees until one payload is complete.

    Raises:
        InvalidInput: what a frame is refused for.
        DeviceUnavailable: the camera or a library is not there.
    """
    joiner = Joiner()
    session.talk("hold the codes before the camera; Ctrl-C ends it")
    with closing(camera_frames(device, kernel)) as frames:
        for code in codes_in_frames(frames, lambda number: session.progress("pictures looked at", number, 0)):
            before = joiner.progress
            progress = joiner.add(code)
            if progress != before:
                session.talk(f"{progress.known} of {progress.needed} frames")
            if progress.is_complete:
                break
    return joiner


def _frames_at(place: str, session: Session) -> Iterator[str | bytes]:
    if place == STDIO and _is_typed():
        session.talk("paste the frames, one a line; all of them, in any order")
        return _frames_in_lines(iter(sys.stdin.readline, ""))
    data = _read(place)
    if is_picture(data) or is_video(data):
        return _found(codes_in(data, lambda number: session.progress("pictures looked at", number, 0)), place)
    return _frames_in_text(data, place)


def _read(place: str) -> bytes:
    if place != STDIO:
        return atomic.read_file(Path(place), max_bytes=_MAX_FILE)
    data = sys.stdin.buffer.read(_MAX_FILE + 1)
    if len(data) > _MAX_FILE:
        raise _too_large()
    return data


def _is_typed() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _found(codes: Iterator[bytes], place: str) -> Iterator[bytes]:
    count = 0
    for code in codes:
        count += 1
        yield code
    if not count:
        raise _nothing(f"no QR code is in `{place}`")


def _frames_in_text(data: bytes, place: str) -> Iterator[str | bytes]:
    """Return a text's frames, or a text without frames as a whole."""
    if len(data) > _MAX_TEXT:
        raise _too_large()
    lines = [line.strip() for line in data.splitlines() if line.strip()] if data.isascii() else []
    if any(_is_frame(line) for line in lines):
        return iter(lines)
    if not data.strip():
        raise _nothing(f"`{place}` is empty")
    return iter((data,))


def _frames_in_lines(lines: Iterator[str]) -> Iterator[str | bytes]:
    return (line for line in lines if line.strip())


def _is_frame(line: bytes) -> bool:
    return line[:3].lower() == b"ur:" or line.startswith(b"B$")


def _nothing(message: str) -> InvalidInput:
    return InvalidInput(
        Code.QR_NOT_FOUND, message, advice="Show the code larger and sharp, with its white margin, without reflections."
    )


def _too_large() -> InvalidInput:
    return InvalidInput(
        Code.FILE_TOO_LARGE, "there is more to read than any payload needs", advice="Cut out the part with the codes."
    )
