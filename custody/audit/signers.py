"""What the journal says of each cosigner's device: described by its custodian, registered, checked.

These entries are claims of whoever wrote them and grant nothing: no signature and no approval
rests on them. They let the software say in time that a device can't do what is asked of it.
A token from registration is public data (BIP 388): useless without the device that made it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from custody.audit.journal import Entry, EntryTip
from custody.errors import JsonValue
from custody.spend.document import (
    fields_of,
    hash_of,
    hex_of,
    integer_of,
    list_of,
    malformed,
    optional_of,
    text_of,
)
from custody.vault.device_firmware import same_version

DESCRIBED = "cosigner_described"
REGISTERED = "device_registered"
CHECKED = "device_checked"
MISMATCH = "device_mismatch"
REHEARSED = "rehearsal_signed"
SIGNER_KINDS = frozenset({DESCRIBED, REGISTERED, CHECKED, MISMATCH, REHEARSED})

REGISTRATION_METHODS = ("policy", "file", "script-config", "record", "none")
ROUTES = ("usb", "file", "qr")
DIALECTS = ("ur", "bbqr")
TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class SignerDescription:
    """What a custodian says of the device that holds one cosigner's key. Any but `device` may be unknown (None)."""

    device: str
    """Id of a device profile, such as `coldcard-mk4`."""
    firmware: str | None
    """Version that runs on it now."""
    seed_firmware: str | None
    """Version that made the seed: it decides whether an advisory touches the key."""
    custodian: str | None
    place: str | None
    qr_dialect: str | None
    """`ur` or `bbqr`, where it is not the profile's own."""
    seq: int
    """Position of the entry in the journal."""


@dataclass(frozen=True, slots=True)
class SignerRegistration:
    """That the vault was registered on the device, and what it gave out for that."""

    device: str
    firmware: str | None
    method: str
    name: str
    policy_id: str | None
    token: bytes | None
    seq: int


@dataclass(frozen=True, slots=True)
class SignerCheck:
    """That the device exported its key, showed an address and signed an unspendable transaction, all verified."""

    device: str
    firmware: str | None
    route: str
    unsigned_txid: str
    """Of the rehearsal."""
    seq: int


@dataclass(frozen=True, slots=True)
class SignerMismatch:
    """That a device gave another key or address than the vault's: somebody has to find out why."""

    what: str
    expected: str
    got: str
    seq: int


@dataclass(frozen=True, slots=True)
class SignedRehearsal:
    """One cosigner's signatures of an unspendable transaction, which follows from vault and number alone.

    They are judged again wherever they are used; an auditor with the vault file can do the same.
    """

    number: int
    """Which rehearsal of the vault, counted from 1."""
    unsigned_txid: str
    signatures: tuple[tuple[bytes, bytes], ...]
    """(public key, DER signature with its type byte) for each input in order."""
    seq: int
    tip: EntryTip | None = None
    """The chain's newest block as the entry saw it, None before the first sync."""


@dataclass(frozen=True, slots=True)
class SignerRecord:
    """All that the journal says of one cosigner's device, the newest of each kind."""

    description: SignerDescription | None = None
    registration: SignerRegistration | None = None
    check: SignerCheck | None = None
    mismatches: tuple[SignerMismatch, ...] = ()
    rehearsals: tuple[SignedRehearsal, ...] = ()

    def rehearsal(self, number: int) -> SignedRehearsal | None:
        """Return what this cosigner signed of one rehearsal, the newest, None where nothing."""
        return next((one for one in reversed(self.rehearsals) if one.number == number), None)

    @property
    def open_mismatch(self) -> SignerMismatch | None:
        """The newest disagreement with the vault after which no check has passed."""
        newest = self.mismatches[-1] if self.mismatches else None
        return newest if newest is not None and (self.check is None or newest.seq > self.check.seq) else None

    @property
    def is_registered(self) -> bool:
        """Registered on the model that it is described as now; a newer firmware keeps what was registered."""
        registration, said = self.registration, self.description
        return registration is not None and (said is None or said.device == registration.device)

    @property
    def is_proven(self) -> bool:
        """Checked as the device and firmware that it is described as now, and since its last mismatch.

        A description without a firmware leaves it to what the device tells when it is checked afterwards.
        """
        check, said = self.check, self.description
        if check is None or self.open_mismatch is not None:
            return False
        if said is None:
            return True
        is_left_to_it = said.firmware is None and said.seq < check.seq
        return said.device == check.device and (is_left_to_it or same_version(said.firmware, check.firmware))


@dataclass(frozen=True, slots=True)
class Signers:
    """The devices of a vault, by cosigner's name; a cosigner of whom nothing is known has an empty record."""

    records: Mapping[str, SignerRecord] = field(default_factory=dict)

    def of(self, cosigner: str) -> SignerRecord:
        """Return what is known of one cosigner's device."""
        return self.records.get(cosigner, SignerRecord())

    @property
    def newest_rehearsal(self) -> int:
        """The highest number of a rehearsal that anybody signed, 0 where none."""
        return max((one.number for record in self.records.values() for one in record.rehearsals), default=0)


