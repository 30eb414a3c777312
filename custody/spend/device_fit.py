"""Whether a PSBT fits the devices that are to sign it: inputs, outputs, bytes and QR codes, signer by signer.

What a device gets is its own: full previous transactions, or by QR codes without them, where its profile says so or
where the full file is larger than it reads and it signs without. A file always has them: a review demands them. Bytes
are counted as the last of m signers gets them, with the largest signatures of m - 1 others. An undescribed device, or a
limit that nobody read, never fails.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from custody.bitcoin.psbt import Psbt
from custody.bitcoin.qr_payload import PayloadKind, QrPayload, ShowAs, frame_count
from custody.codes import Code
from custody.errors import Conflict, InvalidInput, JsonValue
from custody.vault.device_checks import DescribedSigner
from custody.vault.device_profile import DeviceProfile, Limits, PsbtContent, QrDialect, Transport
from custody.vault.vault import Vault

SIGNATURE_BYTES = 108
"""Most that one signature adds to an input: length, type and key (35), length and signature with its type (73)."""

_COUNT_BYTES = 8
"""More than the count of inputs grows by."""

_SHOW_AS = {QrDialect.UR: ShowAs.UR, QrDialect.BBQR: ShowAs.BBQR}


@dataclass(frozen=True, slots=True)
class DeviceFit:
    """One signer and one PSBT."""

    cosigner: str
    device: str | None
    """Model; None where nobody described it."""
    content: PsbtContent
    """What the device would get."""
    inputs: int
    inputs_limit: int | None
    outputs: int
    outputs_limit: int | None
    bytes: int
    """Of what it would get as the last of m signers."""
    bytes_limit: int | None
    qr_frames: int | None
    """Codes that show it as it is now, once; None where it reads none, or it is too large for any number of them."""
    will_fail: tuple[str, ...]
    """Why it can't sign this, in words, whatever firmware it has."""
    may_fail: tuple[str, ...]
    """Why some firmware that it may have can't."""
    most_inputs: int | None
    """Inputs like the largest of these that it can take; None: no limit is known."""

    @property
    def fits(self) -> bool | None:
        """None where that is not known."""
        if self.will_fail:
            return False
        return None if self.device is None or self.may_fail else True

    def to_json(self) -> dict[str, JsonValue]:
        """Return the fit as answers about proposals list it under `devices`."""
        return {
            "cosigner": self.cosigner,
            "device": self.device,
            "content": str(self.content),
            "inputs": self.inputs,
            "inputs_limit": self.inputs_limit,
            "outputs": self.outputs,
            "outputs_limit": self.outputs_limit,
            "bytes": self.bytes,
            "bytes_limit": self.bytes_limit,
            "qr_frames": self.qr_frames,
            "fits": self.fits,
            "will_fail": [*self.will_fail],
            "may_fail": [*self.may_fail],
        }


@dataclass(frozen=True, slots=True)
class SignerDevice:
    """A described signer, with the QR dialect that is kept for it."""

    signer: DescribedSigner
    qr_dialect: QrDialect | None = None
    """None: the profile's own."""

    @property
    def dialect(self) -> QrDialect | None:
        """The dialect to show it codes in; None where it reads none."""
        if self.qr_dialect is not None:
            return self.qr_dialect
        return None if self.signer.profile.qr is None else self.signer.profile.qr.dialects[0]


def device_fits(
    psbt: Psbt, vault: Vault, devices: Mapping[str, SignerDevice], *, qr_room: int | None
) -> tuple[DeviceFit, ...]:
    """Return how a PSBT fits each cosigner's device, in the vault's order.

    `qr_room` is how many characters a QR code holds; None counts no codes.
    """
    earlier = vault.threshold - 1
    return tuple(_fit(psbt, one.name, devices.get(one.name), earlier, qr_room) for one in vault.cosigners)


def fit_by_cable(psbt: Psbt, cosigner: str, signer: DescribedSigner) -> DeviceFit:
    """Return how a PSBT, as it is now, fits a device that gets all of it by cable."""
    profile = replace(signer.profile, transports=(Transport.USB,))
    return _fit(psbt, cosigner, SignerDevice(replace(signer, profile=profile)), 0, None)


def psbt_for(psbt: Psbt, profile: DeviceProfile, firmware: str | None, *, earlier: int) -> tuple[PsbtContent, Psbt]:
    """Return what a device gets of a PSBT, and how that is called; `earlier` signers may sign before it.

    Without full previous transactions it goes by QR codes alone.
    """
    if Transport.QR not in profile.transports:
        return PsbtContent.FULL, psbt
    limit = _tight(_values(profile.limits_of(firmware), "bytes"))
    slim = replace(psbt, inputs=tuple(replace(one, non_witness_utxo=None) for one in psbt.inputs))
    is_slim = profile.needs.content is PsbtContent.SLIM or (
        profile.needs.slim_allowed and limit is not None and _handed_over(psbt, earlier) > limit
    )
    if is_slim and all(one.witness_utxo is not None for one in psbt.inputs):
        return PsbtContent.SLIM, slim
    return PsbtContent.FULL, psbt


def require_fits(fit: DeviceFit) -> None:
    """Refuse to hand a PSBT to a device that can't sign it.

    Raises:
        Conflict: DEVICE_LIMIT.
    """
    if fit.will_fail:
        raise Conflict(
            Code.DEVICE_LIMIT,
            f"the device of `{fit.cosigner}` ({fit.device}) can't take this transaction: {'; '.join(fit.will_fail)}",
            advice="Let others sign it, or draft it again with fewer coins.",
            details={"device": fit.to_json()},
        )


