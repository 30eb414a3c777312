"""A camera of V4L2, played by a stand-in that keeps the kernel's rules; what a real one does is not seen here."""

import errno
import io
import struct
import sys
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from custody.errors import DeviceUnavailable, InvalidInput
from custody_cli.qr_sources import join_camera
from custody_cli.session import Session
from custody_hardware import qr_camera as camera
from custody_hardware.qr_camera import LinuxKernel, PixelFormat, camera_frames
from custody_hardware.qr_matrix import matrix_of
from custody_hardware.qr_pictures import png
from custody_hardware.qr_reader import codes_in_frames
from support.cli import run, run_json
from support.qr import psbt_of

WIDTH, HEIGHT = 640, 480


class StandIn:
    """A camera with one format, that shows pictures one after another and then nothing more."""

    def __init__(self, pictures: Sequence[Image.Image], pixel_format: PixelFormat = PixelFormat.GREY) -> None:
        self.pixel_format = pixel_format
        self.waiting = deque(self._encoded(picture) for picture in pictures)
        self.memories: list[bytearray] = []
        self.queued: deque[int] = deque()
        self.is_open = self.is_streaming = False
        self.capabilities = 0x80000000, 0x04000001
        self.padding = 32
        """Bytes after each row."""
        self.fails: dict[int, int] = {}
        """Request to errno."""
        self.flags: deque[int] = deque()

    def _encoded(self, picture: Image.Image) -> bytes:
        canvas = Image.new("L", (WIDTH, HEIGHT), 255)
        canvas.paste(picture.convert("L").resize((460, 460)), (90, 10))
        if self.pixel_format is PixelFormat.MJPEG:
            out = io.BytesIO()
            canvas.save(out, "JPEG")
            return out.getvalue()
        raw, step = canvas.tobytes(), 2 if self.pixel_format is PixelFormat.YUYV else 1
        rows = (raw[start : start + WIDTH] for start in range(0, len(raw), WIDTH))
        if step == 2:
            rows = (b"".join(bytes((grey, 128)) for grey in row) for row in rows)
        return b"".join(row + b"\x55" * 32 for row in rows)

    def open(self, path: str) -> int:
        if path != "/dev/video0":
            raise OSError({"/dev/none": errno.ENOENT, "/dev/mine": errno.EACCES}[path], "x")
        self.is_open = True
        return 7

    def close(self, device: int) -> None:
        assert device == 7
        self.is_open = False

    def ask(self, device: int, request: int, argument: bytearray) -> None:
        assert len(argument) == request >> 16 & 0x3FFF, "the number carries the size"
        if request in self.fails:
            raise OSError(self.fails[request], "x")
        actions: dict[int, Callable[[bytearray], None]] = {
            camera.QUERY_CAPABILITIES: lambda a: struct.pack_into("=II", a, 84, *self.capabilities),
            camera.SET_FORMAT: self._set_format,
            camera.REQUEST_BUFFERS: self._request_buffers,
            camera.QUERY_BUFFER: self._query_buffer,
            camera.QUEUE_BUFFER: lambda a: self.queued.append(struct.unpack_from("=I", a)[0]),
            camera.DEQUEUE_BUFFER: self._dequeue,
            camera.STREAM_ON: lambda _: setattr(self, "is_streaming", True),
            camera.STREAM_OFF: lambda _: setattr(self, "is_streaming", False),
        }
        actions[request](argument)

    def _set_format(self, argument: bytearray) -> None:
        step = 2 if self.pixel_format is PixelFormat.YUYV else 1
        stride = 0 if self.pixel_format is PixelFormat.MJPEG else WIDTH * step + self.padding
        struct.pack_into("=IIIII", argument, 8, WIDTH, HEIGHT, self.pixel_format, 1, stride)

    def _request_buffers(self, argument: bytearray) -> None:
        count, kind, memory = struct.unpack_from("=III", argument)
        assert (kind, memory) == (1, 1)
        self.memories = [bytearray(1_000_000) for _ in range(count - 1)]  # a kernel may give fewer
        struct.pack_into("=I", argument, 0, len(self.memories))

    def _query_buffer(self, argument: bytearray) -> None:
        index, kind = struct.unpack_from("=II", argument)
        assert (kind, struct.unpack_from("=I", argument, 60)[0]) == (1, 1)
        struct.pack_into("=I", argument, 64, index * 1_000_000)
        struct.pack_into("=I", argument, 72, len(self.memories[index]))

    def _dequeue(self, argument: bytearray) -> None:
        assert self.is_streaming
        index, picture = self.queued.popleft(), self.waiting.popleft()
        self.memories[index][: len(picture)] = picture
        flags = self.flags.popleft() if self.flags else 0
        struct.pack_into("=IIII", argument, 0, index, 1, len(picture), flags)

    def share(self, device: int, length: int, offset: int) -> bytearray:
        assert length == 1_000_000
        return self.memories[offset // length]

    def wait(self, device: int, seconds: float) -> bool:
        return bool(self.waiting)


def drawn(text: str) -> Image.Image:
    return Image.open(io.BytesIO(png(matrix_of(text, None), 4)))


def failure(kernel: StandIn, path: str = "/dev/video0") -> DeviceUnavailable:
    with pytest.raises(DeviceUnavailable) as caught:
        list(camera_frames(path, kernel))
    assert not kernel.is_open
    return caught.value


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_psbt_is_read_through_a_camera(pixel_format: PixelFormat, tmp_path: Path) -> None:
    (tmp_path / "a.psbt").write_bytes(psbt_of(1).serialize())
    frames = run_json(["qr", "show", tmp_path / "a.psbt"])["frames"]
    kernel = StandIn([drawn(frame) for frame in frames[3:] + frames], pixel_format)
    joined = join_camera("/dev/video0", Session(), kernel)
    assert joined.progress.is_complete
    assert joined.transfer().payload.endswith(psbt_of(1).serialize())
    assert not kernel.is_open
    assert not kernel.is_streaming
    assert kernel.waiting, "it stops as soon as all is there"


def test_two_payloads_before_the_camera_are_refused_and_it_is_closed() -> None:
    kernel = StandIn([drawn("B$HU0200414141"), drawn("B$HU0300414141")])
    with pytest.raises(InvalidInput, match="mixed"):
        join_camera("/dev/video0", Session(), kernel)
    assert not kernel.is_open


def test_damaged_and_short_pictures_are_passed_over() -> None:
    kernel = StandIn([drawn("A"), drawn("B"), drawn("C")], PixelFormat.MJPEG)
    kernel.waiting.extendleft((b"", b"\xff\xd8junk", b"junk"))
    kernel.flags.extend((0, 0, 0, 0x40))
    with closing(camera_frames("/dev/video0", kernel)) as frames:
        assert list(islice(codes_in_frames(frames, lambda _: None), 2)) == [b"B", b"C"]
    short = StandIn([drawn("A")])
    short.waiting.appendleft(b"\0" * 100)
    with closing(camera_frames("/dev/video0", short)) as frames:
        assert list(islice(codes_in_frames(frames, lambda _: None), 1)) == [b"A"]


def test_camera_that_falls_silent_says_so() -> None:
    assert "sends no picture" in failure(StandIn([])).message


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [("/dev/none", "DEVICE_ABSENT", "no such file"), ("/dev/mine", "DEVICE_REFUSED", "no permission")],
)
def test_camera_that_can_not_be_opened_says_why(path: str, code: str, words: str) -> None:
    found = failure(StandIn([]), path)
    assert (str(found.code), found.exit_code, words in found.message) == (code, 8, True)


