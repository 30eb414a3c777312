"""`custody device register`: make a vault known to a device, by cable or by a file, and keep what it gives out."""

from dataclasses import dataclass
from pathlib import Path

import click

from custody import atomic
from custody.errors import JsonValue
from custody.ports import Registration
from custody.vault.cosigner import Cosigner
from custody.workflow.device_choose import cosigner_named
from custody.workflow.device_facts import firmware_of, require_model
from custody.workflow.device_key import prove_device
from custody.workflow.device_record import alarms_recorded, registered_event
from custody.workflow.device_register import (
    by_file,
    keeps_nothing,
    longest_name,
    register_over,
    registration_file,
    registration_name,
)
from custody.workflow.export_card import CARD_FILE_MODE
from custody_cli.device_access import AtHand, at_hand, signer_bus
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, Style, Styled
from custody_cli.session import Session
from custody_hardware.device_profiles import MODELS

MODEL_HELP = "Which device it is, such as coldcard-mk4, where nobody said it yet; a wrong word lists all."


@dataclass(frozen=True, slots=True)
class CardDevice:
    """A device that is reached by files or QR codes: what it is, is said and not seen."""

    model: str
    firmware: str | None


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody --vault reserve device register ann",
        "custody --vault reserve device register bo --to reserve-coldcard.txt --model coldcard-mk4",
        "custody --vault reserve device register bo --done --model coldcard-mk4 --firmware 5.6.1",
    ),
)
@click.argument("named", metavar="COSIGNER")
@click.option("--to", "to", metavar="FILE", help="Write the file that the device imports; `--done` comes after that.")
@click.option("--done", is_flag=True, help="Record that the device imported the file and shows the vault.")
@click.option("--model", type=click.Choice(MODELS), metavar="MODEL", help=MODEL_HELP)
@click.option("--firmware", metavar="VERSION", help="Its firmware, where it is not described yet.")
@click.pass_obj
def register(
    session: Session, named: str, to: str | None, done: bool, model: str | None, firmware: str | None
) -> Answer:
    """Register the vault on a cosigner's device, and keep what it gives out for that in the journal.

    By cable the device shows every key: compare each with your own vault file. With --to a file is written for a
    memory card or QR code, and --done records it once the device shows the vault. Again is allowed; the newest counts.
    """
    if to is not None and done:
        raise click.UsageError("first --to writes the file; --done comes when the device has imported it")
    here = at_hand(session, None)
    cosigner = cosigner_named(here.vault, named)
    if to is None and not done:
        if firmware is not None:
            raise click.UsageError("--firmware goes with --to and --done; by cable the device says it")
        return _by_cable(session, here, cosigner, model)
    card = card_device(here, cosigner, model, firmware)
    name = registration_name(here.vault, longest_name(here.profiles.get(card.model), card.firmware))
    if to is not None:
        return _write_file(here, cosigner, card, name, Path(to))
    here.record([registered_event(cosigner.name, card.model, card.firmware, by_file(name))])
    return _registered_answer(cosigner, card, by_file(name))


def card_device(here: AtHand, cosigner: Cosigner, model: str | None, firmware: str | None) -> CardDevice:
    """Return which device a cosigner has who is reached by files: from the options, else as it is described.

    Raises:
        UsageError: nobody said which model it is.
    """
    said = here.signers.of(cosigner.name).description
    known = model or (said.device if said is not None else None)
    if known is None:
        raise click.UsageError(f"say which device `{cosigner.name}` has: --model, one of {', '.join(MODELS)}")
    same = said is not None and said.device == known
    return CardDevice(known, firmware or (said.firmware if said is not None and same else None))


def _by_cable(session: Session, here: AtHand, cosigner: Cosigner, model: str | None) -> Answer:
    bus, profiles, record = signer_bus(session), here.profiles, here.signers.of(cosigner.name)
    with alarms_recorded(here.record):
        found, _compared = prove_device(bus, here.vault, cosigner)
    card = CardDevice(require_model(found, record, profiles, model), firmware_of(found, record))
    profile = profiles.get(card.model)
    name = registration_name(here.vault, longest_name(profile, card.firmware))
    if keeps_nothing(profile):
        return _registered_answer(cosigner, card, Registration("none", name, None, None))
    session.talk(f"the device is asked to register the vault as `{name}`")
    session.talk("On its screen: compare threshold, script and EVERY key with your own vault file, then confirm there.")
    registration = register_over(bus, found, here.vault, name)
    here.record([registered_event(cosigner.name, card.model, card.firmware, registration)])
    return _registered_answer(cosigner, card, registration)


def _write_file(here: AtHand, cosigner: Cosigner, card: CardDevice, name: str, path: Path) -> Answer:
    text, kind = registration_file(here.vault, card.model, name)
    atomic.create_file(path, text.encode(), mode=CARD_FILE_MODE)
    said: dict[str, JsonValue] = {
        "cosigner": cosigner.name,
        "device": card.model,
        "name": name,
        "file": str(path),
        "format": str(kind),
        "registered": False,
    }

    def lines() -> tuple[str | Styled, ...]:
        return (
            f"wrote {path} for a {card.model}: the vault as `{name}`, format {kind}",
            "Import it on the device, and compare threshold, script and EVERY key on its screen with your vault file.",
            f"NEXT   custody device register {cosigner.name} --done --model {card.model}   when the device shows it",
        )

    return Answer(said, lines)


def _registered_answer(cosigner: Cosigner, card: CardDevice, registration: Registration) -> Answer:
    nothing = registration.method == "none"
    said: dict[str, JsonValue] = {
        "cosigner": cosigner.name,
        "device": card.model,
        "firmware": card.firmware,
        "method": registration.method,
        "name": registration.name,
        "policy_id": registration.policy_id,
        "registered": not nothing,
    }

    def lines() -> tuple[str | Styled, ...]:
        if nothing:
            return (f"a {card.model} keeps no vault: there is nothing to register, and nothing was written",)
        kept = " What it gave out for that is kept in the journal." if registration.token is not None else ""
        return (
            Styled(f"{cosigner.name}: {card.model} knows the vault as `{registration.name}`.{kept}", Style.GOOD),
            f"NEXT   custody device check {cosigner.name}   before there is money",
        )

    return Answer(said, lines)
