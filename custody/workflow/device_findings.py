"""What to know of a cosigner's device before it signs: registered, checked, and on good terms with the vault.

Warnings are acknowledged like those of a review; after an alarm the device signs nothing until it passes a check.
"""

from collections.abc import Sequence

from custody.audit.signers import SignerMismatch, SignerRecord
from custody.codes import Code
from custody.errors import CheckFailed, Finding, Severity
from custody.ports import Registration
from custody.vault.cosigner import Cosigner
from custody.vault.device_firmware import same_version
from custody.vault.device_profile import RegistrationMethod
from custody.workflow.device_facts import Profiles


def signing_findings(
    cosigner: Cosigner,
    record: SignerRecord,
    *,
    model: str,
    firmware: str | None,
    profiles: Profiles,
    key_was_compared: bool,
) -> tuple[Finding, ...]:
    """Return what to know of a device before it signs; each warning must be acknowledged, and what refuses stops it."""
    findings: list[Finding] = []
    if record.open_mismatch is not None:
        findings.append(_disagreed(cosigner, record.open_mismatch))
    profile = profiles.get(model)
    keeps = profile is None or profile.registration is not RegistrationMethod.NONE
    if keeps and not is_registered(record, model):
        findings.append(
            _warn(
                Code.DEVICE_UNREGISTERED,
                cosigner,
                f"the journal holds no registration of this vault on the device of `{cosigner.name}`: it may refuse, "
                "or show change as a payment",
                f"Register it first with `custody device register {cosigner.name}`.",
            )
        )
    if record.open_mismatch is None and not is_proven_as(record, model, firmware):
        findings.append(
            _warn(
                Code.DEVICE_UNPROVEN,
                cosigner,
                f"the device of `{cosigner.name}` {_unproven_words(record, model, firmware)}",
                f"Check it first with `custody device check {cosigner.name}`; nothing can be spent by that.",
            )
        )
    if not key_was_compared:
        findings.append(
            Finding(
                Code.DEVICE_KEY_UNCOMPARED,
                Severity.NOTE,
                cosigner.where,
                "the signer's program gives out no key: whose device it is shows only in its signature",
                "Nothing to do: the signature is verified before it is recorded.",
            )
        )
    return tuple(findings)


def is_registered(record: SignerRecord, model: str) -> bool:
    """Whether the newest registration is on this model of device."""
    return record.registration is not None and record.registration.device == model


def is_proven_as(record: SignerRecord, model: str, firmware: str | None) -> bool:
    """Whether the device passed a check as this model with this firmware; an unknown one is not held against it."""
    check = record.check
    if check is None or not record.is_proven:
        return False
    return check.device == model and (firmware is None or same_version(check.firmware, firmware))


def kept_registration(record: SignerRecord, model: str, cosigner: str) -> Registration | None:
    """Return what was kept when the vault was registered on this device, None where nothing was.

    Raises:
        CheckFailed: POLICY_HMAC_UNKNOWN, a token that another model gave out: it is never tried, nor left out.
    """
    kept = record.registration
    if kept is None or kept.device == model:
        return None if kept is None else Registration(kept.method, kept.name, kept.policy_id, kept.token)
    if kept.token is None:
        return None
    raise CheckFailed(
        Code.POLICY_HMAC_UNKNOWN,
        f"the registration kept for `{cosigner}` was made on `{kept.device}`, connected is `{model}`",
        advice=f"If the device was exchanged on purpose, run `custody device register {cosigner}` with the new one.",
    )


def require_trusted(findings: Sequence[Finding]) -> None:
    """Demand that nothing about a device refuses.

    Raises:
        CheckFailed: DEVICE_KEY_MISMATCH or DEVICE_ADDRESS_MISMATCH, an alarm after which no check has passed.
    """
    for one in findings:
        if one.severity is Severity.REFUSE:
            raise CheckFailed(one.code, one.message, advice=one.advice)


def require_compared(cosigner: Cosigner, record: SignerRecord, *, compared: bool) -> None:
    """Demand that an address was compared where the device showed another one before: else the alarm would end unseen.

    Raises:
        CheckFailed: DEVICE_ADDRESS_MISMATCH.
    """
    since = -1 if record.check is None else record.check.seq
    alarm = next((one for one in record.mismatches if one.what == "address" and one.seq > since), None)
    if compared or alarm is None:
        return
    raise CheckFailed(
        Code.DEVICE_ADDRESS_MISMATCH,
        f"the device of `{cosigner.name}` showed another address than the vault's (journal entry {alarm.seq}), "
        "and none was compared now: that ends no alarm",
        advice="Let the device show receive address 0 and compare it; if it can't, replace the device.",
    )


def _disagreed(cosigner: Cosigner, mismatch: SignerMismatch) -> Finding:
    return Finding(
        Code.DEVICE_KEY_MISMATCH if mismatch.what == "key" else Code.DEVICE_ADDRESS_MISMATCH,
        Severity.REFUSE,
        cosigner.where,
        f"the device of `{cosigner.name}` gave another {mismatch.what} than the vault's (journal entry {mismatch.seq}) "
        "and has passed no check since",
        f"Find out why. Once you know, `custody device check {cosigner.name}` proves it anew, and it may sign.",
    )


def _unproven_words(record: SignerRecord, model: str, firmware: str | None) -> str:
    if record.check is None:
        return "was never checked"
    was = f"a {record.check.device} with firmware {record.check.firmware or 'unknown'}"
    return f"is a {model} with firmware {firmware or 'unknown'} now; {was} was checked"


def _warn(code: Code, cosigner: Cosigner, message: str, advice: str) -> Finding:
    return Finding(code, Severity.WARN, cosigner.where, message, advice)
