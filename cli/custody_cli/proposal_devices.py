"""How a proposal fits the devices that are to sign it, as people and scripts see it."""

from collections.abc import Iterator
from dataclasses import replace

from custody.audit.proposal_state import LIVE
from custody.spend.device_fit import DeviceFit
from custody.workflow.device_limits import fits_of
from custody.workflow.office import Office
from custody.workflow.proposal_access import collected_psbt
from custody.workflow.proposal_view import ProposalView
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.output import Line, Style, Styled
from custody_hardware.qr_matrix import room_of

DENSITY = 12
"""Version of the QR codes that are counted, as `qr show` makes them unless told otherwise."""


def with_devices(view: ProposalView, office: Office) -> ProposalView:
    """Return the view with how its PSBT fits each signer's device, while somebody may still sign it."""
    if view.state not in LIVE:
        return view
    profiles = profiles_of_workspace(office.workspace)
    psbt = collected_psbt(view.record)
    return replace(view, devices=fits_of(psbt, office.vault, office.state, profiles, qr_room=room_of(DENSITY)))


def device_lines(fits: tuple[DeviceFit, ...] | None) -> Iterator[Line]:
    """Show inputs, bytes and QR codes for each described device, or once where none is described."""
    if not fits:
        return
    described = [one for one in fits if one.device is not None]
    for one in described or fits[:1]:
        name = f"{one.cosigner} ({one.device})" if one.device is not None else "any device"
        yield f"DEVICE {name}: {_amounts(one)}"
        if one.will_fail:
            yield Styled(f"       can't sign it: {'; '.join(one.will_fail)}", Style.BAD)
        elif one.may_fail:
            yield Styled(f"       may not be able to sign it: {'; '.join(one.may_fail)}", Style.CARE)


def _amounts(one: DeviceFit) -> str:
    words = [
        f"{one.inputs:,}{_of(one.inputs_limit)} inputs",
        f"{one.bytes:,}{_of(one.bytes_limit)} bytes",
    ]
    if one.qr_frames is not None:
        words.append(f"{one.qr_frames:,} QR code{'' if one.qr_frames == 1 else 's'}")
    return ", ".join(words)


def _of(limit: int | None) -> str:
    return "" if limit is None else f" of {limit:,}"
