"""`custody cosigner request` and `accept`: the coordinator's side of a setup by BIP 129."""

from collections.abc import Iterator
from pathlib import Path

import click

from custody.bitcoin.keys import format_path
from custody.bitcoin.network import Network
from custody.errors import JsonValue
from custody.spend.expiry import format_time
from custody.vault import bsms_cipher
from custody.vault.bsms_token import Encryption
from custody.workflow.collect_keys import Completed, OpenSetup, accept_records, complete_setup, open_setup
from custody.workflow.setup_terms import SetupTerms
from custody.workflow.start_setup import SetupFolder, start_setup
from custody_cli.options import NETWORK, CustodyCommand, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled, findings_json
from custody_cli.setup_inputs import SCRIPTS, used_tokens_beside, used_tokens_option
from custody_cli.system import SystemClock, SystemNonces
from custody_cli.vault_text import compare_lines, first_addresses_json, vault_lines

_HOUR_S = 3600
_MAX_HOURS = 30 * 24


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody cosigner request setup --name reserve --network main --threshold 2 \\",
        "    --cosigner ann --cosigner bo --cosigner cy",
        "custody cosigner request setup --name reserve --network main --threshold 2 --encryption standard \\",
        "    --cosigner ann --cosigner bo --cosigner cy --hours 8",
    ),
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", required=True, help="The vault's name: a-z, 0-9, _ and -.")
@click.option("--network", required=True, type=NETWORK, help="There is no default network.")
@click.option("--threshold", required=True, type=int, metavar="M", help="How many signatures spend.")
@click.option("--cosigner", "cosigners", multiple=True, required=True, metavar="NAME", help="Whom to ask for a key.")
@click.option("--script", type=click.Choice(list(SCRIPTS)), default="wsh", show_default=True)
@click.option(
    "--encryption",
    type=click.Choice([str(mode) for mode in Encryption]),
    default=str(Encryption.EXTENDED),
    show_default=True,
    help="extended: tokens of 128 bits; standard: 64 bits, for devices that take no longer ones; none.",
)
@click.option("--shared-token", is_flag=True, help="One token for all: then each of them could write as any other.")
@click.option(
    "--hours",
    type=click.IntRange(1, _MAX_HOURS),
    default=24,
    show_default=True,
    help="How long key records are accepted.",
)
@used_tokens_option
def request(
    directory: Path,
    name: str,
    network: str,
    threshold: int,
    cosigners: tuple[str, ...],
    script: str,
    encryption: str,
    shared_token: bool,
    hours: int,
    used_tokens: Path | None,
) -> Answer:
    """Begin a setup by BIP 129 in the new folder DIR: a request and a token for each cosigner.

    Send each their request by mail or file, and their token by another, secure channel. They answer
    with `cosigner record`, or with a key record of a device that speaks BSMS.
    """
    now, nonces = SystemClock().now(), SystemNonces()
    terms = SetupTerms(
        setup_id=nonces.nonce(),
        name=name,
        network=Network(network),
        script_type=SCRIPTS[script],
        threshold=threshold,
        cosigners=cosigners,
        encryption=Encryption(encryption),
        shared_token=shared_token,
        created=format_time(now),
        expires=format_time(now + hours * _HOUR_S),
    )
    place = used_tokens_beside(used_tokens, directory)
    start_setup(directory, terms, nonces=nonces, used_tokens=place)
    inside = SetupFolder(directory)
    files: dict[str, JsonValue] = {
        cosigner: {"request": str(inside.request(cosigner)), "token": str(inside.token(cosigner))}
        for cosigner in cosigners
    }

    def lines() -> Iterator[Line]:
        rule = f"{threshold} of {len(cosigners)}, {terms.script_type}, on {network}"
        yield Styled(f"setup of vault {name}: {rule}", Style.STRONG)
        yield f"encryption {encryption}; key records are accepted until {terms.expires}"
        yield f"each cosigner's key is usually at m/{format_path(terms.key_path)} on their device"
        for cosigner in cosigners:
            yield f"  {cosigner}"
            yield f"    request  {inside.request(cosigner)}"
            yield f"    token    {inside.token(cosigner)}   by another channel than the request"
        yield "They answer with   custody cosigner record --request FILE --token-file FILE --key KEY -o FILE"
        needs_name = terms.shared_token or terms.encryption is Encryption.NONE
        given = "NAME=FILE…" if needs_name else "FILE…"
        yield f"NEXT   custody cosigner accept {directory} {given}   with the key records that come back"

    document = {key: value for key, value in terms.to_document().items() if key != "format"}
    return Answer({**document, "directory": str(directory), "files": files, "used_tokens": str(place)}, lines)


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody cosigner accept setup ann-key.dat bo-key.dat",
        "custody cosigner accept setup cy=key-from-the-device.bsms",
        "custody cosigner accept setup            # who is missing",
    ),
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("files", metavar="[NAME=]FILE…", nargs=-1)
def accept(directory: Path, files: tuple[str, ...]) -> Answer:
    """Verify key records of the setup in DIR, and with the last one write the descriptor record for each cosigner.

    NAME= is needed where all cosigners have one token, or none; else the token tells whose record it is.
    """
    setup = open_setup(directory)
    given = [_read_record(text, setup.terms) for text in files]
    if given:
        setup = accept_records(setup, given, SystemClock())
    completed = None if setup.missing else complete_setup(setup)
    json: dict[str, JsonValue] = {
        "setup_id": setup.terms.setup_id,
        "accepted": [
            {"name": name, "key": record.key_text, "description": record.description}
            for name, record in setup.records.items()
        ],
        "missing": [*setup.missing],
        "complete": completed is not None,
        **(_completed_json(completed) if completed else {}),
    }
    return Answer(json, lambda: _accept_lines(directory, setup, completed))


def _read_record(text: str, terms: SetupTerms) -> tuple[str | None, bytes]:
    name, separator, place = text.partition("=")
    if separator and name in terms.cosigners:
        return name, read_input(place, max_bytes=bsms_cipher.MAX_BYTES)
    return None, read_input(text, max_bytes=bsms_cipher.MAX_BYTES)


def _completed_json(completed: Completed) -> dict[str, JsonValue]:
    vault = completed.vault
    return {
        "vault_id": vault.vault_id,
        "descriptor": vault.descriptor_text,
        "first_address": vault.first_address,
        "first_addresses": first_addresses_json(vault),
        "records": {name: str(place) for name, place in completed.files.items()},
        "findings": findings_json(completed.findings),
    }


def _accept_lines(directory: Path, setup: OpenSetup, completed: Completed | None) -> Iterator[Line]:
    for name, record in setup.records.items():
        yield f"{name:<20} {record.key_text}"
        yield f"{'':<20} signed by this key; it calls itself: {record.description}"
    if completed is None:
        yield Styled(f"missing: {', '.join(setup.missing)}", Style.CARE)
        return
    yield ""
    yield from vault_lines(completed.vault, completed.findings)
    yield from compare_lines(completed.vault)
    yield ""
    yield "Send each cosigner their descriptor record:"
    for name, place in completed.files.items():
        yield f"  {name:<18} {place}"
    yield f"NEXT   custody vault create VAULT --setup {directory}   then delete {directory / 'tokens'}"
