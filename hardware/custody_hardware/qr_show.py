"""A payload as the frames that a screen, a page or pictures show, and their codes in one version."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from custody.bitcoin.qr_payload import QrPayload, ShowAs, endless_round, frames_of
from custody_hardware.qr_matrix import MAX_VERSION, MIN_VERSION, Matrix, matrix_of, room_of


@dataclass(frozen=True, slots=True)
class Show:
    """A payload about to be shown."""

    payload: QrPayload
    show_as: ShowAs
    density: int
    """The largest version of code to use."""

    def round(self) -> tuple[str, ...]:
        """Return the frames of one round: all, and of a UR in several as many mixtures again as half of them.

        Raises:
            InvalidInput: QR_TOO_LARGE.
        """
        frames = self.endless()
        first = next(frames)
        once = endless_round(first)
        rest = frames if once is None else islice(frames, once * 3 // 2)
        return (first, *rest)

    def endless(self) -> Iterator[str]:
        """Yield frames; those of a UR in several never end, all others once.

        Raises:
            InvalidInput: QR_TOO_LARGE.
        """
        return frames_of(self.payload, self.show_as, room_of(self.density))


def one_version(frames: Sequence[str]) -> int | None:
    """Return the smallest version that holds each of several frames, None where one frame decides for itself."""
    if len(frames) == 1:
        return None
    longest = max(len(frame) for frame in frames)
    return next(one for one in range(MIN_VERSION, MAX_VERSION + 1) if room_of(one) >= longest)


def matrices_of(frames: Sequence[str]) -> Iterator[Matrix]:
    """Yield the code of each frame, all in one version.

    Raises:
        InvalidInput: QR_TOO_LARGE: a plain payload that is too large for one code.
    """
    version = one_version(frames)
    return (matrix_of(frame, version) for frame in frames)
