"""`custody proposal sign`: a device signs here, over its cable, or a simulator on test networks.

The order is what keeps a person safe: the device is found and its key compared, everything is shown, the amount
is typed, then the very bytes that were reviewed go to the device, and what returns is verified before it counts.
"""

import sys

import click

from custody.audit.signers import SignerRecord
from custody.errors import Finding
from custody.spend.review_model import ReviewLimits
from custody.vault.device_profile import DeviceProfile
from custody.workflow.acknowledge import require_acknowledged
from custody.workflow.device_choose import cosigner_named, describe
from custody.workflow.device_facts import firmware_of, model_of, notices, warns_of_change
from custody.workflow.device_findings import kept_registration, require_trusted, signing_findings
from custody.workflow.device_key import prove_device
from custody.workflow.device_limits import cable_findings
from custody.workflow.device_record import alarms_recorded
from custody.workflow.office import Desk, editing, open_office
from custody.workflow.proposal_access import collected_psbt, find_proposal
from custody.workflow.proposal_view import view_proposal
from custody.workflow.recorded_rehearsals import verified_signers
from custody.workflow.sign_proposal import (
    HandedOver,
    hand_over,
    require_ready_to_sign,
    sign_with_device,
    take_back,
)
from custody_cli.confirm import confirm_amount
from custody_cli.device_access import at_hand, signer_bus
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, finding_lines, print_lines
from custody_cli.proposal_options import ack_option, confirm_option, limits_of, max_fee_option, proposal_argument
from custody_cli.proposal_screen import answer_of, payment_lines
from custody_cli.session import Session
from custody_cli.steps import at_desk
from custody_cli.system import surroundings_of


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody proposal sign --device ann",
        "custody proposal sign 3f9a21c07be4d512 --device d34db33f --confirm-sats 150000000",
        "custody proposal sign --simulator 1",
    ),
)
@proposal_argument
@click.option("--device", "device", metavar="COSIGNER", help="The device of a cosigner, by name or fingerprint.")
@click.option("--simulator", type=click.IntRange(1, 15), metavar="N", help="Simulated device N; test networks only.")
@ack_option
@confirm_option
@max_fee_option
@click.pass_obj
def sign(
    session: Session,
    named: str | None,
    device: str | None,
    simulator: int | None,
    acks: tuple[str, ...],
    confirm_sats: int | None,
    max_fee_sats: int | None,
) -> Answer:
    """Let a device sign here; what it returns is verified before it is recorded.

    A device that was never registered or checked is warned of first. Its key is compared with the vault's before it
    gets the payment. Read the device's screen against what is shown here, to the last character.
    """
    if (device is None) is (simulator is None):
        raise click.UsageError("name one: --device COSIGNER or --simulator N; by file see `proposal export`")
    limits = limits_of(max_fee_sats)
    if device is not None:
        return _by_device(session, named, device, acks, confirm_sats, limits)
    return _by_simulator(session, named, simulator or 0, acks, confirm_sats, limits)


def _by_device(
    session: Session,
    named: str | None,
    device: str,
    acks: tuple[str, ...],
    confirm_sats: int | None,
    limits: ReviewLimits,
) -> Answer:
    here, office = at_hand(session, None), open_office(workspace_of(session))
    profiles = here.profiles
    cosigner = cosigner_named(here.vault, device)
    view = view_proposal(office.state, office.vault, require_ready_to_sign(office.state, office.vault, named), limits)
    if cosigner.name in view.review.signing.signed:
        session.talk(f"{cosigner.name} signed this already: signing again is no error, and changes nothing")
    bus, record = signer_bus(session), here.signers.of(cosigner.name)
    with alarms_recorded(here.record):
        found, compared = prove_device(bus, here.vault, cosigner)
    model, firmware = model_of(found, record, profiles), firmware_of(found, record)
    kept = kept_registration(record, model, cosigner.name)
    limited = cable_findings(collected_psbt(view.record), cosigner, profiles.get(model), firmware)

    def judged(known: SignerRecord) -> tuple[Finding, ...]:
        found = signing_findings(
            cosigner, known, model=model, firmware=firmware, profiles=profiles, key_was_compared=compared
        )
        require_trusted(found)
        return (*found, *limited)

    def leave(desk: Desk) -> HandedOver:
        # Judged again: while the holder read, another command may have met an alarm.
        known = verified_signers(desk.vault, desk.state.signers).of(cosigner.name)
        return hand_over(desk, view.proposal_id, cosigner, given_acks=acks, limits=limits, of_device=judged(known))

    findings = judged(record)
    _say(session, f"{cosigner.name}'s device: {describe(found)}", findings)
    require_acknowledged([*view.review.findings, *findings], acks, view.record.acknowledged)
    for line in screen_lines(profiles.get(model), firmware):
        session.talk(line)
    if kept is not None:
        session.talk(f"  It knows this vault as `{kept.name}`.")
    if confirm_sats is not None and not session.as_json:
        print_lines(payment_lines(view), sys.stderr)  # nobody is asked, but the holder compares
    confirm_amount(view, verb="sign", confirm_sats=confirm_sats)
    handed = at_desk(session, leave)
    session.talk("Now read the device's screen against the lines above, and confirm there only what is the same.")
    returned = bus.sign(found, here.vault, handed.psbt, kept)

    def step_back(desk: Desk) -> Answer:
        added = take_back(desk, handed, returned, device_name=found.model or found.driver)
        return answer_of(view_proposal(desk.state, desk.vault, added.record))

    return at_desk(session, step_back)


def _by_simulator(
    session: Session,
    named: str | None,
    simulator: int,
    acks: tuple[str, ...],
    confirm_sats: int | None,
    limits: ReviewLimits,
) -> Answer:
    from custody_hardware.simulator import SimulatedDevice

    office = open_office(workspace_of(session))
    device = SimulatedDevice(simulator, office.vault)
    view = view_proposal(office.state, office.vault, find_proposal(office.state, named), limits)
    for line in device.display(collected_psbt(view.record).serialize()).lines:
        session.talk(f"{device.name} shows  {line}")
    confirm_amount(view, verb="sign", confirm_sats=confirm_sats)
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        added = sign_with_device(desk, device, view.proposal_id, given_acks=acks, limits=limits)
        return answer_of(view_proposal(desk.state, desk.vault, added.record))


def screen_lines(profile: DeviceProfile | None, firmware: str | None) -> list[str]:
    """Say what the device's holder will see, and what the device leaves to their eyes (A114)."""
    screen = profile.screen if profile is not None else None
    if profile is None or screen is None:
        return [
            "What this device shows is not known: compare every output, every amount and the fee with what is below.",
        ]
    lines = [f"A {profile.name} shows, in this order:"]
    lines += [f"  {number}. {line}" for number, line in enumerate(screen.lines, 1)]
    lines.append(f"  change: {screen.change}")
    if screen.fee is False:
        lines.append("  The fee is NOT on its screen: read it here.")
    if screen.locktime is False:
        lines.append("  A locktime is NOT on its screen.")
    if warns_of_change(profile):
        lines.append("  It does not verify change: compare the BACK lines below with its screen yourself.")
    return [*lines, *(f"  Note: {one}" for one in notices(profile, firmware))]


def _say(session: Session, head: str, findings: tuple[Finding, ...]) -> None:
    session.talk(head)
    if findings and not session.as_json:
        print_lines(finding_lines(findings), sys.stderr)
