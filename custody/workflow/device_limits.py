"""Whether the described devices can take a proposal's PSBT: asked before it is drafted and whenever it is shown."""

from collections.abc import Mapping

from custody.audit.signer_findings import described_signers
from custody.audit.signers import Signers
from custody.audit.state import State
from custody.bitcoin.psbt import Psbt
from custody.codes import Code
from custody.errors import Finding, Severity
from custody.spend.device_fit import (
    DeviceFit,
    SignerDevice,
    device_fits,
    fit_by_cable,
    require_enough_fit,
    require_fits,
)
from custody.vault.cosigner import Cosigner
from custody.vault.device_checks import DescribedSigner
from custody.vault.device_profile import DeviceProfile, QrDialect
from custody.vault.vault import Vault


def signer_devices(signers: Signers, profiles: Mapping[str, DeviceProfile]) -> dict[str, SignerDevice]:
    """Return the described devices of known models, each with the QR dialect that was said of it."""
    return {
        name: SignerDevice(signer, _dialect(signers, name))
        for name, signer in described_signers(signers, profiles).items()
    }


def fits_of(
    psbt: Psbt, vault: Vault, state: State, profiles: Mapping[str, DeviceProfile], *, qr_room: int
) -> tuple[DeviceFit, ...]:
    """Return how a PSBT fits the device of each cosigner, by what the journal says of them."""
    return device_fits(psbt, vault, signer_devices(state.signers, profiles), qr_room=qr_room)


def require_signable(psbt: Psbt, vault: Vault, state: State, profiles: Mapping[str, DeviceProfile]) -> None:
    """Refuse a PSBT that fewer devices than the quorum can take.

    Raises:
        Conflict: DEVICE_LIMIT.
    """
    devices = signer_devices(state.signers, profiles)
    if devices:
        require_enough_fit(device_fits(psbt, vault, devices, qr_room=None), psbt, vault)


def cable_findings(
    psbt: Psbt, cosigner: Cosigner, profile: DeviceProfile | None, firmware: str | None
) -> list[Finding]:
    """Return a note where the connected device may not take the PSBT, by what its profile says of its firmware.

    Raises:
        Conflict: DEVICE_LIMIT, it surely can't.
    """
    if profile is None:
        return []
    fit = fit_by_cable(psbt, cosigner.name, DescribedSigner(profile, firmware))
    require_fits(fit)
    if not fit.may_fail:
        return []
    return [
        Finding(
            Code.DEVICE_LIMIT,
            Severity.NOTE,
            cosigner.where,
            f"the device of `{cosigner.name}` ({profile.name}) may not take this: {'; '.join(fit.may_fail)}",
            "Read its firmware's version on the device; if it refuses, let others sign, or draft with fewer coins.",
        )
    ]


def _dialect(signers: Signers, name: str) -> QrDialect | None:
    said = signers.of(name).description
    return None if said is None or said.qr_dialect is None else QrDialect(said.qr_dialect)
