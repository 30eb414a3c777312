"""What a payload from QR codes is, and how a payload of ours is put into frames.

What the frames declare (a UR type, a BBQr letter) is compared with what the bytes are; one that contradicts
the other is refused. Every payload passes the secret gate here, before anything is shown or stored. A PSBT is
recognised and read strictly, but not reviewed: that is `psbt review`.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from custody.bitcoin.descriptor import Descriptor
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.bitcoin.psbt_fields import MAGIC
from custody.bitcoin.transaction import Transaction
from custody.bitcoin.ur_keys import hdkey_text, require_public
from custody.bitcoin.ur_outputs import (
    account_descriptor_message,
    account_message,
    account_of,
    described_message,
    descriptor_message,
    output_text,
)
from custody.documents.qr.bbqr import BbqrEncoding, BbqrType, bbqr_frames, smallest_encoding
from custody.documents.qr.cbor import cbor_decode
from custody.documents.qr.joiner import Dialect, Transfer
from custody.documents.qr.refusals import mixed, too_large, unsupported
from custody.documents.qr.ur import unwrap_bytes, ur_frames, wrap_bytes
from custody.documents.secret_gate import scan_bytes
from custody.errors import InvalidInput, SecretRefused

_FOUNTAIN_PART = re.compile(r"UR:[^/]+/1-([0-9]+)/")
_PLACE = "the QR codes' content"
_MAX_JSON = 4_000_000
_MAX_TRANSACTION_HEX = 8_000_000
_PSBT_TYPES = ("crypto-psbt", "psbt")
_OUTPUT_TYPES = ("crypto-output", "output-descriptor")
_ACCOUNT_TYPES = ("crypto-account", "account-descriptor")
_HDKEY_TYPES = ("crypto-hdkey", "hdkey")


class PayloadKind(StrEnum):
    """What a payload is."""

    PSBT = "psbt"
    TRANSACTION = "transaction"
    DESCRIPTOR = "descriptor"
    ACCOUNT = "account"
    KEY = "key"
    JSON = "json"
    TEXT = "text"
    CBOR = "cbor"
    BINARY = "binary"


@dataclass(frozen=True, slots=True)
class QrPayload:
    """A payload as a file would hold it."""

    kind: PayloadKind
    data: bytes
    """PSBT and transaction in binary; what has a text form as UTF-8."""


class ShowAs(StrEnum):
    """How a payload is put into frames, by the name that `qr show --dialect` takes."""

    UR = "ur"
    """`crypto-psbt`, `crypto-output`, `crypto-account`, `bytes`: what most devices read."""
    UR_PSBT = "ur-psbt"
    """The types registered later: `psbt`, `output-descriptor`, `account-descriptor`."""
    UR_BYTES = "ur-bytes"
    BBQR = "bbqr"
    """Compressed where that helps."""
    BBQR_HEX = "bbqr-hex"
    BBQR_BASE32 = "bbqr-base32"
    PLAIN = "plain"
    """One code: text as it is, a PSBT in base64, a transaction in hex."""


def payload_of(transfer: Transfer) -> QrPayload:
    """Say what a joined payload is.

    Raises:
        SecretRefused: it holds a private key or a seed, in its fields or in its text.
        InvalidInput: QR_MIXED (it is not what its frames declare), QR_UNSUPPORTED, or what the reader of
            its kind refuses.
    """
    scan_bytes(transfer.payload, place=_PLACE)
    if transfer.dialect is Dialect.UR:
        found = _of_ur(transfer.declared, transfer.payload)
    elif transfer.dialect is Dialect.BBQR:
        found = _of_bbqr(BbqrType(transfer.declared), transfer.payload)
    else:
        found = recognise(transfer.payload)
    scan_bytes(found.data, place=_PLACE)
    return found


def recognise(data: bytes) -> QrPayload:
    """Say what bytes without a declared type are; a PSBT in base64 and a transaction in hex become binary.

    Raises:
        InvalidInput: it begins like a PSBT and is none.
    """
    if data.startswith(MAGIC) or data.lstrip()[:6] == b"cHNidP":
        return QrPayload(PayloadKind.PSBT, psbt_from_text_or_bytes(data).serialize())
    raw = _from_hex(data)
    if raw is not None and raw.startswith(MAGIC):
        return QrPayload(PayloadKind.PSBT, Psbt.parse(raw).serialize())
    for candidate in (data, raw):
        if candidate is not None and _is_transaction(candidate):
            return QrPayload(PayloadKind.TRANSACTION, candidate)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return QrPayload(PayloadKind.BINARY, data)
    if text.lstrip()[:1] in ("{", "[") and _is_json(text):
        return QrPayload(PayloadKind.JSON, data)
    if descriptor_in(text) is not None:
        return QrPayload(PayloadKind.DESCRIPTOR, data)
    if key_in(text) is not None:
        return QrPayload(PayloadKind.KEY, data)
    return QrPayload(PayloadKind.TEXT, data)


def key_in(text: str) -> tuple[KeyExpression, Network] | None:
    """Return the cosigner's key, `[fingerprint/path]xpub`, that `text` is; as `descriptor_in`."""
    for network in (Network.MAIN, Network.TESTNET4):
        try:
            return KeyExpression.parse(text.strip(), network), network
        except SecretRefused:
            raise
        except InvalidInput:
            continue
    return None


