"""What the worker writes back, read strictly: exact members, exact types, bounded texts, or no answer at all.

A label, a model and a path are the device's or the driver's word; they are escaped here and decide nothing.
"""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from custody.bitcoin.keys import ExtendedKey, KeyPath
from custody.bitcoin.network import Network
from custody.documents.canonical_json import parse_json
from custody.documents.display import escape
from custody.errors import Finding, InvalidInput, JsonValue
from custody.ports import FoundDevice
from custody.spend.document import fields_of, hex_of, list_of, malformed, optional_of, text_of
from custody_hardware.hwi_errors import Reported, explain
from custody_hardware.signer_process import MAX_ANSWER, invalid_answer, told

_MAX_LABEL = 80
_MAX_PATH = 500
_MAX_DEVICES = 64
_MODEL = re.compile(r"[a-z0-9_]{0,60}", re.ASCII)
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}", re.ASCII)
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,30}", re.ASCII)
_ASKS = ("pin", "passphrase")
_ERROR_KEYS = ("kind", "hwi", "number", "errno", "text")
_DEVICE_KEYS = ("path", "model", "label", "fingerprint", "firmware", "error")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Reply:
    """One line of the worker: exactly one of the three is set."""

    answer: JsonValue = None
    error: Reported | None = None
    asks: str | None = None
    """`pin` or `passphrase`."""


def read_reply(line: bytes, driver: str) -> Reply:
    """Read one line.

    Raises:
        DeviceUnavailable: DEVICE_ANSWER_INVALID.
    """

    def read() -> Reply:
        document = fields_of(parse_json(line, max_bytes=MAX_ANSWER), "the line", (), ("answer", "error", "ask"))
        if len(document) != 1:
            raise malformed("the line holds not one of `answer`, `error` and `ask`")
        if "error" in document:
            return Reply(error=_reported(document["error"], driver))
        if "ask" in document:
            asks = text_of(document["ask"], "ask")
            if asks not in _ASKS:
                raise malformed("the worker asks for something that is never asked")
            return Reply(asks=asks)
        return Reply(answer=document["answer"])

    return strictly(read)


def found_devices(answer: JsonValue, driver: str) -> tuple[FoundDevice, ...]:
    """Return the devices of one driver's look."""

    def read() -> tuple[FoundDevice, ...]:
        if isinstance(answer, list) and len(answer) > _MAX_DEVICES:
            raise malformed("the list of devices has no end")
        return list_of(lambda value, what: _device(value, what, driver), answer, "devices")

    return strictly(read)


def key_in(answer: JsonValue, path: KeyPath, network: Network) -> ExtendedKey:
    """Return the extended public key of an answer, at exactly the depth and step that were asked for."""

    def read() -> ExtendedKey:
        text = text_of(fields_of(answer, "the answer", ("xpub",))["xpub"], "xpub")
        return key_at(text, path, network)

    return strictly(read)


def key_at(text: str, path: KeyPath, network: Network) -> ExtendedKey:
    """Read an xpub that has to stand at `path`.

    Raises:
        InvalidInput: it is none, of another network, or of another place.
    """
    key = ExtendedKey.from_base58(text, network)
    if key.depth != len(path) or (path and key.child_number != path[-1]):
        raise malformed("the key stands at another path than the one that was asked for")
    return key


def address_in(answer: JsonValue) -> str:
    """Return the address that the device says it showed, escaped."""
    return strictly(lambda: escape(text_of(fields_of(answer, "the answer", ("address",))["address"], "address")[:200]))


def registered_in(answer: JsonValue) -> tuple[bytes | None, bytes | None]:
    """Return policy id and token of a registration; None where the device gives none out."""

    def read() -> tuple[bytes | None, bytes | None]:
        fields = fields_of(answer, "the answer", ("policy_id", "token"))
        return optional_of(hex_of, fields["policy_id"], "policy_id"), optional_of(hex_of, fields["token"], "token")

    return strictly(read)


def psbt_in(answer: JsonValue) -> bytes:
    """Return the bytes of a PSBT in base64; what they mean is for our own parser."""
    return strictly(lambda: psbt_bytes(text_of(fields_of(answer, "the answer", ("psbt",))["psbt"], "psbt")))


def psbt_bytes(text: str) -> bytes:
    """Decode base64 without any leniency.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # base64's own errors, and letters outside ASCII
        raise malformed("the signed PSBT is not base64") from None


def strictly(read: Callable[[], Value]) -> Value:
    """Return what `read` returns; whatever it refuses makes the answer none.

    Raises:
        DeviceUnavailable: DEVICE_ANSWER_INVALID.
    """
    try:
        return read()
    except InvalidInput as error:
        raise invalid_answer(error.message) from error


def _reported(value: JsonValue, driver: str) -> Reported:
    fields = fields_of(value, "error", _ERROR_KEYS)
    kind = text_of(fields["kind"], "kind")
    if _CLASS.fullmatch(kind) is None:
        raise malformed("the kind of an error is no name of a class")
    return Reported(
        driver,
        kind,
        _number(fields["hwi"], "hwi"),
        _number(fields["number"], "number"),
        _number(fields["errno"], "errno"),
        text_of(fields["text"], "text"),
    )


def _device(value: JsonValue, what: str, driver: str) -> FoundDevice:
    fields = fields_of(value, what, _DEVICE_KEYS)
    model, path = text_of(fields["model"], what), text_of(fields["path"], what)
    if _MODEL.fullmatch(model) is None:
        raise malformed(f"{what} has a model of an odd form")
    if len(path) > _MAX_PATH:
        raise malformed(f"{what} has a path without end")
    fingerprint = optional_of(hex_of, fields["fingerprint"], what)
    if fingerprint is not None and len(fingerprint) != 4:
        raise malformed(f"{what} has a fingerprint of {len(fingerprint)} bytes")
    firmware = optional_of(text_of, fields["firmware"], what)
    if firmware is not None and _VERSION.fullmatch(firmware) is None:
        firmware = None
    return FoundDevice(
        driver,
        escape(path[:_MAX_LABEL]) if not path.isprintable() else path,
        model,
        fingerprint,
        told(text_of(fields["label"], what), _MAX_LABEL),
        firmware,
        _problem(fields["error"], driver, path),
    )


def _problem(value: JsonValue, driver: str, path: str) -> Finding | None:
    where = f"device:{driver}:{escape(path[:_MAX_LABEL])}"
    if driver == "digitalbitbox":
        return explain(Reported(driver, "Unsupported")).to_finding(where)
    return None if value is None else explain(_reported(value, driver)).to_finding(where)


def _number(value: JsonValue, what: str) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise malformed(f"{what} is not a whole number")
