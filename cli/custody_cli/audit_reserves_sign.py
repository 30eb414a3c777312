"""`custody audit reserves sign`: a device signs the proofs of a folder here, over its cable."""

import sys
from pathlib import Path

import click

from custody.audit.reserves.challenge import MAX_BYTES, Challenge, parse_challenge
from custody.vault.cosigner import Cosigner
from custody.vault.device_profile import DeviceProfile, MessageProof
from custody.workflow.device_choose import cosigner_named, describe
from custody.workflow.device_facts import firmware_of, model_of
from custody.workflow.device_findings import kept_registration, require_trusted, signing_findings
from custody.workflow.device_key import prove_device
from custody.workflow.device_record import alarms_recorded
from custody.workflow.sign_proofs import Sign, proofs_of, sign_proof
from custody_cli.device_access import AtHand, at_hand, signer_bus
from custody_cli.options import CustodyCommand, examples, read_input
from custody_cli.output import Answer, finding_lines, print_lines
from custody_cli.session import Session


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody audit reserves sign /media/card/proofs --challenge challenge.json --device ann",
        "custody audit reserves sign proofs --challenge challenge.json --vault-file vault.yaml --device d34db33f",
    ),
)
@click.argument("folder", metavar="FOLDER", type=click.Path(path_type=Path))
@click.option("--challenge", "challenge_file", required=True, metavar="FILE", help="As the auditor sent it.")
@click.option("--device", metavar="COSIGNER", help="The device of a cosigner, by name or fingerprint.")
@click.option("--simulator", type=click.IntRange(1, 15), metavar="N", help="Simulated device N; test networks only.")
@click.option("--vault-file", metavar="FILE", help="A signer's own vault file, without a workspace.")
@click.pass_obj
def sign(
    session: Session,
    folder: Path,
    challenge_file: str,
    device: str | None,
    simulator: int | None,
    vault_file: str | None,
) -> Answer:
    """Let a device sign every proof in FOLDER that it hasn't signed; its answers are verified and left beside them.

    Nothing can be spent by them. Only files that sign the challenge's message, to the last byte, are given to the
    device, and the message is shown here: compare it with the device's screen, if it shows one.
    """
    if (device is None) is (simulator is None):
        raise click.UsageError("name one: --device COSIGNER or --simulator N")
    challenge = parse_challenge(read_input(challenge_file, max_bytes=MAX_BYTES))
    here = at_hand(session, vault_file)
    _show(session, challenge)
    if device is None:
        cosigner, signing = _simulated(here, simulator or 0)
    else:
        cosigner, signing = _connected(session, here, cosigner_named(here.vault, device))
    waiting = proofs_of(folder, here.vault, challenge, cosigner)
    written: list[str] = []
    for number, proof in enumerate(waiting, start=1):
        session.talk(f"{number} of {len(waiting)}: {proof.name}; confirm on the device what is the same as above")
        written.append(sign_proof(folder, here.vault, cosigner, proof, signing))
    return Answer(
        {"cosigner": cosigner.name, "folder": str(folder), "files": written, "challenge_digest": challenge.digest},
        lambda: (
            f"{cosigner.name} signed {len(written)} proof(s) in {folder}" if written else "nothing was left to sign",
            "bring or send back the folder",
        ),
    )


def _show(session: Session, challenge: Challenge) -> None:
    session.talk("the message, all of it:")
    for line in challenge.message.decode("ascii").split("\n"):
        session.talk(f"| {line}")


def _simulated(here: AtHand, number: int) -> tuple[Cosigner, Sign]:
    from custody_hardware.simulator import SimulatedDevice

    device = SimulatedDevice(number, here.vault)
    return cosigner_named(here.vault, device.fingerprint.hex()), device.sign


def _connected(session: Session, here: AtHand, cosigner: Cosigner) -> tuple[Cosigner, Sign]:
    """Find the cosigner's device, compare its key, and say what is known of it and of such proofs."""
    bus, record = signer_bus(session), here.signers.of(cosigner.name)
    with alarms_recorded(here.record):
        found, compared = prove_device(bus, here.vault, cosigner)
    model, firmware = model_of(found, record, here.profiles), firmware_of(found, record)
    findings = signing_findings(
        cosigner, record, model=model, firmware=firmware, profiles=here.profiles, key_was_compared=compared
    )
    require_trusted(findings)
    session.talk(f"{cosigner.name}'s device: {describe(found)}")
    if findings and not session.as_json:
        print_lines(finding_lines(findings), sys.stderr)
    session.talk(_expectation(here.profiles.get(model)))
    kept = kept_registration(record, model, cosigner.name)
    return cosigner, lambda psbt: bus.sign(found, here.vault, psbt, kept)


def _expectation(profile: DeviceProfile | None) -> str:
    said = None if profile is None else profile.proofs.bip322
    if said is MessageProof.SHOWS:
        return "it shows the message: sign only if it is the one above"
    if said is MessageProof.BLIND:
        return "it shows a transaction without fee and no message: what counts is the message above, compared by voice"
    if said is MessageProof.REFUSES:
        return "it is known to refuse such proofs; nothing is lost by trying"
    return "whether it signs such proofs, and what it shows, is not known; nothing is lost by trying"
