"""`custody qr show --for COSIGNER`: the dialect of QR codes that is kept for a signer's device."""

from custody.bitcoin.qr_payload import ShowAs
from custody.codes import Code
from custody.errors import DeviceUnavailable, UsageError
from custody.vault.device_profile import DeviceProfile, QrDialect, Transport
from custody.workflow.describe_cosigner import require_cosigner
from custody.workflow.office import open_office
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.loading import workspace_of
from custody_cli.session import Session

_NEWER_TYPE = "psbt"
"""UR type of PSBTs that was registered after `crypto-psbt`."""


def kept_dialect(session: Session, cosigner: str) -> ShowAs:
    """Return how to show a payload to a cosigner's device: as its custodian said, else as its model reads.

    Raises:
        InvalidInput: COSIGNER_UNKNOWN. UsageError: nothing says what it reads.
        DeviceUnavailable: DEVICE_UNSUPPORTED: the model reads no QR codes.
    """
    office = open_office(workspace_of(session))
    require_cosigner(office.vault, cosigner)
    said = office.state.signers.of(cosigner).description
    profile = None if said is None else profiles_of_workspace(office.workspace).get(said.device)
    if said is not None and said.qr_dialect is not None:
        return _show_as(QrDialect(said.qr_dialect), profile)
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
    return _show_as(profile.qr.dialects[0], profile)


def _show_as(dialect: QrDialect, profile: DeviceProfile | None) -> ShowAs:
    if dialect is QrDialect.BBQR:
        return ShowAs.BBQR
    has_newer = profile is not None and profile.qr is not None and profile.qr.ur_type == _NEWER_TYPE
    return ShowAs.UR_PSBT if has_newer else ShowAs.UR