def apply_signer_event(signers: Signers, entry: Entry, cosigners: Collection[str]) -> Signers:
    """Return the signers after one entry of `SIGNER_KINDS`.

    Raises:
        InvalidInput: a body of a wrong shape, or about a cosigner that the vault has not.
    """
    name = text_of(entry.body.get("cosigner"), "cosigner")
    if name not in cosigners:
        raise malformed(f"the vault has no cosigner `{name}`")
    return Signers({**signers.records, name: _STEPS[entry.kind](signers.of(name), entry)})


def _described(record: SignerRecord, entry: Entry) -> SignerRecord:
    keys = ("cosigner", "device", "firmware", "seed_firmware", "custodian", "place", "qr_dialect")
    body = fields_of(entry.body, "the body", keys)
    dialect = optional_of(text_of, body["qr_dialect"], "qr_dialect")
    said = SignerDescription(
        device=text_of(body["device"], "device"),
        firmware=optional_of(text_of, body["firmware"], "firmware"),
        seed_firmware=optional_of(text_of, body["seed_firmware"], "seed_firmware"),
        custodian=optional_of(text_of, body["custodian"], "custodian"),
        place=optional_of(text_of, body["place"], "place"),
        qr_dialect=None if dialect is None else _choice(dialect, DIALECTS, "qr_dialect"),
        seq=entry.seq,
    )
    return replace(record, description=said)


def _registered(record: SignerRecord, entry: Entry) -> SignerRecord:
    keys = ("cosigner", "device", "firmware", "method", "name", "policy_id", "token")
    body = fields_of(entry.body, "the body", keys)
    token = optional_of(hex_of, body["token"], "token")
    if token is not None and len(token) != TOKEN_BYTES:
        raise malformed(f"token is not {TOKEN_BYTES} bytes")
    registration = SignerRegistration(
        device=text_of(body["device"], "device"),
        firmware=optional_of(text_of, body["firmware"], "firmware"),
        method=_choice(text_of(body["method"], "method"), REGISTRATION_METHODS, "method"),
        name=text_of(body["name"], "name"),
        policy_id=optional_of(hash_of, body["policy_id"], "policy_id"),
        token=token,
        seq=entry.seq,
    )
    return replace(record, registration=registration)


def _checked(record: SignerRecord, entry: Entry) -> SignerRecord:
    body = fields_of(entry.body, "the body", ("cosigner", "device", "firmware", "route", "unsigned_txid"))
    check = SignerCheck(
        device=text_of(body["device"], "device"),
        firmware=optional_of(text_of, body["firmware"], "firmware"),
        route=_choice(text_of(body["route"], "route"), ROUTES, "route"),
        unsigned_txid=hash_of(body["unsigned_txid"], "unsigned_txid"),
        seq=entry.seq,
    )
    return replace(record, check=check)


def _mismatched(record: SignerRecord, entry: Entry) -> SignerRecord:
    body = fields_of(entry.body, "the body", ("cosigner", "what", "expected", "got"))
    mismatch = SignerMismatch(
        what=_choice(text_of(body["what"], "what"), ("key", "address"), "what"),
        expected=text_of(body["expected"], "expected"),
        got=text_of(body["got"], "got"),
        seq=entry.seq,
    )
    return replace(record, mismatches=(*record.mismatches, mismatch))


def _rehearsed(record: SignerRecord, entry: Entry) -> SignerRecord:
    body = fields_of(entry.body, "the body", ("cosigner", "number", "unsigned_txid", "signatures"))
    number = integer_of(body["number"], "number")
    if number < 1:
        raise malformed("number is not counted from 1")
    rehearsal = SignedRehearsal(
        number=number,
        unsigned_txid=hash_of(body["unsigned_txid"], "unsigned_txid"),
        signatures=list_of(_signature, body["signatures"], "signatures"),
        seq=entry.seq,
        tip=entry.tip,
    )
    return replace(record, rehearsals=(*record.rehearsals, rehearsal))


def _signature(value: JsonValue, what: str) -> tuple[bytes, bytes]:
    fields = fields_of(value, what, ("public_key", "signature"))
    return hex_of(fields["public_key"], "public_key"), hex_of(fields["signature"], "signature")


def _choice(value: str, choices: tuple[str, ...], what: str) -> str:
    if value not in choices:
        raise malformed(f"{what} is none of {', '.join(choices)}")
    return value


_STEPS = {
    DESCRIBED: _described,
    REGISTERED: _registered,
    CHECKED: _checked,
    MISMATCH: _mismatched,
    REHEARSED: _rehearsed,
}
