"""What a model of hardware signer can do, what it demands and what its holder sees: facts as data.

Profiles stand in YAML files beside the device code, each fact with its source; they are loaded at the edge and
passed in. `None` always means that nobody read it: an unknown limit is no limit that anything may be refused for,
and an unknown ability is none that anything may rest on. The facts were read from firmware and drivers, not tried
on devices.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.errors import Severity
from custody.vault.device_firmware import FirmwareRange


class Transport(StrEnum):
    """A way in which a PSBT reaches the device and comes back."""

    USB = "usb"
    SD = "sd"
    QR = "qr"
    NFC = "nfc"


class RegistrationMethod(StrEnum):
    """How a vault becomes known to the device."""

    POLICY = "policy"
    """BIP 388 policy; the device gives out an HMAC that must be kept."""
    FILE = "file"
    """A file or QR code with the quorum, imported on the device and stored there."""
    SCRIPT_CONFIG = "script-config"
    """Sent by the program, named and stored on the device."""
    RECORD = "record"
    """Sent by the program, stored on the device under a name that the program chose."""
    NONE = "none"
    """The device keeps nothing: it judges each transaction by itself."""


class Need(StrEnum):
    """What happens where a PSBT lacks a field."""

    REQUIRED = "required"
    """It does not sign."""
    FOR_CHANGE = "for-change"
    """It signs, and shows change as if it were a payment."""
    WARNS = "warns"
    """It signs after a warning on its screen."""
    IF_PRESENT = "if-present"
    """Not needed; where it is there, it must be exactly right."""
    UNUSED = "unused"


class ChangeCheck(StrEnum):
    """How the device knows that an output is change."""

    REGISTERED = "registered"
    """It derives the output from the vault that is registered on it."""
    TRANSACTION = "transaction"
    """It compares the output with the inputs of the same transaction: a change of quorum within it shows."""
    SCAN = "scan"
    """Only where the holder lets it read the descriptor first."""
    PATH = "path"
    """It believes the derivation path that the file claims."""
    NEVER = "never"


class QrDialect(StrEnum):
    """How payloads are put into QR codes."""

    UR = "ur"
    BBQR = "bbqr"


class PsbtEncoding(StrEnum):
    """How a PSBT stands in a file."""

    BINARY = "binary"
    BASE64 = "base64"


class PsbtContent(StrEnum):
    """How much of each input's past a PSBT carries for this device."""

    FULL = "full"
    """The full previous transaction and the output that is spent."""
    SLIM = "slim"
    """The output alone: for devices that choke on previous transactions."""


class MessageProof(StrEnum):
    """What the device does with a PSBT that proves control and can't spend."""

    SHOWS = "shows"
    """It signs, and shows the message."""
    BLIND = "blind"
    """It signs, and shows a transaction: the message must be compared elsewhere."""
    REFUSES = "refuses"


class AdvisorySubject(StrEnum):
    """Which firmware an advisory is about."""

    SEED = "seed"
    """The one that made the seed: a newer one on the device mends nothing."""
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one range of firmware can do. None: not known, or no limit beyond Bitcoin's own."""

    firmware: FirmwareRange
    cosigners: int | None
    inputs: int | None
    outputs: int | None
    psbt_bytes: int | None
    """Of the PSBT in binary."""
    name_length: int | None
    """Of the vault's name on the device, in characters."""
    scripts: frozenset[ScriptType] | None
    networks: Mapping[Network, Mapping[Transport, str]] | None
    """By network and route, the bech32 prefix of the addresses that it shows: `bc`, `tb` or `bcrt`. What is missing
    can't be used on the device at all."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a PSBT must carry for this device."""

    global_xpubs: Need | None
    full_previous: Need | None
    """PSBT_IN_NON_WITNESS_UTXO of segwit inputs."""
    content: PsbtContent
    """What an export for this device carries unless somebody says otherwise."""
    slim_allowed: bool
    """Whether it signs without full previous transactions."""
    trims_answer: bool
    """Whether what comes back holds signatures only, so that it must be combined with the original."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """Which proofs of control the device signs."""

    bip322: MessageProof | None
    bip322_since: FirmwareRange
    """Firmware for which `bip322` was read."""
    bip127: MessageProof | None


@dataclass(frozen=True, slots=True)
class CardFiles:
    """PSBT files on a memory card. In names, `{base}` is the name that went in without its ending."""

    encoding: PsbtEncoding
    """What to write for it."""
    reads: tuple[str, ...]
    """Endings of names that it offers to its holder."""
    writes: tuple[str, ...]
    """Names of what it writes; `*` is anything."""
    answer_encoding: PsbtEncoding | None
    """None: as it came in."""
    overwrites_input: bool
    """Whether it blanks or deletes the file that went in."""


@dataclass(frozen=True, slots=True)
class QrCodes:
    """QR codes that the device reads and shows."""

    dialects: tuple[QrDialect, ...]
    """Those of PSBTs, the one to use first."""
    ur_type: str | None
    """UR type of PSBTs."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What the holder sees before signing."""

    lines: tuple[str, ...]
    """In the order in which the screens come."""
    change: str
    """What happens to an output that the device takes for change."""
    change_check: ChangeCheck | None
    fee: bool | None
    locktime: bool | None


@dataclass(frozen=True, slots=True)
class Driver:
    """How a driver library calls this model."""

    names: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advisory:
    """Something published about a range of firmware, and what to do about it."""

    name: str
    subject: AdvisorySubject
    severity: Severity
    affected: tuple[FirmwareRange, ...]
    text: str
    advice: str
    source: str

    def affects(self, version: str | None) -> bool | None:
        """Tell whether it is about this version; None where the version is unknown."""
        answers = [one.holds(version) for one in self.affected]
        if True in answers:
            return True
        return None if None in answers else False


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """One model of hardware signer."""

    model: str
    """Id, such as `coldcard-mk4`."""
    name: str
    vendor: str | None
    """None: unknown, which is never taken for the same as another's."""
    read_on: str
    """Day on which the sources were read."""
    refused: str | None
    """Why no vault should have it, in words; None where it may."""
    transports: tuple[Transport, ...]
    hwi: Driver | None
    """None: no driver in HWI 3.2.0."""
    registration: RegistrationMethod | None
    registration_routes: tuple[Transport, ...]
    limits: tuple[Limits, ...]
    """One per range of firmware; together they cover every version that is known."""
    needs: Needs
    card: CardFiles | None
    qr: QrCodes | None
    screen: Screen | None
    proofs: Proofs
    advisories: tuple[Advisory, ...]
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where each fact was read, by its place in the file, such as `limits[0].inputs`."""

    def limits_of(self, firmware: str | None) -> tuple[Limits, ...]:
        """Return the limits that may hold: one for a version that a range holds, every one for an unknown version.

        Empty for a version that lies in no range: nothing is known of it.
        """
        certain = tuple(one for one in self.limits if one.firmware.holds(firmware))
        return certain or tuple(one for one in self.limits if one.firmware.holds(firmware) is None)


def models_for_driver(profiles: Mapping[str, DeviceProfile], driver: str, driver_model: str) -> tuple[str, ...]:
    """Return the ids of the models that a driver may mean: none, one, or several that it can't tell apart."""
    return tuple(
        model
        for model, profile in profiles.items()
        if profile.hwi is not None and driver in profile.hwi.names and _is_called(driver_model, profile.hwi.models)
    )


def _is_called(driver_model: str, models: Collection[str]) -> bool:
    return driver_model.removesuffix("_simulator") in models