@pytest.mark.parametrize(
    ("request_number", "number", "code"),
    [
        (camera.QUERY_CAPABILITIES, errno.ENOTTY, "DEVICE_ABSENT"),
        (camera.SET_FORMAT, errno.EBUSY, "DEVICE_REFUSED"),
        (camera.SET_FORMAT, errno.EINVAL, "DEVICE_ABSENT"),
        (camera.REQUEST_BUFFERS, errno.EBUSY, "DEVICE_REFUSED"),
        (camera.STREAM_ON, errno.EIO, "DEVICE_ABSENT"),
        (camera.DEQUEUE_BUFFER, errno.ENODEV, "DEVICE_ABSENT"),
    ],
)
def test_camera_that_fails_is_closed_and_says_why(request_number: int, number: int, code: str) -> None:
    kernel = StandIn([drawn("A")])
    kernel.fails[request_number] = number
    assert str(failure(kernel).code) == code


def test_device_that_is_no_camera_is_refused() -> None:
    kernel = StandIn([])
    kernel.capabilities = (0x80000002, 2)
    assert "no camera" in failure(kernel).message
    kernel.capabilities = (0x04000001, 0)
    assert "sends no picture" in failure(kernel).message


def test_real_kernel_says_that_a_file_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "video0").write_bytes(b"")
    with pytest.raises(DeviceUnavailable):
        list(camera_frames(str(tmp_path / "video0"), LinuxKernel()))
    answer = run(["qr", "read", "--camera", tmp_path / "absent", "--json"])
    assert (answer.exit_code, answer.error["error"]) == (8, "DEVICE_ABSENT")


def test_camera_and_files_exclude_each_other(tmp_path: Path) -> None:
    assert run(["qr", "read"]).exit_code == 2
    assert run(["qr", "read", "--camera", "/dev/video0", "-"]).exit_code == 2
    (tmp_path / "there").write_bytes(b"")
    assert run(["qr", "read", "--camera", "/dev/none", "-o", tmp_path / "there"]).exit_code == 7


def test_other_systems_say_that_they_have_no_camera_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(DeviceUnavailable, match="Linux"):
        camera.require_linux()