def descriptor_in(text: str) -> tuple[Descriptor, Network] | None:
    """Return the vault's descriptor that `text` is and a network of its keys' kind, None if it is none."""
    for network in (Network.MAIN, Network.TESTNET4):
        try:
            return Descriptor.parse(text.strip(), network), network
        except SecretRefused:
            raise
        except InvalidInput:
            continue
    return None


def frames_of(payload: QrPayload, show_as: ShowAs, max_characters: int) -> Iterator[str]:
    """Yield the frames that show `payload`, none longer than `max_characters`; a UR in several has no last one.

    All are in the characters of a QR code's alphanumeric mode, but those of `plain`.

    Raises:
        InvalidInput: QR_TOO_LARGE: too many frames, or `plain` and more than fits into one.
    """
    if show_as in (ShowAs.UR, ShowAs.UR_PSBT, ShowAs.UR_BYTES):
        return ur_frames(*_as_ur(payload, show_as), max_characters)
    if show_as is ShowAs.PLAIN:
        return iter((_as_plain(payload),))
    encodings = {ShowAs.BBQR_HEX: BbqrEncoding.HEX, ShowAs.BBQR_BASE32: BbqrEncoding.BASE32}
    encoding = encodings.get(show_as) or smallest_encoding(payload.data)
    return bbqr_frames(payload.data, _bbqr_type(payload.kind), encoding, max_characters)


def frame_count(payload: QrPayload, show_as: ShowAs, max_characters: int) -> int:
    """Return how many frames carry the whole of `payload` once. Raises as `frames_of`."""
    frames = frames_of(payload, show_as, max_characters)
    return endless_round(next(frames)) or 1 + sum(1 for _frame in frames)


def endless_round(first: str) -> int | None:
    """Return how many frames of a show without end carry the whole once, told by its first; None where it has one."""
    part = _FOUNTAIN_PART.match(first)
    return None if part is None else int(part[1])


def _of_ur(declared: str, message: bytes) -> QrPayload:
    if declared in _PSBT_TYPES:
        return _declared_psbt(unwrap_bytes(message))
    if declared == "bytes":
        inside = unwrap_bytes(message)
        scan_bytes(inside, place=_PLACE)
        return recognise(inside)
    if declared in _OUTPUT_TYPES:
        return QrPayload(PayloadKind.DESCRIPTOR, f"{output_text(declared, message)}\n".encode())
    if declared in _ACCOUNT_TYPES:
        return QrPayload(PayloadKind.ACCOUNT, account_of(message).to_text().encode())
    if declared in _HDKEY_TYPES:
        return QrPayload(PayloadKind.KEY, f"{hdkey_text(cbor_decode(message))}\n".encode())
    require_public(cbor_decode(message))
    raise unsupported(f"the UR type `{declared}` is not read")


