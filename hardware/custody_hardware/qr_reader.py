"""Finds QR codes in pictures and videos. The libraries that do it are optional and imported here alone.

zxing-cpp finds the codes, Pillow opens pictures (PNG, GIF, JPEG, BMP, WebP), PyAV opens videos. Sizes are
bounded before pixels are unpacked. What is found is a claim like any other input: no code is trusted because
it was read well. Nothing of a picture is kept, its metadata included.
"""

import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from custody.codes import Code
from custody.errors import DeviceUnavailable, InvalidInput
from custody_hardware.qr_camera import CameraFrame

if TYPE_CHECKING:
    from av import VideoFrame
    from PIL.Image import Image

MAX_PIXELS = 50_000_000
"""Of one picture; a large scan has 35 million."""
MAX_PICTURES = 20_000
"""Frames of one GIF or video."""

_PICTURES = (b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"\xff\xd8\xff", b"BM")
_PICTURE_FORMATS = ("PNG", "GIF", "JPEG", "BMP", "WEBP")
_WEBP, _AVI, _MATROSKA = b"WEBP", b"AVI ", b"\x1aE\xdf\xa3"

Seen = Callable[[int], None]
"""Told the number of each frame of a video."""


def is_picture(data: bytes) -> bool:
    """Whether `data` begins like a picture that can be opened."""
    return data.startswith(_PICTURES) or (data.startswith(b"RIFF") and data[8:12] == _WEBP)


def is_video(data: bytes) -> bool:
    """Whether `data` begins like a video: MP4, QuickTime, Matroska, WebM or AVI."""
    return data[4:8] == b"ftyp" or data.startswith(_MATROSKA) or (data.startswith(b"RIFF") and data[8:12] == _AVI)


def codes_in(data: bytes, seen: Seen) -> Iterator[bytes]:
    """Yield the content of every QR code in a picture or video, in the order in which they appear.

    Raises:
        DeviceUnavailable: COMPONENT_MISSING: a library that this needs is not installed.
        InvalidInput: QR_MALFORMED: it can't be opened; QR_TOO_LARGE.
    """
    return _codes_in_video(data, seen) if is_video(data) else _codes_in_picture(data, seen)


def codes_in_frames(frames: Iterable[CameraFrame], seen: Seen) -> Iterator[bytes]:
    """Yield the content of every QR code in a camera's pictures; a damaged picture is passed over.

    Raises:
        DeviceUnavailable: COMPONENT_MISSING, or what the camera ends with.
    """
    for number, frame in enumerate(frames, start=1):
        seen(number)
        if not frame.is_jpeg:
            yield from _codes_of(memoryview(frame.data).cast("B", (frame.height, frame.width)))
            continue
        with suppress(InvalidInput):
            yield from list(_codes_in_picture(frame.data, _unseen))


def _unseen(_number: int) -> None:
    """Tell nobody."""


def _codes_in_picture(data: bytes, seen: Seen) -> Iterator[bytes]:
    try:
        from PIL import Image, ImageSequence, UnidentifiedImageError
    except ImportError as error:
        raise _missing("Pillow") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is lower
            picture = Image.open(io.BytesIO(data), formats=_PICTURE_FORMATS)
        _require_small(picture.width, picture.height)
        for number, frame in enumerate(ImageSequence.Iterator(picture), start=1):
            _require_few(number)
            seen(number)
            yield from _codes_of(_on_white(frame))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError, EOFError) as error:
        raise _damaged() from error


def _on_white(frame: "Image") -> "Image":
    """Return a frame in grey, what is transparent as white paper."""
    from PIL import Image

    if not frame.has_transparency_data:
        return frame.convert("L")
    paper = Image.new("RGBA", frame.size, "white")
    paper.alpha_composite(frame.convert("RGBA"))
    return paper.convert("L")


def _codes_in_video(data: bytes, seen: Seen) -> Iterator[bytes]:
    try:
        import av
    except ImportError as error:
        raise _missing("PyAV") from error
    try:
        with av.open(io.BytesIO(data), mode="r", format=_demuxer(data), metadata_errors="ignore") as container:
            if not container.streams.video:
                raise _damaged()
            for number, frame in enumerate(container.decode(container.streams.video[0]), start=1):
                _require_few(number)
                _require_small(frame.width, frame.height)
                seen(number)
                yield from _codes_of(_grey(frame))
    except av.FFmpegError as error:
        raise _damaged() from error


def _demuxer(data: bytes) -> str:
    """Return the one demuxer to use: left to guess, FFmpeg could take the file for a list of other files to open."""
    if data.startswith(_MATROSKA):
        return "matroska"
    return "avi" if data.startswith(b"RIFF") else "mov"


def _grey(frame: "VideoFrame") -> memoryview:
    """Return a frame as rows of one byte a pixel, without the filling that its plane may have after each row."""
    plane = frame.reformat(format="gray").planes[0]
    raw, filled = bytes(plane), plane.line_size
    if filled != frame.width:
        raw = b"".join(raw[start : start + frame.width] for start in range(0, filled * frame.height, filled))
    return memoryview(raw).cast("B", (frame.height, frame.width))


def _codes_of(image: object) -> Iterator[bytes]:
    try:
        import zxingcpp
    except ImportError as error:
        raise _missing("zxing-cpp") from error
    for code in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])):
        yield code.bytes


def _require_small(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InvalidInput(
            Code.QR_TOO_LARGE,
            f"a picture has {width} by {height} pixels, at most {MAX_PIXELS} in all are opened",
            advice="Make the picture smaller, or cut out the code.",
        )


def _require_few(number: int) -> None:
    if number > MAX_PICTURES:
        raise InvalidInput(
            Code.QR_TOO_LARGE,
            f"the file has more than {MAX_PICTURES} frames",
            advice="Cut the part out that shows the codes.",
        )


def _damaged() -> InvalidInput:
    return InvalidInput(
        Code.QR_MALFORMED, "the picture or video can't be opened", advice="Take it again, or save it as PNG."
    )


def _missing(library: str) -> DeviceUnavailable:
    return DeviceUnavailable(
        Code.COMPONENT_MISSING,
        f"{library} is not installed, which reads QR codes from pictures and videos",
        advice="Install the extra: `pip install 'reserve-custody[camera]'`; or paste the frames as text.",
    )
