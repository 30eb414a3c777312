"""Pictures from a camera, through Linux's own interface (V4L2), without a library.

Source: linux/videodev2.h; the numbers are those of 64-bit Linux and carry the size of what is passed, which a
test compares. The camera writes into memory that it shares with us; each picture is copied before it is looked
at. Other systems have no camera here: film with something else and give the file.
"""

import errno
import fcntl
import mmap
import os
import select
import struct
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from custody.codes import Code
from custody.errors import DeviceUnavailable

QUERY_CAPABILITIES, SET_FORMAT, REQUEST_BUFFERS = 0x80685600, 0xC0D05605, 0xC0145608
QUERY_BUFFER, QUEUE_BUFFER, DEQUEUE_BUFFER = 0xC0585609, 0xC058560F, 0xC0585611
STREAM_ON, STREAM_OFF = 0x40045612, 0x40045613

_CAPTURE = 1
"""V4L2_BUF_TYPE_VIDEO_CAPTURE, and the bit of that capability."""
_STREAMING, _PER_DEVICE, _DAMAGED = 0x04000000, 0x80000000, 0x40
_BUFFERS = 4
_WIDTH, _HEIGHT = 1280, 720
_MAX_SIDE, _MAX_BUFFER = 8_192, 64_000_000
_PATIENCE_S = 10


class PixelFormat(IntEnum):
    """What a camera may deliver, in our order of preference; the code is four letters."""

    MJPEG = 0x47504A4D
    YUYV = 0x56595559
    GREY = 0x59455247
    NV12 = 0x3231564E
    YUV420 = 0x32315559


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """One picture."""

    width: int
    height: int
    data: bytes
    """A JPEG, or one byte of brightness a pixel."""
    is_jpeg: bool


class Kernel(Protocol):
    """What the operating system does for a camera; tests bring another."""

    def open(self, path: str) -> int:
        """Open the device and return its descriptor."""

    def close(self, device: int) -> None:
        """Close the device."""

    def ask(self, device: int, request: int, argument: bytearray) -> None:
        """Make a request, which may change `argument`."""

    def share(self, device: int, length: int, offset: int) -> "mmap.mmap | bytearray":
        """Return the memory that the camera writes a picture into."""

    def wait(self, device: int, seconds: float) -> bool:
        """Wait until a picture is there; whether one is."""


class LinuxKernel:
    """The kernel that this program runs on."""

    def open(self, path: str) -> int:
        """Open the device without waiting for it."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def close(self, device: int) -> None:
        """Close the device."""
        os.close(device)

    def ask(self, device: int, request: int, argument: bytearray) -> None:
        """Make an ioctl."""
        fcntl.ioctl(device, request, argument, True)

    def share(self, device: int, length: int, offset: int) -> mmap.mmap:
        """Map the camera's memory."""
        return mmap.mmap(device, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset)

    def wait(self, device: int, seconds: float) -> bool:
        """Wait for the descriptor to become readable."""
        return bool(select.select([device], [], [], seconds)[0])


def camera_frames(path: str, kernel: Kernel) -> Generator[CameraFrame, None, None]:
    """Yield pictures of the camera at `path` (such as `/dev/video0`) for as long as they are wanted.

    Raises:
        DeviceUnavailable: DEVICE_ABSENT (not there, no camera, unplugged, no picture in ten seconds),
            DEVICE_REFUSED (no permission, in use).
    """
    try:
        device = kernel.open(path)
    except OSError as error:
        raise _unavailable(error, path) from error
    try:
        yield from _stream(device, path, kernel)
    except OSError as error:
        raise _unavailable(error, path) from error
    finally:
        with suppress(OSError):
            kernel.ask(device, STREAM_OFF, bytearray(struct.pack("=I", _CAPTURE)))
        kernel.close(device)


def _stream(device: int, path: str, kernel: Kernel) -> Iterator[CameraFrame]:
    _require_camera(device, path, kernel)
    pixel_format, width, height, stride = _choose_format(device, path, kernel)
    memories = _share_buffers(device, path, kernel)
    kernel.ask(device, STREAM_ON, bytearray(struct.pack("=I", _CAPTURE)))
    while True:
        if not kernel.wait(device, _PATIENCE_S):
            raise _absent(f"`{path}` sends no picture", "Unplug the camera and plug it in again.")
        buffer = _buffer(0)
        kernel.ask(device, DEQUEUE_BUFFER, buffer)
        index, _, used, flags = struct.unpack_from("=IIII", buffer)
        if index >= len(memories):
            raise _absent(f"`{path}` names a picture that it never shared", "Use another camera.")
        raw = bytes(memories[index][: min(used, len(memories[index]))])
        kernel.ask(device, QUEUE_BUFFER, _buffer(index))
        frame = None if flags & _DAMAGED else _frame(raw, pixel_format, width, height, stride)
        if frame is not None:
            yield frame


