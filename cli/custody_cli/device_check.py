"""`custody device check`: prove a cosigner's device before there is money, by cable or by files."""

from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.descriptor import Branch
from custody.spend.card import rehearsal_name
from custody.vault.cosigner import Cosigner
from custody.workflow.device_address import ENDING, ShownAddress, derive_address, require_same_ending
from custody.workflow.device_check import (
    Guide,
    Registered,
    Steps,
    check_over,
    judge_rehearsal,
    next_rehearsal,
    record_check,
    rehearsal_of_file,
)
from custody.workflow.device_choose import cosigner_named
from custody.workflow.device_facts import require_network
from custody.workflow.device_findings import is_registered, require_compared
from custody.workflow.device_record import alarms_recorded
from custody.workflow.device_register import keeps_nothing
from custody.workflow.export_card import CARD_FILE_MODE
from custody.workflow.psbt_files import read_returned
from custody_cli.device_access import AtHand, at_hand, signer_bus
from custody_cli.device_register import MODEL_HELP, CardDevice, card_device
from custody_cli.device_screen import checked_answer, say_what_to_compare, written_answer
from custody_cli.options import CustodyCommand, examples, read_input
from custody_cli.output import Answer
from custody_cli.question import ask
from custody_cli.review_options import MAX_PSBT_FILE
from custody_cli.session import Session
from custody_hardware.device_profiles import MODELS

_NONE = "none"


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody --vault reserve device check ann",
        "custody --vault reserve device check bo --to card --model coldcard-mk4",
        "custody --vault reserve device check bo --from card/rehearsal-1-bo-part.psbt --model coldcard-mk4",
    ),
)
@click.argument("named", metavar="COSIGNER")
@click.option("--to", "to", metavar="FOLDER", help="Write the rehearsal for a memory card or QR code.")
@click.option("--from", "returned", metavar="FILE", help="Judge what the device made of it; `-` is stdin.")
@click.option("--route", type=click.Choice(["file", "qr"]), help="How it came back.  [default: file]")
@click.option("--model", type=click.Choice(MODELS), metavar="MODEL", help=MODEL_HELP)
@click.option("--firmware", metavar="VERSION", help="Its firmware, where it is not described yet.")
@click.pass_obj
def check(
    session: Session,
    named: str,
    to: str | None,
    returned: str | None,
    route: str | None,
    model: str | None,
    firmware: str | None,
) -> Answer:
    """Prove a device before any money: key, registration, an address, and a signature that can never spend anything.

    With every cosigner's check more combinations of keys are verified, in the end each that can spend. After new
    firmware check again. With --to and --from the same goes by memory card or QR code.
    """
    if to is not None and returned is not None:
        raise click.UsageError("--to writes the rehearsal, --from reads it back signed: one at a time")
    if returned is None and route is not None:
        raise click.UsageError("--route goes with --from")
    here = at_hand(session, None)
    cosigner = cosigner_named(here.vault, named)
    if to is None and returned is None:
        if firmware is not None:
            raise click.UsageError("--firmware goes with --to and --from; by cable the device says it")
        return _by_cable(session, here, cosigner, model)
    card = card_device(here, cosigner, model, firmware)
    profile = here.profiles.get(card.model)
    if profile is not None:
        require_network(profile, card.firmware, here.vault.network, cosigner.name)
    if to is not None:
        return _write(here, cosigner, Path(to), model)
    return _by_file(session, here, cosigner, card, returned or "", route or "file")


def _by_cable(session: Session, here: AtHand, cosigner: Cosigner, model: str | None) -> Answer:
    guide = Guide(session.talk, lambda wanted: say_what_to_compare(session, cosigner, wanted), session.progress)
    steps, rehearsed = check_over(
        signer_bus(session),
        here.vault,
        here.signers,
        cosigner,
        profiles=here.profiles,
        record=here.record,
        guide=guide,
        said_model=model,
    )
    return checked_answer(here.vault, cosigner, steps, rehearsed)


def _write(here: AtHand, cosigner: Cosigner, folder: Path, model: str | None) -> Answer:
    rehearsal = next_rehearsal(here.vault, here.signers, cosigner.name)
    path = folder / rehearsal_name(rehearsal.number, here.vault.cosigners.index(cosigner) + 1, cosigner.name)
    atomic.create_file(path, rehearsal.psbt.serialize(), mode=CARD_FILE_MODE)
    return written_answer(cosigner, rehearsal, path, model)


def _by_file(session: Session, here: AtHand, cosigner: Cosigner, card: CardDevice, place: str, route: str) -> Answer:
    """Judge the signature first: it proves the key, and a bad file should cost nobody a walk to the device."""
    returned = read_returned(read_input(place, max_bytes=MAX_PSBT_FILE))
    rehearsal = rehearsal_of_file(here.vault, here.signers, cosigner.name, returned)
    rehearsed = judge_rehearsal(here.vault, here.signers, cosigner, rehearsal, returned, session.progress)
    wanted = derive_address(here.vault, Branch.RECEIVE, 0)
    with alarms_recorded(here.record):
        compared = _compare_on_screen(cosigner, wanted)
    require_compared(cosigner, here.signers.of(cosigner.name), compared=compared)
    known = is_registered(here.signers.of(cosigner.name), card.model)
    nothing = keeps_nothing(here.profiles.get(card.model))
    registered = Registered.NOT_NEEDED if nothing else Registered.KEPT if known else Registered.ELSEWHERE
    steps = Steps(card.model, card.firmware, route, True, registered, compared)
    record_check(here.record, cosigner, steps, rehearsed)
    return checked_answer(here.vault, cosigner, steps, rehearsed)


def _compare_on_screen(cosigner: Cosigner, wanted: ShownAddress) -> bool:
    """Let the holder type the end of the address off the device's screen: what we print first, people only nod at."""
    typed = ask(
        "The signature is good. Now let the device show the vault's receive address 0.\n"
        f"Type its last {ENDING} characters, `{_NONE}` if the device can't show addresses, or nothing to stop: "
    )
    if typed.lower() == _NONE:
        return False
    require_same_ending(cosigner, wanted, typed)
    return True
