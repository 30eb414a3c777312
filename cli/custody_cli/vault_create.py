"""`custody vault create`: from keys that were given one by one, or from a complete setup by BIP 129."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyExpression
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, JsonValue, Severity, UsageError
from custody.vault.cosigner import Cosigner
from custody.vault.formats import cosigner_key
from custody.vault.vault import Vault
from custody.workflow.collect_keys import complete_setup, open_setup
from custody.workflow.create_vault import create_vault
from custody.workflow.describe_cosigner import first_descriptions
from custody_cli.device_options import devices_of, vault_devices_option
from custody_cli.options import NETWORK, CustodyCommand, examples, read_input
from custody_cli.output import Answer, Line
from custody_cli.session import Session
from custody_cli.setup_inputs import SCRIPTS
from custody_cli.system import SystemClock, SystemNonces
from custody_cli.vault_text import compare_lines, first_addresses_json, vault_json, vault_lines
from custody_hardware.device_profiles import load_profiles

ungoverned_option = click.option(
    "--ungoverned", is_flag=True, help="Allow payments on main without a spend policy; recorded for good."
)
birth_height_option = click.option(
    "--birth-height", type=click.IntRange(min=0), metavar="N", help="No coin of the vault is older than this block."
)


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody vault create reserve --name reserve --network main --threshold 3 \\",
        "    --cosigner 'ann=[d34db33f/48h/0h/0h/2h]xpub…' --cosigner bo=… --cosigner-file cy=ccxp-0F056943.json …",
        "custody vault create reserve --setup setup",
    ),
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", help="The vault's name: a-z, 0-9, _ and -.")
@click.option("--network", type=NETWORK, help="There is no default network.")
@click.option("--threshold", type=int, metavar="M", help="How many signatures spend.")
@click.option("--cosigner", "cosigners", multiple=True, metavar="NAME=KEY", help="KEY is [fingerprint/path]xpub.")
@click.option(
    "--cosigner-file",
    "cosigner_files",
    multiple=True,
    metavar="NAME=FILE",
    help="The key as a device exports it: Coldcard's JSON (ccxp), or the text of --cosigner.",
)
@click.option("--script", type=click.Choice(list(SCRIPTS)), help="How the script is wrapped.  [default: wsh]")
@click.option(
    "--setup",
    type=click.Path(path_type=Path),
    metavar="SETUP",
    help="Everything from a complete setup of `custody cosigner request`, instead of the options above.",
)
@vault_devices_option
@birth_height_option
@ungoverned_option
@click.pass_obj
def create(
    session: Session,
    directory: Path,
    name: str | None,
    network: str | None,
    threshold: int | None,
    cosigners: tuple[str, ...],
    cosigner_files: tuple[str, ...],
    script: str | None,
    setup: Path | None,
    devices: tuple[str, ...],
    birth_height: int | None,
    ungoverned: bool,
) -> Answer:
    """Create a vault in the new folder DIR: vault.yaml and its journal, in one step."""
    if setup is not None:
        if name or network or threshold is not None or cosigners or cosigner_files or script:
            raise click.UsageError("--setup says name, network, threshold, script and keys: leave those options out")
        # The records that the others got, or get now, must be of this very vault.
        new = replace(complete_setup(open_setup(setup)).vault, birth_height=birth_height or 0)
        return created_answer(session, new, directory, (), devices, ungoverned=ungoverned)
    if name is None or network is None or threshold is None:
        missing = [option for option, value in (("--name", name), ("--network", network)) if value is None]
        raise click.UsageError(f"missing: {', '.join(missing or ['--threshold'])}, or --setup")
    script_type = SCRIPTS[script or "wsh"]
    read = [_read_cosigner(text, Network(network)) for text in cosigners]
    read += [_read_cosigner_file(text, script_type, Network(network)) for text in cosigner_files]
    if not read:
        raise UsageError(
            Code.USAGE, "the vault has no --cosigner", advice="Add --cosigner or --cosigner-file for each key."
        )
    new = Vault.from_cosigners(
        tuple(cosigner for cosigner, _notes in read),
        name=name,
        network=Network(network),
        script_type=script_type,
        threshold=threshold,
        birth_height=birth_height or 0,
    )
    notes = [note for _cosigner, notes in read for note in notes]
    return created_answer(session, new, directory, notes, devices, ungoverned=ungoverned)


def created_answer(
    session: Session,
    new: Vault,
    directory: Path,
    notes: Sequence[Finding],
    devices: Sequence[str],
    *,
    ungoverned: bool,
) -> Answer:
    """Write the workspace and answer with what every cosigner should now compare."""
    descriptions, about_devices = first_descriptions(new, devices_of(devices), load_profiles())
    checked = create_vault(
        new,
        directory,
        ungoverned=ungoverned,
        actor=session.actor,
        clock=SystemClock(),
        ids=SystemNonces(),
        descriptions=descriptions,
    )
    findings = [*notes, *checked, *about_devices]

    def lines() -> Iterator[Line]:
        yield from vault_lines(new, findings)
        yield from compare_lines(new)

    json: dict[str, JsonValue] = {
        **vault_json(new, findings),
        "directory": str(directory),
        "ungoverned": ungoverned,
        "first_addresses": first_addresses_json(new),
    }
    return Answer(json, lines)


def _read_cosigner(text: str, network: Network) -> tuple[Cosigner, list[Finding]]:
    name, separator, key_text = text.partition("=")
    if not separator:
        raise UsageError(
            Code.USAGE, "a --cosigner is not NAME=KEY", advice="Write --cosigner 'ann=[fingerprint/path]xpub…'."
        )
    key, converted = KeyExpression.parse_converting_slip132(key_text, network)
    cosigner = Cosigner(name, key)
    return cosigner, [_converted(cosigner)] if converted else []


def _read_cosigner_file(text: str, script_type: ScriptType, network: Network) -> tuple[Cosigner, list[Finding]]:
    name, separator, place = text.partition("=")
    if not separator:
        raise UsageError(
            Code.USAGE, "a --cosigner-file is not NAME=FILE", advice="Write --cosigner-file ann=ccxp-0F056943.json."
        )
    data = read_input(place, max_bytes=cosigner_key.MAX_BYTES)
    key, converted = cosigner_key.parse(data, script_type, network)
    cosigner = Cosigner(name, key)
    return cosigner, [_converted(cosigner)] if converted else []


def _converted(cosigner: Cosigner) -> Finding:
    return Finding(
        Code.SLIP132_CONVERTED,
        Severity.NOTE,
        cosigner.where,
        f"the key of `{cosigner.name}` was written with a SLIP-132 prefix and is now an xpub or tpub",
        "Nothing to do: it is the same key; the descriptor itself says which script it is for.",
    )
