"""Record what a custodian says of the device that holds a cosigner's key.

What is left out keeps what was said before. Firmware and QR dialect belong to the device and are forgotten with it;
the firmware that made the seed, custodian and place belong to the key and stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from custody.audit.signer_findings import described_signers
from custody.audit.signers import DESCRIBED, SignerDescription, SignerRecord
from custody.codes import Code
from custody.documents.display import escape
from custody.errors import Conflict, Finding, InvalidInput, JsonValue, UsageError
from custody.vault.device_checks import DescribedSigner, device_findings, require_none_refuses
from custody.vault.device_profile import DeviceProfile
from custody.vault.vault import Vault
from custody.workflow.office import Desk
from custody.workflow.recorded_rehearsals import verified_signers

_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Said:
    """What is said now. None: nothing, so what was said before stays; an empty text: it is not known any more."""

    device: str | None = None
    firmware: str | None = None
    seed_firmware: str | None = None
    custodian: str | None = None
    place: str | None = None
    qr_dialect: str | None = None


def describe_cosigner(desk: Desk, cosigner: str, said: Said) -> tuple[SignerRecord, tuple[Finding, ...]]:
    """Record the description and return the signer's record, with what there is to say of it and of the whole vault.

    Raises:
        InvalidInput: COSIGNER_UNKNOWN, DEVICE_CANNOT_SIGN, or a text that no screen can show whole.
        UsageError: no device was ever named. Conflict: NOTHING_TO_DO: it is described so already.
    """
    require_cosigner(desk.vault, cosigner)
    before = desk.state.signers.of(cosigner).description
    body = _body(cosigner, before, said)
    if before is not None and body == _body(cosigner, before, Said()):
        raise Conflict(
            Code.NOTHING_TO_DO,
            f"the device of `{cosigner}` is described so already",
            advice="See `custody cosigner list`.",
        )
    events = [(DESCRIBED, body)]
    after = desk.tentative(events).signers
    all_findings = device_findings(desk.vault, described_signers(after, desk.surroundings.profiles))
    findings = tuple(one for one in all_findings if one.where in ("vault", f"cosigner:{cosigner}"))
    require_none_refuses(findings)
    desk.record(events)
    return verified_signers(desk.vault, desk.state.signers).of(cosigner), findings


def require_cosigner(vault: Vault, cosigner: str) -> None:
    """Refuse a name that the vault has not.

    Raises:
        InvalidInput: COSIGNER_UNKNOWN.
    """
    names = [one.name for one in vault.cosigners]
    if cosigner not in names:
        raise InvalidInput(
            Code.COSIGNER_UNKNOWN,
            f"the vault has no cosigner `{escape(cosigner)}`",
            advice=f"They are: {', '.join(names)}.",
        )


def first_descriptions(
    vault: Vault, devices: Sequence[tuple[str, str, str | None]], profiles: Mapping[str, DeviceProfile]
) -> tuple[list[dict[str, JsonValue]], tuple[Finding, ...]]:
    """Return the bodies that describe a new vault's devices (cosigner, model, firmware), and what they give to say.

    Raises:
        InvalidInput: COSIGNER_UNKNOWN, DEVICE_CANNOT_SIGN. UsageError: a cosigner or model that is named wrongly.
    """
    signers: dict[str, DescribedSigner] = {}
    bodies: list[dict[str, JsonValue]] = []
    for cosigner, model, firmware in devices:
        require_cosigner(vault, cosigner)
        if cosigner in signers:
            raise UsageError(
                Code.USAGE, f"two devices are named for `{cosigner}`", advice="Each key lies on one device."
            )
        if model not in profiles:
            raise UsageError(
                Code.USAGE,
                f"`{escape(model)}` is no model of device that is known here",
                advice=f"Name one of {', '.join(profiles)}; `other` is any other device.",
            )
        signers[cosigner] = DescribedSigner(profiles[model], firmware)
        bodies.append(_body(cosigner, None, Said(device=model, firmware=firmware)))
    findings = device_findings(vault, signers)
    require_none_refuses(findings)
    return bodies, findings


def _body(cosigner: str, before: SignerDescription | None, said: Said) -> dict[str, JsonValue]:
    if said.device is None and before is None:
        raise UsageError(Code.USAGE, "no device is named", advice="Say which with --device MODEL.")
    old = before or SignerDescription("", None, None, None, None, None, seq=0)
    kept = old if said.device in (None, old.device) else replace(old, firmware=None, qr_dialect=None)
    return {
        "cosigner": cosigner,
        "device": said.device or kept.device,
        "firmware": _now(said.firmware, kept.firmware, "the firmware"),
        "seed_firmware": _now(said.seed_firmware, kept.seed_firmware, "the firmware of the seed"),
        "custodian": _now(said.custodian, kept.custodian, "the custodian"),
        "place": _now(said.place, kept.place, "the place"),
        "qr_dialect": _now(said.qr_dialect, kept.qr_dialect, "the QR dialect"),
    }


def _now(said: str | None, before: str | None, what: str) -> str | None:
    return before if said is None else _text(said, what) or None


def _text(text: str, what: str) -> str:
    """Return `text` without blanks around it, if a screen can show it whole.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT.
    """
    stripped = text.strip()
    if len(stripped) > _MAX_TEXT or escape(stripped) != stripped:
        raise InvalidInput(
            Code.MALFORMED_DOCUMENT,
            f"{what} has more than {_MAX_TEXT} characters, or one that no screen shows",
            advice="Write a name or a few words in one line.",
        )
    return stripped
