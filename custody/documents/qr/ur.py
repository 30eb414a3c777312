"""Uniform resources, version 2: `ur:type/…` in one frame, `ur:type/7-9/…` in several.

Source: BCR-2020-005, BCR-2020-006 (types). A UR carries CBOR; what the CBOR means is its type's matter.
Version 1 (`ur:type/1of3/…`, bech32) is known by its form and refused. Types that carry private material are
refused by their name, before anything of them is decoded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from custody.documents.qr.bytewords import bytewords_decode, bytewords_encode
from custody.documents.qr.cbor import cbor_decode, cbor_encode
from custody.documents.qr.fountain import MAX_MESSAGE, FountainJoiner, Part, fountain_parts
from custody.documents.qr.refusals import malformed, mixed, secret, too_large, unsupported
from custody.documents.secret_kinds import SecretKind

MAX_FRAME = 2 * MAX_MESSAGE + 100
"""Characters of a frame: a message at its limit in one piece, as people paste it. A QR code holds 4,296."""

_FRAME = re.compile(r"ur:(?P<type>[a-z0-9-]{1,64})/(?:(?P<sequence>[^/]{1,40})/)?(?P<body>[a-z]+)", re.ASCII)
_SEQUENCE = re.compile(r"([1-9][0-9]{0,9})-([1-9][0-9]{0,9})", re.ASCII)
_VERSION_1 = re.compile(
    r"ur:[a-z0-9-]{1,64}/(?:[0-9]{1,4}of[0-9]{1,4}/.*|[ac-hj-np-z02-9]*[02-9][ac-hj-np-z02-9]*)", re.ASCII
)
_SECRET_TYPES = {
    **dict.fromkeys(("crypto-seed", "seed", "crypto-sskr", "sskr"), SecretKind.SEED_UR),
    **dict.fromkeys(("crypto-bip39", "bip39", "crypto-slip39", "slip39"), SecretKind.SEED_UR),
    **dict.fromkeys(("crypto-eckey", "eckey"), SecretKind.SEED_UR),
}


@dataclass(frozen=True, slots=True)
class UrFrame:
    """One frame as it was read: its type, and either a whole body or a part of one."""

    type: str
    body: bytes | Part


def read_ur_frame(text: str) -> UrFrame:
    """Read one frame, in capitals or small letters (QR codes have capitals), not in both.

    Raises:
        SecretRefused: its type carries a seed or a private key.
        InvalidInput: QR_MALFORMED, QR_TOO_LARGE, QR_UNSUPPORTED (version 1).
    """
    if len(text) > MAX_FRAME:
        raise too_large(f"a frame has {len(text)} characters, at most {MAX_FRAME} are read")
    lowered = text.lower()
    kind = _SECRET_TYPES.get(lowered[3:].partition("/")[0])
    if kind is not None:
        raise secret(kind, "a QR code")
    if not text.isascii() or text not in (lowered, text.upper()):
        raise malformed("a UR mixes capitals and small letters, or holds characters outside ASCII")
    if _VERSION_1.fullmatch(lowered):
        raise unsupported("the frame is a UR of version 1, which current devices no longer show")
    match = _FRAME.fullmatch(lowered)
    if match is None:
        raise malformed("a frame begins like a UR and is none")
    body = bytewords_decode(match["body"])
    if match["sequence"] is None:
        return UrFrame(match["type"], body)
    return UrFrame(match["type"], _read_part(match["sequence"], body))


def _read_part(sequence: str, body: bytes) -> Part:
    numbers = _SEQUENCE.fullmatch(sequence)
    part = Part.from_cbor(body)
    if numbers is None or (int(numbers[1]), int(numbers[2])) != (part.seq_num, part.seq_len):
        raise malformed("the sequence that a frame writes is not the one inside it")
    return part


class UrJoiner:
    """Collects frames of one UR."""

    __slots__ = ("_first", "_fountain", "_whole")

    def __init__(self, first: UrFrame) -> None:
        self._first = first
        self._whole = first.body if isinstance(first.body, bytes) else b""
        self._fountain = FountainJoiner(first.body) if isinstance(first.body, Part) else None

    @property
    def type(self) -> str:
        """The type that every frame names."""
        return self._first.type

    @property
    def known(self) -> int:
        """Frames that told something new."""
        return 1 if self._fountain is None else self._fountain.known

    @property
    def needed(self) -> int:
        """How many of them are needed."""
        return 1 if self._fountain is None else self._fountain.needed

    def add(self, frame: UrFrame) -> None:
        """Take a further frame.

        Raises:
            InvalidInput: QR_MIXED.
        """
        if frame.type != self.type:
            raise mixed("frames of two UR types are mixed")
        if self._fountain is not None and isinstance(frame.body, Part):
            self._fountain.add(frame.body)
        elif self._fountain is not None or frame.body != self._whole:
            raise mixed("frames of two UR payloads are mixed")

    def message(self) -> bytes:
        """Return the CBOR of the UR; only where `known` equals `needed`."""
        return self._whole if self._fountain is None else self._fountain.message()


def ur_frames(ur_type: str, message: bytes, max_characters: int) -> Iterator[str]:
    """Yield the frames of a UR in capitals: the whole in one frame if it fits, else parts without end.

    Raises:
        InvalidInput: QR_TOO_LARGE: the message is too large, or a frame too small for so many parts.
    """
    if len(message) > MAX_MESSAGE:
        raise too_large(f"the payload has {len(message)} bytes, at most {MAX_MESSAGE} are shown")
    single = f"ur:{ur_type}/{bytewords_encode(message)}".upper()
    if len(single) <= max_characters:
        return iter((single,))
    fragment = _fragment_length(ur_type, len(message), max_characters)
    return (
        f"ur:{ur_type}/{part.seq_num}-{part.seq_len}/{bytewords_encode(part.to_cbor())}".upper()
        for part in fountain_parts(message, fragment)
    )


def _fragment_length(ur_type: str, message_length: int, max_characters: int) -> int:
    """Return how many bytes of the message go into a frame, with room for numbers up to ten times the first round."""
    overhead = len("ur://-/") + len(ur_type) + 2 * 4
    for fragment in range((max_characters - overhead) // 2, 9, -1):
        count = -(-message_length // fragment)
        part = Part(min(count * 10, 0xFFFFFFFF), count, message_length, 0xFFFFFFFF, bytes(fragment)).to_cbor()
        if overhead + 2 * len(str(count)) + 1 + 2 * len(part) <= max_characters:
            return fragment
    raise too_large(f"{max_characters} characters a frame are too few")


def wrap_bytes(payload: bytes) -> bytes:
    """Return the CBOR of a byte string, which is what `crypto-psbt`, `psbt` and `bytes` carry."""
    return cbor_encode(payload)


def unwrap_bytes(message: bytes) -> bytes:
    """Return the byte string that a CBOR message is.

    Raises:
        InvalidInput: QR_MALFORMED.
    """
    value = cbor_decode(message)
    if not isinstance(value, bytes):
        raise malformed("the UR doesn't hold a string of bytes")
    return value
