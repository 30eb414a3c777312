"""Choose a device by the fingerprint of a cosigner, and by nothing else: none or two are an error.

A fingerprint is four bytes that any device can claim. It finds the device; whose device it is,
the key at the cosigner's path says (`device_key.py`).
"""

import re
from collections.abc import Sequence

from custody.codes import Code
from custody.errors import DeviceUnavailable, Finding, InvalidInput
from custody.ports import BusReport, FoundDevice
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault

_FINGERPRINT = re.compile(r"[0-9a-fA-F]{8}", re.ASCII)


def fingerprint_of(text: str) -> bytes | None:
    """Return the fingerprint that `text` spells, None where it is none."""
    return bytes.fromhex(text) if _FINGERPRINT.fullmatch(text) else None


def cosigner_named(vault: Vault, named: str) -> Cosigner:
    """Return the cosigner of a name, or of a fingerprint that one cosigner alone has.

    Raises:
        InvalidInput: COSIGNER_UNKNOWN.
    """
    by_name = [one for one in vault.cosigners if one.name == named]
    fingerprint = fingerprint_of(named)
    found = by_name or [one for one in vault.cosigners if one.fingerprint == fingerprint]
    if len(found) == 1:
        return found[0]
    known = ", ".join(f"{one.name} ({one.fingerprint.hex()})" for one in vault.cosigners)
    count = "several cosigners have" if found else "no cosigner has"
    raise InvalidInput(
        Code.COSIGNER_UNKNOWN,
        f"{count} the name or fingerprint `{named}`",
        advice=f"Name one of this vault's: {known}.",
    )


def choose_device(report: BusReport, fingerprint: bytes) -> FoundDevice:
    """Return the one connected device with `fingerprint` (four bytes), ready for use.

    Raises:
        DeviceUnavailable: DEVICE_ABSENT, DEVICE_AMBIGUOUS, or why it can't be used now.
    """
    found = [one for one in report.devices if one.fingerprint == fingerprint]
    if len(found) > 1:
        raise DeviceUnavailable(
            Code.DEVICE_AMBIGUOUS,
            f"{len(found)} connected devices say that they have fingerprint {fingerprint.hex()}",
            advice="Unplug all but the one that you mean, and find out why there are two.",
            points=[describe(one) for one in found],
        )
    if not found:
        raise _absent(report, fingerprint)
    require_ready(found[0])
    return found[0]


def require_ready(device: FoundDevice) -> None:
    """Refuse a device that can't be used now.

    Raises:
        DeviceUnavailable: with the code of its problem.
    """
    if device.problem is not None:
        raise _as_error(device.problem)


def describe(device: FoundDevice) -> str:
    """Return a device in a few words, all of them its own or its driver's claims."""
    fingerprint = device.fingerprint.hex() if device.fingerprint else "no fingerprint"
    firmware = f" firmware {device.firmware}" if device.firmware else ""
    return f"{device.model or device.driver}{firmware}, {fingerprint}, at {device.path or 'an unnamed place'}"


def _absent(report: BusReport, fingerprint: bytes) -> DeviceUnavailable:
    """Say that the device is not there, and first of all what kept us from seeing it."""
    hidden = [one.problem for one in report.devices if one.fingerprint is None and one.problem is not None]
    reasons: Sequence[Finding] = (*hidden, *report.problems)
    if len(reasons) == 1 and not any(one.fingerprint for one in report.devices):
        return _as_error(reasons[0])  # one thing is wrong, and it hides what is connected
    others = [describe(one) for one in report.devices if one.fingerprint is not None]
    points = [f"{one.message} ({one.code}): {one.advice}" for one in reasons]
    points += [f"connected is another: {one}" for one in others]
    return DeviceUnavailable(
        Code.DEVICE_ABSENT,
        f"no connected device has fingerprint {fingerprint.hex()}",
        advice="Plug it in, unlock it, open its Bitcoin app, then try again; `custody device list` shows what is seen.",
        points=points,
    )


def _as_error(problem: Finding) -> DeviceUnavailable:
    return DeviceUnavailable(problem.code, problem.message, advice=problem.advice)
