"""Puts frames of QR codes together: any order, repeated, of one payload; says how far it is and what came out.

The first frame decides the dialect, and everything after it must belong to the same payload. Nothing here
reads a payload: what it means is said by `custody.bitcoin.qr_payload`.
"""

from dataclasses import dataclass
from enum import StrEnum

from custody.codes import Code
from custody.documents.qr.bbqr import BbqrJoiner, read_bbqr_frame
from custody.documents.qr.refusals import malformed, mixed, secret
from custody.documents.qr.ur import UrJoiner, read_ur_frame
from custody.documents.secret_kinds import SecretKind
from custody.errors import InvalidInput, NotYet

_SEED_LENGTHS = (16, 32)
"""Bytes of a code that holds nothing but a seed's entropy (CompactSeedQR); no payload of ours is so short."""


class Dialect(StrEnum):
    """How a payload is spread over frames."""

    UR = "ur"
    BBQR = "bbqr"
    PLAIN = "plain"
    """One code, its content as it is."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a payload was seen."""

    known: int
    """Frames that told something new."""
    needed: int
    """Frames that suffice; in a fountain the senders' choice of them doesn't matter."""

    @property
    def is_complete(self) -> bool:
        """Whether the payload can be had now."""
        return self.known >= self.needed


@dataclass(frozen=True, slots=True)
class Transfer:
    """A joined payload, and what its frames said of it."""

    dialect: Dialect
    declared: str
    """UR: the type, such as `crypto-psbt`. BBQr: the letter. Plain: empty."""
    payload: bytes
    """UR: the CBOR. BBQr: the file. Plain: the code's content."""
    frames: int
    """How many frames were needed."""


class Joiner:
    """Collects the frames of one payload."""

    __slots__ = ("_joining",)

    def __init__(self) -> None:
        self._joining: UrJoiner | BbqrJoiner | bytes | None = None

    @property
    def progress(self) -> Progress:
        """How much was seen so far; of how many frames is not known before the first."""
        joining = self._joining
        if joining is None:
            return Progress(0, 1)
        return Progress(1, 1) if isinstance(joining, bytes) else Progress(joining.known, joining.needed)

    def add(self, frame: str | bytes) -> Progress:
        """Take the content of one QR code, or one line of pasted text, and say how far the payload is.

        Raises:
            SecretRefused: the frame's form alone says that it carries a seed.
            InvalidInput: QR_MALFORMED, QR_MIXED, QR_TOO_LARGE, QR_UNSUPPORTED.
        """
        content = _text_of(frame)
        if isinstance(content, str) and content[:3].lower() == "ur:":
            self._add_ur(content)
        elif isinstance(content, str) and content.startswith("B$"):
            self._add_bbqr(content)
        else:
            self._add_plain(content.encode() if isinstance(content, str) else content)
        return self.progress

    def transfer(self) -> Transfer:
        """Return the joined payload.

        Raises:
            NotYet: QR_INCOMPLETE.
            InvalidInput: QR_MALFORMED, QR_MIXED, QR_TOO_LARGE, found only in the whole.
        """
        progress, joining = self.progress, self._joining
        if joining is None or not progress.is_complete:
            missing = progress.needed - progress.known
            raise NotYet(
                Code.QR_INCOMPLETE,
                f"{progress.known} of {progress.needed} frames were read, {missing} are missing",
                advice="Keep the camera on the code until it says that all is there, or add the missing pictures.",
                details={"known": progress.known, "needed": progress.needed, "missing": missing},
            )
        if isinstance(joining, UrJoiner):
            return Transfer(Dialect.UR, joining.type, joining.message(), progress.needed)
        if isinstance(joining, BbqrJoiner):
            return Transfer(Dialect.BBQR, str(joining.type), joining.payload(), progress.needed)
        return Transfer(Dialect.PLAIN, "", joining, 1)

    def _add_ur(self, text: str) -> None:
        frame = read_ur_frame(text)
        if self._joining is None:
            self._joining = UrJoiner(frame)
        elif isinstance(self._joining, UrJoiner):
            self._joining.add(frame)
        else:
            raise _two_dialects()

    def _add_bbqr(self, text: str) -> None:
        frame = read_bbqr_frame(text)
        if self._joining is None:
            self._joining = BbqrJoiner(frame)
        elif isinstance(self._joining, BbqrJoiner):
            self._joining.add(frame)
        else:
            raise _two_dialects()

    def _add_plain(self, content: bytes) -> None:
        if len(content) in _SEED_LENGTHS and not content.isascii():
            raise secret(SecretKind.SEED_QR, "a QR code")
        if not content:
            raise malformed("a frame is empty")
        if self._joining is None:
            self._joining = content
        elif self._joining != content:
            raise _two_dialects() if not isinstance(self._joining, bytes) else mixed("two different codes were read")


def _text_of(frame: str | bytes) -> str | bytes:
    """Return a frame as text where it is plain ASCII, without white space around it."""
    if isinstance(frame, bytes):
        if not frame.isascii():
            return frame
        frame = frame.decode("ascii")
    return frame.strip(" \t\r\n")


def _two_dialects() -> InvalidInput:
    return mixed("frames of two dialects are mixed")
