"""One device of a bus as a `SigningDevice`: chosen by fingerprint alone, its key compared, then asked to sign.

A fingerprint is 32 bits that anybody can have by trying; so before the PSBT leaves, the device's key at
the cosigner's path is compared whole with the vault's (A113). What comes back is only read here:
whose signatures count is for the workflow, which verifies each.
"""

from dataclasses import dataclass

from custody.bitcoin.keys import ExtendedKey
from custody.bitcoin.psbt import Psbt
from custody.codes import Code
from custody.errors import CheckFailed, DeviceUnavailable, InvalidInput
from custody.ports import BusReport, DeviceDisplay, FoundDevice, Registration, SignerBus
from custody.vault.cosigner import Cosigner
from custody.vault.vault import Vault
from custody_hardware.signer_process import invalid_answer


def choose(report: BusReport, fingerprint: bytes) -> FoundDevice:
    """Return the one connected device with the fingerprint.

    Raises:
        DeviceUnavailable: DEVICE_AMBIGUOUS for two; for none the one problem that explains it, or
            DEVICE_ABSENT with what else is there.
    """
    found = [device for device in report.devices if device.fingerprint == fingerprint]
    if len(found) > 1:
        places = ", ".join(f"{device.driver} at `{device.path}`" for device in found)
        raise DeviceUnavailable(
            Code.DEVICE_AMBIGUOUS,
            f"{len(found)} connected devices have the fingerprint {fingerprint.hex()}: {places}",
            advice="Unplug all but the one that is meant; ask why a second one has the same seed, or claims to.",
        )
    if not found:
        raise _absent(report, fingerprint)
    device = found[0]
    if device.problem is not None:
        raise DeviceUnavailable(device.problem.code, device.problem.message, advice=device.problem.advice)
    return device


def require_key(bus: SignerBus, device: FoundDevice, cosigner: Cosigner, vault: Vault) -> ExtendedKey:
    """Ask the device for its key at the cosigner's path, compare it whole, and return it.

    Raises:
        CheckFailed: DEVICE_KEY_MISMATCH. DeviceUnavailable: as the bus, DEVICE_UNSUPPORTED where it can't ask.
    """
    expected = cosigner.key.key
    found = bus.key(device, cosigner.key.origin.path, vault.network)
    if (found.public_key, found.chain_code) != (expected.public_key, expected.chain_code):
        raise CheckFailed(
            Code.DEVICE_KEY_MISMATCH,
            f"the device with {cosigner.name}'s fingerprint has another key at `{cosigner.key.origin.to_text()}`",
            advice="It is not the device that it claims to be: sign nothing with it, and find out whose it is.",
            details={"cosigner": cosigner.name},
        )
    return found


@dataclass(frozen=True, slots=True)
class BusDevice:
    """A connected device with the vault it signs for (a `SigningDevice`)."""

    bus: SignerBus
    device: FoundDevice
    vault: Vault
    registration: Registration | None
    """What was kept when the vault was registered on it, where it was."""

    @property
    def name(self) -> str:
        """What the device is called on screen."""
        return self.device.model or self.device.driver

    @property
    def fingerprint(self) -> bytes:
        """Master key fingerprint as the bus reports it, four bytes."""
        if self.device.fingerprint is None:
            raise DeviceUnavailable(
                Code.DEVICE_LOCKED,
                f"the device `{self.name}` tells no fingerprint",
                advice="Unlock it, then try again.",
            )
        return self.device.fingerprint

    def sign(self, psbt: bytes) -> bytes:
        """Compare the device's key, let it sign, and return what came back if it is a PSBT at all.

        Raises:
            CheckFailed: DEVICE_KEY_MISMATCH, POLICY_HMAC_UNKNOWN. NotYet: DEVICE_UNREGISTERED.
            DeviceUnavailable: every code of a device; DEVICE_ANSWER_INVALID for what is no PSBT.
        """
        cosigner = self._cosigner()
        try:
            require_key(self.bus, self.device, cosigner, self.vault)
        except DeviceUnavailable as error:
            if error.code is not Code.DEVICE_UNSUPPORTED:
                raise
            # A program that can't be asked for a key: its signature, verified afterwards, says whose it is.
        returned = self.bus.sign(self.device, self.vault, psbt, self.registration)
        try:
            Psbt.parse(returned)
        except InvalidInput as error:
            raise invalid_answer(f"it is no PSBT that can be read: {error.message}") from error
        return returned

    def display(self, psbt: bytes) -> DeviceDisplay:  # noqa: ARG002 (as the port)
        """Return nothing: what a real device shows only its holder can say."""
        return DeviceDisplay(())

    def _cosigner(self) -> Cosigner:
        for cosigner in self.vault.cosigners:
            if cosigner.fingerprint == self.fingerprint:
                return cosigner
        raise DeviceUnavailable(
            Code.DEVICE_ABSENT,
            f"the device `{self.name}` has fingerprint {self.fingerprint.hex()}, which no cosigner has",
            advice="Connect a device that holds one of this vault's keys.",
        )


def _absent(report: BusReport, fingerprint: bytes) -> DeviceUnavailable:
    locked = [device.problem for device in report.devices if device.fingerprint is None and device.problem is not None]
    problems = [*locked, *report.problems]
    if (not report.devices and len(problems) == 1) or len(locked) == 1 == len(report.devices):
        problem = problems[0]
        return DeviceUnavailable(problem.code, problem.message, advice=problem.advice)
    others = ", ".join(device.fingerprint.hex() for device in report.devices if device.fingerprint is not None)
    return DeviceUnavailable(
        Code.DEVICE_ABSENT,
        f"no connected device has the fingerprint {fingerprint.hex()}" + (f"; there is {others}" if others else ""),
        advice="Plug the right one in and unlock it; with another passphrase a device has another fingerprint.",
        points=[problem.message for problem in problems],
    )
