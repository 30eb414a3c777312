"""A parsed device file becomes a profile: every key demanded, nothing unknown let in, each fact with its source."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.documents.names import check_name
from custody.errors import JsonValue, Severity
from custody.spend.document import boolean_of, fields_of, integer_of, list_of, malformed, optional_of, text_of
from custody.vault.device_firmware import FirmwareRange
from custody.vault.device_profile import (
    Advisory,
    AdvisorySubject,
    CardFiles,
    ChangeCheck,
    DeviceProfile,
    Driver,
    Limits,
    MessageProof,
    Need,
    Needs,
    Proofs,
    PsbtContent,
    PsbtEncoding,
    QrCodes,
    QrDialect,
    RegistrationMethod,
    Screen,
    Transport,
)

_Value = TypeVar("_Value")
_Word = TypeVar("_Word", bound=StrEnum)

_KEYS = (
    "format",
    "model",
    "name",
    "vendor",
    "read_on",
    "refused",
    "transports",
    "hwi",
    "registration",
    "registration_routes",
    "limits",
    "needs",
    "card",
    "qr",
    "screen",
    "advisories",
)
_LATER_KEYS = ("proofs",)
"""Came after the first files, which backups may hold: without them nothing is known of it."""
_LIMITS = ("cosigners", "inputs", "outputs", "psbt_bytes", "name_length", "scripts", "networks")
_NEEDS = ("global_xpubs", "full_previous", "content", "slim_allowed", "trims_answer")
_CARD = ("encoding", "reads", "writes", "answer_encoding", "overwrites_input")
_QR = ("dialects", "ur_type")
_SCREEN = ("lines", "change", "change_check", "fee", "locktime")
_PROOFS = ("bip322", "bip322_since", "bip127")
_ADVISORY = ("name", "subject", "severity", "affected", "text", "advice", "source")


def read_profile(document: JsonValue) -> DeviceProfile:
    """Return the profile that a parsed document of the right format holds.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT or UNKNOWN_FIELD, with the place.
    """
    body = fields_of(document, "the profile", _KEYS, _LATER_KEYS)
    facts = _Facts(body)
    return DeviceProfile(
        model=check_name(text_of(body["model"], "model")),
        name=text_of(body["name"], "name"),
        vendor=optional_of(text_of, body["vendor"], "vendor"),
        read_on=text_of(body["read_on"], "read_on"),
        refused=facts.of("refused", _text_or_none),
        transports=facts.of("transports", _words(Transport)),
        hwi=facts.of("hwi", _or_none(_driver)),
        registration=facts.of("registration", _or_none(_word(RegistrationMethod))),
        registration_routes=facts.of("registration_routes", _words(Transport)),
        limits=tuple(_limits(one, f"limits[{place}]", facts) for place, one in enumerate(_items(body["limits"]))),
        needs=_needs(facts.part("needs", _NEEDS)),
        card=None if body["card"] is None else _card(facts.part("card", _CARD)),
        qr=None if body["qr"] is None else _qr(facts.part("qr", _QR)),
        screen=None if body["screen"] is None else _screen(facts.part("screen", _SCREEN)),
        proofs=_proofs(facts.part("proofs", _PROOFS)) if "proofs" in body else Proofs(None, FirmwareRange(), None),
        advisories=list_of(_advisory, body["advisories"], "advisories"),
        sources=facts.sources,
    )


@dataclass(slots=True)
class _Facts:
    """The facts of one mapping; reading one takes its source down under its place in the file."""

    body: dict[str, JsonValue]
    place: str = ""
    sources: dict[str, str] = field(default_factory=dict)

    def of(self, key: str, read: Callable[[JsonValue, str], _Value]) -> _Value:
        """Return what the fact under `key` is."""
        where = f"{self.place}{key}"
        fact = fields_of(self.body[key], where, ("is", "source"))
        source = text_of(fact["source"], f"{where}.source")
        if not source:
            raise malformed(f"{where} says no source")
        self.sources[where] = source
        return read(fact["is"], where)

    def part(self, key: str, keys: tuple[str, ...]) -> "_Facts":
        """Return the facts of the mapping under `key`."""
        return _Facts(fields_of(self.body[key], f"{self.place}{key}", keys), f"{self.place}{key}.", self.sources)


def _limits(value: JsonValue, where: str, facts: _Facts) -> Limits:
    body = fields_of(value, where, ("firmware", *_LIMITS))
    part = _Facts(body, f"{where}.", facts.sources)
    return Limits(
        firmware=_range(body["firmware"], f"{where}.firmware"),
        cosigners=part.of("cosigners", _number_or_none),
        inputs=part.of("inputs", _number_or_none),
        outputs=part.of("outputs", _number_or_none),
        psbt_bytes=part.of("psbt_bytes", _number_or_none),
        name_length=part.of("name_length", _number_or_none),
        scripts=part.of("scripts", _or_none(lambda one, what: frozenset(_words(ScriptType)(one, what)))),
        networks=part.of("networks", _or_none(_networks)),
    )


def _networks(value: JsonValue, what: str) -> dict[Network, dict[Transport, str]]:
    return {
        _word(Network)(name, what): {
            _word(Transport)(route, f"{what}.{name}"): text_of(prefix, f"{what}.{name}.{route}")
            for route, prefix in _mapping(shown, f"{what}.{name}").items()
        }
        for name, shown in _mapping(value, what).items()
    }


def _mapping(value: JsonValue, what: str) -> dict[str, JsonValue]:
    if not isinstance(value, dict):
        raise malformed(f"{what} is not a mapping")
    return value


def _needs(facts: _Facts) -> Needs:
    return Needs(
        global_xpubs=facts.of("global_xpubs", _or_none(_word(Need))),
        full_previous=facts.of("full_previous", _or_none(_word(Need))),
        content=facts.of("content", _word(PsbtContent)),
        slim_allowed=facts.of("slim_allowed", boolean_of),
        trims_answer=facts.of("trims_answer", boolean_of),
    )


def _card(facts: _Facts) -> CardFiles:
    return CardFiles(
        encoding=facts.of("encoding", _word(PsbtEncoding)),
        reads=facts.of("reads", _texts),
        writes=facts.of("writes", _texts),
        answer_encoding=facts.of("answer_encoding", _or_none(_word(PsbtEncoding))),
        overwrites_input=facts.of("overwrites_input", boolean_of),
    )


def _qr(facts: _Facts) -> QrCodes:
    dialects = facts.of("dialects", _words(QrDialect))
    if not dialects:
        raise malformed("qr.dialects names none")
    return QrCodes(dialects=dialects, ur_type=facts.of("ur_type", _text_or_none))


def _screen(facts: _Facts) -> Screen:
    return Screen(
        lines=facts.of("lines", _texts),
        change=facts.of("change", text_of),
        change_check=facts.of("change_check", _or_none(_word(ChangeCheck))),
        fee=facts.of("fee", _or_none(boolean_of)),
        locktime=facts.of("locktime", _or_none(boolean_of)),
    )


def _proofs(facts: _Facts) -> Proofs:
    since = facts.of("bip322_since", _text_or_none)
    try:
        firmware = FirmwareRange(since, None)
    except ValueError:
        raise malformed("proofs.bip322_since is no version that can be ordered") from None
    return Proofs(
        bip322=facts.of("bip322", _or_none(_word(MessageProof))),
        bip322_since=firmware,
        bip127=facts.of("bip127", _or_none(_word(MessageProof))),
    )


def _advisory(value: JsonValue, what: str) -> Advisory:
    body = fields_of(value, what, _ADVISORY)
    return Advisory(
        name=check_name(text_of(body["name"], f"{what}.name")),
        subject=_word(AdvisorySubject)(body["subject"], f"{what}.subject"),
        severity=_word(Severity)(body["severity"], f"{what}.severity"),
        affected=list_of(_range, body["affected"], f"{what}.affected"),
        text=text_of(body["text"], f"{what}.text"),
        advice=text_of(body["advice"], f"{what}.advice"),
        source=text_of(body["source"], f"{what}.source"),
    )


def _driver(value: JsonValue, what: str) -> Driver:
    body = fields_of(value, what, ("names", "models"))
    return Driver(_texts(body["names"], f"{what}.names"), _texts(body["models"], f"{what}.models"))


def _range(value: JsonValue, what: str) -> FirmwareRange:
    body = fields_of(value, what, ("first", "below"))
    try:
        return FirmwareRange(*(optional_of(text_of, body[end], f"{what}.{end}") for end in ("first", "below")))
    except ValueError as cause:
        raise malformed(f"{what}: {cause}") from cause


def _items(value: JsonValue) -> list[JsonValue]:
    if not isinstance(value, list) or not value:
        raise malformed("limits is not a list with at least one range")
    return value


def _texts(value: JsonValue, what: str) -> tuple[str, ...]:
    return list_of(text_of, value, what)


def _text_or_none(value: JsonValue, what: str) -> str | None:
    return optional_of(text_of, value, what)


def _number_or_none(value: JsonValue, what: str) -> int | None:
    return optional_of(integer_of, value, what)


def _or_none(read: Callable[[JsonValue, str], _Value]) -> Callable[[JsonValue, str], _Value | None]:
    return lambda value, what: optional_of(read, value, what)


def _word(words: type[_Word]) -> Callable[[JsonValue, str], _Word]:
    def read(value: JsonValue, what: str) -> _Word:
        text = text_of(value, what)
        if text not in list(words):
            raise malformed(f"{what} is none of {', '.join(words)}")
        return words(text)

    return read


def _words(words: type[_Word]) -> Callable[[JsonValue, str], tuple[_Word, ...]]:
    return lambda value, what: list_of(_word(words), value, what)
