"""`custody device …`: hardware signers over USB: what is connected, their keys, addresses, registration, a check."""

import click

from custody.audit.signers import Signers
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyPath, parse_path
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput, NotYet
from custody.ports import FoundDevice
from custody.spend.review_model import BRANCH_LABELS
from custody.vault.cosigner import Cosigner
from custody.workflow.device_address import derive_address, show_address
from custody.workflow.device_choose import cosigner_named, describe, fingerprint_of
from custody.workflow.device_facts import model_of
from custody.workflow.device_findings import kept_registration
from custody.workflow.device_key import agreed_path, prove_device, read_key_twice, require_same_key
from custody.workflow.device_list import list_devices
from custody.workflow.device_record import alarms_recorded, record_nothing
from custody_cli.device_access import AtHand, at_hand, at_hand_or_none, signer_bus
from custody_cli.device_check import check
from custody_cli.device_register import register
from custody_cli.device_screen import key_answer, list_answer, say_what_to_compare, shown_answer
from custody_cli.loading import vault_file_option
from custody_cli.options import NETWORK, NounGroup, examples
from custody_cli.output import Answer
from custody_cli.question import ask
from custody_cli.session import Session
from custody_hardware.device_profiles import load_profiles

_SCRIPTS = {"wsh": ScriptType.WSH_SORTEDMULTI, "sh-wsh": ScriptType.SH_WSH_SORTEDMULTI}
_BRANCHES = {label: branch for branch, label in BRANCH_LABELS.items()}
_READY = "yes"


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody device list",
        "custody device key d34db33f --network main",
        "custody --vault reserve device register ann",
        "custody --vault reserve device show-address ann --index 3",
        "custody --vault reserve device check ann",
        "custody --vault reserve device check bo --to card && custody --vault reserve device check bo --from bo.psbt",
    ),
)
def device() -> None:
    """Hardware signers: list, read a key, show an address, register the vault, check before there is money."""


@device.command("list", epilog=examples("custody device list --network main", "custody --vault reserve device list -v"))
@click.option("--network", type=NETWORK, help="Where no vault is at hand.")
@vault_file_option
@click.pass_obj
def list_(session: Session, network: str | None, vault_file_path: str | None) -> Answer:
    """Say which devices are connected, what each can do in this vault, and what is wrong with it.

    Model, firmware and fingerprint are what the devices say of themselves. `-v` adds what the driver says.
    """
    here = at_hand_or_none(session, vault_file_path)
    where = _network(here, network)
    bus = signer_bus(session)
    session.talk(f"looking at every device over {bus.name}; one that is locked may ask for its PIN on its own screen")
    report = bus.look(where)
    rows = list_devices(
        report,
        here.vault if here else None,
        here.signers if here else Signers(),
        here.profiles if here else load_profiles(),
    )
    return list_answer(bus.name, here.vault if here else None, report, rows, verbose=session.verbose)


@device.command(
    epilog=examples(
        "custody device key d34db33f --network main",
        "custody device key d34db33f --network main --script sh-wsh --account 1",
        "custody --vault reserve device key ann",
    )
)
@click.argument("named", metavar="DEVICE")
@click.option("--network", type=NETWORK, help="Where no vault is at hand.")
@click.option("--script", type=click.Choice([*_SCRIPTS]), help="Script of the vault to be.  [default: wsh]")
@click.option("--account", type=click.IntRange(0, 2**31 - 1), metavar="N", help="Account of the path.  [default: 0]")
@click.option("--path", "path_text", metavar="PATH", help="Another path, such as 48h/0h/3h/2h.")
@vault_file_option
@click.pass_obj
def key(
    session: Session,
    named: str,
    network: str | None,
    script: str | None,
    account: int | None,
    path_text: str | None,
    vault_file_path: str | None,
) -> Answer:
    """Read a cosigner's public key from the device, twice, and compare it with the vault's.

    DEVICE is a fingerprint, or a cosigner's name where there is a vault. Between the two readings you unplug the device
    and plug it in again; then type `yes`.
    """
    here = at_hand_or_none(session, vault_file_path)
    where = _network(here, network)
    cosigner = _cosigner_or_none(here, named)
    fingerprint = cosigner.fingerprint if cosigner is not None else fingerprint_of(named)
    if fingerprint is None:
        raise InvalidInput(
            Code.COSIGNER_UNKNOWN,
            f"`{named}` is neither a fingerprint of eight hexadecimal digits nor a cosigner of a vault at hand",
            advice="See the fingerprints with `custody device list`.",
        )
    if cosigner is not None and (script, account, path_text) != (None, None, None):
        raise click.UsageError("the vault says which path a cosigner's key has: leave out --script, --account, --path")
    path = cosigner.key.origin.path if cosigner else _path(here, where, script, account, path_text)
    with alarms_recorded(here.record if here else record_nothing):
        answered = read_key_twice(
            signer_bus(session),
            fingerprint,
            path,
            where,
            _let_reconnect,
            cosigner=cosigner.name if cosigner else None,
        )
        if here is not None and cosigner is not None:
            require_same_key(here.vault, cosigner, answered)
    return key_answer(answered, where, cosigner)


