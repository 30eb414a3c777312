"""`custody qr show --for COSIGNER`: the dialect of QR codes that is kept for a signer's device, and what it is shown.

A device that signs without previous transactions and is better off so gets the PSBT without them; the file, which a
person reviews, keeps them.
"""

from dataclasses import dataclass, replace

from custody.bitcoin.psbt import Psbt
from custody.bitcoin.qr_payload import PayloadKind, QrPayload, ShowAs
from custody.codes import Code
from custody.errors import DeviceUnavailable, UsageError
from custody.spend.device_fit import psbt_for
from custody.vault.device_profile import DeviceProfile, QrDialect, Transport
from custody.workflow.describe_cosigner import require_cosigner
from custody.workflow.office import open_office
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.loading import workspace_of
from custody_cli.session import Session

_NEWER_TYPE = "psbt"
"""UR type of PSBTs that was registered after `crypto-psbt`."""


@dataclass(frozen=True, slots=True)
class CodesFor:
    """How a payload is shown to one signer's device."""

    show_as: ShowAs
    profile: DeviceProfile | None
    firmware: str | None
    earlier: int
    """How many may sign before it."""

    def shown(self, payload: QrPayload) -> QrPayload:
        """Return what the device is shown of a payload."""
        if payload.kind is not PayloadKind.PSBT or self.profile is None:
            return payload
        _content, given = psbt_for(Psbt.parse(payload.data), self.profile, self.firmware, earlier=self.earlier)
        return replace(payload, data=given.serialize())


def codes_for(session: Session, cosigner: str) -> CodesFor:
    """Return how to show a payload to a cosigner's device: as its custodian said, else as its model reads.

    Raises:
        InvalidInput: COSIGNER_UNKNOWN. UsageError: nothing says what it reads.
        DeviceUnavailable: DEVICE_UNSUPPORTED: the model reads no QR codes.
    """
    office = open_office(workspace_of(session))
    require_cosigner(office.vault, cosigner)
    said = office.state.signers.of(cosigner).description
    profile = None if said is None else profiles_of_workspace(office.workspace).get(said.device)
    firmware, earlier = None if said is None else said.firmware, office.vault.threshold - 1
    if said is not None and said.qr_dialect is not None:
        return CodesFor(_show_as(QrDialect(said.qr_dialect), profile), profile, firmware, earlier)
    if profile is None or (profile.qr is None and Transport.QR in profile.transports):
        raise UsageError(
            Code.USAGE,
            f"nothing says which QR codes the device of `{cosigner}` reads",
            advice="Say it with `custody cosigner describe NAME --qr-dialect`, or show it with --dialect.",
        )
    if profile.qr is None:
        raise DeviceUnavailable(
            Code.DEVICE_UNSUPPORTED,
            f"the device of `{cosigner}` ({profile.name}) reads no QR codes",
            advice=f"Take another way: {', '.join(profile.transports)}.",
        )
    return CodesFor(_show_as(profile.qr.dialects[0], profile), profile, firmware, earlier)


def _show_as(dialect: QrDialect, profile: DeviceProfile | None) -> ShowAs:
    if dialect is QrDialect.BBQR:
        return ShowAs.BBQR
    has_newer = profile is not None and profile.qr is not None and profile.qr.ur_type == _NEWER_TYPE
    return ShowAs.UR_PSBT if has_newer else ShowAs.UR