def _declared_psbt(data: bytes) -> QrPayload:
    if not data.startswith(MAGIC):
        raise mixed("the frames declare a PSBT and hold none")
    return QrPayload(PayloadKind.PSBT, Psbt.parse(data).serialize())


def _of_bbqr(declared: BbqrType, data: bytes) -> QrPayload:
    if declared is BbqrType.PSBT:
        return _declared_psbt(data)
    if declared is BbqrType.TRANSACTION:
        if not _is_transaction(data):
            raise mixed("the frames declare a transaction and hold none")
        return QrPayload(PayloadKind.TRANSACTION, data)
    if declared is BbqrType.CBOR:
        require_public(cbor_decode(data))
        return QrPayload(PayloadKind.CBOR, data)
    if declared is BbqrType.BINARY:
        return recognise(data)
    if declared is BbqrType.EXECUTABLE:
        raise unsupported("the frames declare a program to run, which is never taken from QR codes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise mixed("the frames declare text and hold none") from error
    if declared is BbqrType.JSON and not _is_json(text):
        raise mixed("the frames declare JSON and hold none")
    return QrPayload(PayloadKind.JSON, data) if declared is BbqrType.JSON else recognise(data)


def _as_ur(payload: QrPayload, show_as: ShowAs) -> tuple[str, bytes]:
    newer = show_as is ShowAs.UR_PSBT
    if show_as is ShowAs.UR_BYTES:
        return "bytes", wrap_bytes(payload.data)
    if payload.kind is PayloadKind.PSBT:
        return "psbt" if newer else "crypto-psbt", wrap_bytes(payload.data)
    if payload.kind is PayloadKind.KEY:
        return _key_as_ur(payload, newer=newer)
    found = descriptor_in(payload.data.decode()) if payload.kind is PayloadKind.DESCRIPTOR else None
    if found is None:
        return "bytes", wrap_bytes(payload.data)
    return ("output-descriptor", described_message(*found)) if newer else ("crypto-output", descriptor_message(*found))


def _key_as_ur(payload: QrPayload, *, newer: bool) -> tuple[str, bytes]:
    found = key_in(payload.data.decode())
    message = account_descriptor_message if newer else account_message
    account = None if found is None else message(*found)
    if account is None:
        return "bytes", wrap_bytes(payload.data)
    return "account-descriptor" if newer else "crypto-account", account


def _as_plain(payload: QrPayload) -> str:
    if payload.kind is PayloadKind.PSBT:
        return base64.b64encode(payload.data).decode("ascii")
    if payload.kind is PayloadKind.TRANSACTION:
        return payload.data.hex().upper()
    try:
        return payload.data.decode().strip()
    except UnicodeDecodeError as error:
        raise too_large("bytes that are no text can't be one plain code; choose UR or BBQr") from error


def _bbqr_type(kind: PayloadKind) -> BbqrType:
    return {
        PayloadKind.PSBT: BbqrType.PSBT,
        PayloadKind.TRANSACTION: BbqrType.TRANSACTION,
        PayloadKind.JSON: BbqrType.JSON,
        PayloadKind.CBOR: BbqrType.CBOR,
        PayloadKind.BINARY: BbqrType.BINARY,
    }.get(kind, BbqrType.TEXT)


def _from_hex(data: bytes) -> bytes | None:
    if len(data) > _MAX_TRANSACTION_HEX:
        return None
    try:
        return binascii.unhexlify(data.strip())
    except binascii.Error:
        return None


def _is_transaction(raw: bytes) -> bool:
    try:
        return Transaction.parse(raw).serialize() == raw
    except InvalidInput:
        return False


def _is_json(text: str) -> bool:
    if len(text) > _MAX_JSON:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