@device.command(
    "show-address",
    epilog=examples(
        "custody --vault reserve device show-address ann",
        "custody --vault reserve device show-address d34db33f --branch change --index 7",
        "custody device show-address ann --vault-file vault.yaml",
    ),
)
@click.argument("named", metavar="COSIGNER")
@click.option("--branch", type=click.Choice([*_BRANCHES]), default="receive", show_default=True)
@click.option("--index", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, metavar="N")
@vault_file_option
@click.pass_obj
def show_address_(session: Session, named: str, branch: str, index: int, vault_file_path: str | None) -> Answer:
    """Let a device show an address of the vault, and compare what it answers with ours.

    COSIGNER is a name or a fingerprint. Compare the screen with what is printed, character by character: what the
    device says to this computer can be forged, its screen can't. Exit 3 if it answers another address.
    """
    here = at_hand(session, vault_file_path)
    cosigner = cosigner_named(here.vault, named)
    wanted = derive_address(here.vault, _BRANCHES[branch], index)
    bus = signer_bus(session)
    record = here.signers.of(cosigner.name)
    with alarms_recorded(here.record):
        found, key_was_compared = prove_device(bus, here.vault, cosigner)
        kept = kept_registration(record, model_of(found, record, here.profiles), cosigner.name)
        say_what_to_compare(session, cosigner, wanted)
        shown = show_address(bus, found, here.vault, cosigner, wanted=wanted, registration=kept)
    return shown_answer(cosigner, shown, key_was_compared=key_was_compared)


device.add_command(register)
device.add_command(check)


def _let_reconnect(found: FoundDevice) -> None:
    """Ask the holder to plug the device in anew: a second reading of the same connection proves little."""
    answer = ask(
        f"The key was read once from {describe(found)}.\n"
        "Now unplug the device, plug it in again and unlock it.\n"
        f"Type `{_READY}` when that is done, or nothing to stop: "
    )
    if answer.lower() != _READY:
        raise NotYet(
            Code.CONFIRMATION_MISMATCH,
            f"the answer was not `{_READY}`: the key was read once only, and is not given out",
            advice="Run the command again, and unplug the device when it asks for that.",
        )


def _network(here: AtHand | None, network: str | None) -> Network:
    if here is None:
        if network is None:
            raise click.UsageError("there is no vault here: name a --network, or a vault with --vault or --vault-file")
        return Network(network)
    if network not in (None, str(here.vault.network)):
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"the vault is on network `{here.vault.network}`, --network says `{network}`",
            advice="Leave --network out: the vault says it.",
        )
    return here.vault.network


def _cosigner_or_none(here: AtHand | None, named: str) -> Cosigner | None:
    if here is None:
        return None
    try:
        return cosigner_named(here.vault, named)
    except CustodyError:
        if fingerprint_of(named) is None:
            raise
        return None


def _path(
    here: AtHand | None, network: Network, script: str | None, account: int | None, path_text: str | None
) -> KeyPath:
    if path_text is not None:
        if (script, account) != (None, None):
            raise click.UsageError("--path excludes --script and --account")
        return parse_path(path_text.removeprefix("m/"))
    default = here.vault.descriptor.script_type if here is not None else ScriptType.WSH_SORTEDMULTI
    return agreed_path(network, _SCRIPTS[script] if script else default, account or 0)