def _require_camera(device: int, path: str, kernel: Kernel) -> None:
    answer = bytearray(104)
    kernel.ask(device, QUERY_CAPABILITIES, answer)
    whole, own = struct.unpack_from("=II", answer, 84)
    capabilities = own if whole & _PER_DEVICE else whole
    if not (capabilities & _CAPTURE and capabilities & _STREAMING):
        raise _absent(f"`{path}` is no camera that sends pictures", "Name another device, such as /dev/video0.")


def _choose_format(device: int, path: str, kernel: Kernel) -> tuple[PixelFormat, int, int, int]:
    """Agree on a format; return it with width, height and bytes a row."""
    for wanted in PixelFormat:
        answer = bytearray(208)
        struct.pack_into("=I4xIIII", answer, 0, _CAPTURE, _WIDTH, _HEIGHT, wanted, 0)
        try:
            kernel.ask(device, SET_FORMAT, answer)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            continue
        width, height, chosen, _, stride = struct.unpack_from("=IIIII", answer, 8)
        if chosen == wanted and 0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE:
            return wanted, width, height, stride or width * (2 if wanted is PixelFormat.YUYV else 1)
    raise _absent(f"`{path}` sends pictures in no format that is read", "Use another camera, or film with its program.")


def _share_buffers(device: int, path: str, kernel: Kernel) -> "list[mmap.mmap | bytearray]":
    request = bytearray(struct.pack("=IIIII", _BUFFERS, _CAPTURE, 1, 0, 0))
    kernel.ask(device, REQUEST_BUFFERS, request)
    count = min(struct.unpack_from("=I", request)[0], 32)
    memories = []
    for index in range(count):
        buffer = _buffer(index)
        kernel.ask(device, QUERY_BUFFER, buffer)
        (offset,), (length,) = struct.unpack_from("=I", buffer, 64), struct.unpack_from("=I", buffer, 72)
        if not 0 < length <= _MAX_BUFFER:
            raise _absent(f"`{path}` shares no memory for its pictures", "Use another camera.")
        memories.append(kernel.share(device, length, offset))
        kernel.ask(device, QUEUE_BUFFER, _buffer(index))
    return memories


def _buffer(index: int) -> bytearray:
    """Return a request about buffer `index`, in shared memory."""
    argument = bytearray(88)
    struct.pack_into("=II", argument, 0, index, _CAPTURE)
    struct.pack_into("=I", argument, 60, 1)
    return argument


def _frame(raw: bytes, pixel_format: PixelFormat, width: int, height: int, stride: int) -> CameraFrame | None:
    """Return a picture, None where the camera sent less than one."""
    if pixel_format is PixelFormat.MJPEG:
        return CameraFrame(width, height, raw, is_jpeg=True) if raw.startswith(b"\xff\xd8") else None
    step = 2 if pixel_format is PixelFormat.YUYV else 1
    if stride < width * step or len(raw) < stride * height:
        return None
    rows = (raw[start : start + width * step : step] for start in range(0, stride * height, stride))
    return CameraFrame(width, height, b"".join(rows), is_jpeg=False)


def _unavailable(error: OSError, path: str) -> DeviceUnavailable:
    words = os.strerror(error.errno).lower() if error.errno else "failed"
    if error.errno in (errno.EACCES, errno.EPERM):
        return DeviceUnavailable(
            Code.DEVICE_REFUSED,
            f"no permission to use `{path}`",
            advice="Add yourself to the group `video`, then log in again.",
        )
    if error.errno == errno.EBUSY:
        return DeviceUnavailable(
            Code.DEVICE_REFUSED, f"`{path}` is in use by another program", advice="Close that program, then try again."
        )
    return _absent(f"`{path}` is no camera that can be used: {words}", "Plug a camera in and name its device.")


def _absent(message: str, advice: str) -> DeviceUnavailable:
    return DeviceUnavailable(Code.DEVICE_ABSENT, message, advice=advice)


def require_linux() -> None:
    """Refuse systems whose cameras work in another way.

    Raises:
        DeviceUnavailable: COMPONENT_MISSING.
    """
    if not sys.platform.startswith("linux") or struct.calcsize("P") != 8:
        raise DeviceUnavailable(
            Code.COMPONENT_MISSING,
            "cameras are read on 64-bit Linux alone",
            advice="Film the codes with another program and give the file.",
        )