def require_enough_fit(fits: Iterable[DeviceFit], psbt: Psbt, vault: Vault) -> None:
    """Refuse a PSBT that fewer devices than the quorum needs can sign. Those of which nothing is known count as able.

    Raises:
        Conflict: DEVICE_LIMIT, with the number of inputs that fits.
    """
    listed = tuple(fits)
    failing = [one for one in listed if one.will_fail]
    able = len(listed) - len(failing)
    if able >= vault.threshold:
        return
    most = _most_for_quorum(listed, vault.threshold)
    words = [f"{one.cosigner} ({one.device}): {', '.join(one.will_fail)}" for one in failing]
    raise Conflict(
        Code.DEVICE_LIMIT,
        f"only {able} of the {vault.threshold} signers that it needs can take this transaction",
        points=words,
        advice=_advice(psbt, most),
        details={
            "inputs": len(psbt.inputs),
            "inputs_fit": most,
            "largest_coins_sats": None if most is None else _largest_sum(psbt, most),
            "devices": [one.to_json() for one in listed],
        },
    )


def _fit(psbt: Psbt, cosigner: str, device: SignerDevice | None, earlier: int, qr_room: int | None) -> DeviceFit:
    profile = None if device is None else device.signer.profile
    possible = () if device is None or profile is None else profile.limits_of(device.signer.firmware)
    firmware = None if device is None else device.signer.firmware
    content, given = (PsbtContent.FULL, psbt) if profile is None else psbt_for(psbt, profile, firmware, earlier=earlier)
    size = _handed_over(given, earlier)
    amounts = {"inputs": len(psbt.inputs), "outputs": len(psbt.outputs), "bytes": size}
    dialect = QrDialect.UR if device is None else device.dialect
    tight = {what: _tight(_values(possible, what)) for what in amounts}
    will_fail = tuple(_words(what, amounts[what], _loose(_values(possible, what))) for what in amounts)
    may_fail = tuple(_words(what, amounts[what], tight[what]) for what in amounts)
    return DeviceFit(
        cosigner=cosigner,
        device=None if profile is None else profile.model,
        content=content,
        inputs=len(psbt.inputs),
        inputs_limit=tight["inputs"],
        outputs=len(psbt.outputs),
        outputs_limit=tight["outputs"],
        bytes=size,
        bytes_limit=tight["bytes"],
        qr_frames=None if dialect is None or qr_room is None else _frames(given, dialect, qr_room),
        will_fail=tuple(filter(None, will_fail)),
        may_fail=tuple(filter(None, may_fail)),
        most_inputs=_most_inputs(given, tight, earlier),
    )


def _values(possible: Iterable[Limits], what: str) -> tuple[int | None, ...]:
    return tuple({"inputs": one.inputs, "outputs": one.outputs, "bytes": one.psbt_bytes}[what] for one in possible)


def _tight(values: tuple[int | None, ...]) -> int | None:
    """The lowest limit that may hold."""
    return min((one for one in values if one is not None), default=None)


def _loose(values: tuple[int | None, ...]) -> int | None:
    """The limit that holds whatever firmware it is."""
    known = [one for one in values if one is not None]
    return max(known) if known and len(known) == len(values) else None


def _words(what: str, amount: int, limit: int | None) -> str:
    return "" if limit is None or amount <= limit else f"{amount} {what}, at most {limit}"


def _handed_over(psbt: Psbt, earlier: int) -> int:
    present = max((len(one.partial_signatures) for one in psbt.inputs), default=0)
    return len(psbt.serialize()) + max(earlier - present, 0) * len(psbt.inputs) * SIGNATURE_BYTES


def _most_inputs(psbt: Psbt, tight: Mapping[str, int | None], earlier: int) -> int | None:
    by_count, limit = tight["inputs"], tight["bytes"]
    if limit is None or _handed_over(psbt, earlier) <= limit:
        return by_count
    shared = len(replace(psbt, inputs=()).serialize()) + _COUNT_BYTES
    largest = max(_handed_over(replace(psbt, inputs=(one,)), earlier) for one in psbt.inputs) - shared
    by_bytes = max((limit - shared) // (largest + _COUNT_BYTES), 0)
    return by_bytes if by_count is None else min(by_count, by_bytes)


def _most_for_quorum(fits: Iterable[DeviceFit], threshold: int) -> int | None:
    """Return the most inputs that some quorum can take; None where outputs are the trouble, or nothing is known."""
    most = sorted((one.most_inputs for one in fits if one.most_inputs is not None), reverse=True)
    free = sum(1 for one in fits if one.most_inputs is None)
    return None if free >= threshold or not most else most[threshold - free - 1]


def _advice(psbt: Psbt, most: int | None) -> str:
    if not most or most >= len(psbt.inputs):
        return "Pay fewer people at once, or describe devices that can (`custody cosigner describe`)."
    return (
        f"Spend at most {most} coins at once, in several drafts (`--coin`): the {most} largest of these hold "
        f"{_largest_sum(psbt, most)} sat."
    )


def _largest_sum(psbt: Psbt, count: int) -> int:
    values = sorted((0 if one.witness_utxo is None else one.witness_utxo.value for one in psbt.inputs), reverse=True)
    return sum(values[:count])


def _frames(psbt: Psbt, dialect: QrDialect, room: int) -> int | None:
    try:
        return frame_count(QrPayload(PayloadKind.PSBT, psbt.serialize()), _SHOW_AS[dialect], room)
    except InvalidInput:
        return None
