"""What there is to say of a vault's signers, from the journal and the devices' profiles: for officers and auditors.

A registration or a check is somebody's record, not a proof of today; what it says is compared with what was described
since. Nothing here is a condition of a payment.
"""

from collections.abc import Iterator, Mapping

from custody.audit.signers import SignerRecord, Signers
from custody.codes import Code
from custody.errors import Finding, Severity
from custody.vault.device_checks import DescribedSigner, device_findings
from custody.vault.device_firmware import same_version
from custody.vault.device_profile import DeviceProfile, RegistrationMethod
from custody.vault.vault import Vault

_MISMATCHES = {"key": Code.DEVICE_KEY_MISMATCH, "address": Code.DEVICE_ADDRESS_MISMATCH}


def described_signers(signers: Signers, profiles: Mapping[str, DeviceProfile]) -> dict[str, DescribedSigner]:
    """Return the cosigners' devices that were described and whose model is known here."""
    return {
        name: DescribedSigner(profiles[said.device], said.firmware, said.seed_firmware, said.custodian, said.place)
        for name, record in signers.records.items()
        if (said := record.description) is not None and said.device in profiles
    }


def signer_findings(vault: Vault, signers: Signers, profiles: Mapping[str, DeviceProfile]) -> tuple[Finding, ...]:
    """Return every finding about the vault's devices: what they can't do, what is in one hand, what is not proven.

    Nothing about a cosigner of whose device the journal says nothing.
    """
    described = described_signers(signers, profiles)
    found = list(device_findings(vault, described))
    for cosigner in vault.cosigners:
        record = signers.of(cosigner.name)
        signer = described.get(cosigner.name)
        found += _record_findings(cosigner.name, record, None if signer is None else signer.profile)
        if standing_registration(record, profiles) is False:
            found.append(_unregistered(cosigner.name, described[cosigner.name].profile))
    return tuple(found)


def standing_registration(record: SignerRecord, profiles: Mapping[str, DeviceProfile]) -> bool | None:
    """Tell whether the vault is registered on a described device; None where its model keeps nothing or is unknown."""
    said = record.description
    profile = None if said is None else profiles.get(said.device)
    if profile is None or profile.registration in (None, RegistrationMethod.NONE):
        return None
    return record.is_registered


def _record_findings(name: str, record: SignerRecord, profile: DeviceProfile | None) -> Iterator[Finding]:
    where, said = f"cosigner:{name}", record.description
    if record.open_mismatch is not None:
        yield Finding(
            _MISMATCHES[record.open_mismatch.what],
            Severity.REFUSE,
            where,
            f"the device of `{name}` gave another {record.open_mismatch.what} than the vault's, and no check has "
            f"passed since (entry {record.open_mismatch.seq})",
            "Sign nothing with it and use no address that it shows until you know why; then `custody device check`.",
        )
    if said is None:
        return
    if profile is None:
        yield Finding(
            Code.DEVICE_MODEL_UNKNOWN,
            Severity.NOTE,
            where,
            f"the device of `{name}` is described as `{said.device}`, of which this version knows nothing",
            "Use a newer version of this program, or describe it as `other`.",
        )
    if not record.is_proven:
        yield Finding(
            Code.DEVICE_UNPROVEN,
            Severity.WARN,
            where,
            f"the device of `{name}` {_unproven_words(record)}",
            "Check it before money depends on it: `custody device check`.",
        )


def _unregistered(name: str, profile: DeviceProfile) -> Finding:
    return Finding(
        Code.DEVICE_UNREGISTERED,
        Severity.WARN,
        f"cosigner:{name}",
        f"the vault is not registered on the device of `{name}` ({profile.name}): it may show change as a payment, "
        "or refuse",
        "Register it before money comes: `custody device register`, or as docs/devices says.",
    )


def _unproven_words(record: SignerRecord) -> str:
    check, said = record.check, record.description
    if check is None:
        return "was never checked"
    if said is not None and said.device != check.device:
        return f"is a `{said.device}` now, and a `{check.device}` was checked"
    if said is not None and not same_version(said.firmware, check.firmware):
        return f"has firmware {said.firmware or 'unknown'} now, and was checked with {check.firmware or 'unknown'}"
    return "disagreed with the vault since its last check"
