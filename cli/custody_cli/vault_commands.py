"""`custody vault`: create, import, show, verify, compare and export a vault."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import Finding, JsonValue, UsageError, refusals
from custody.vault.bsms_cipher import seal
from custody.vault.checks import inspect_vault
from custody.vault.compare import compare_scripts, compare_vaults
from custody.vault.formats.detect import VaultFormat
from custody.vault.formats.registry import WRITERS, ImportTerms, write_vault
from custody.vault.importing import import_vault
from custody.vault.vault import Vault
from custody.workflow.verify_vault import VaultCheck, verify_vault
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.device_options import vault_devices_option
from custody_cli.loading import (
    MAX_WALLET_BYTES,
    load_pair,
    load_unadopted,
    load_vault,
    vault_file_option,
    workspace_of,
)
from custody_cli.options import NETWORK, STDIO, NounGroup, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json
from custody_cli.session import Session
from custody_cli.setup_inputs import read_token
from custody_cli.vault_backup import backup, restore
from custody_cli.vault_create import birth_height_option, create, created_answer, ungoverned_option
from custody_cli.vault_found import found
from custody_cli.vault_round_two import RoundTwoOptions, held_against, round_two_lines, round_two_options
from custody_cli.vault_template import template
from custody_cli.vault_text import vault_json, vault_lines
from custody_hardware.device_profiles import load_profiles

_FINGERPRINT = re.compile(r"[0-9a-fA-F]{8}", re.ASCII)
_ALTERED = frozenset({Code.WORKSPACE_ALTERED, Code.JOURNAL_ALTERED, Code.JOURNAL_MISSING})


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody vault create reserve --name reserve --network regtest --threshold 2 \\",
        "    --cosigner 'ann=[d34db33f/48h/1h/0h/2h]tpub…' --cosigner bo=… --cosigner cy=…",
        "custody --vault reserve vault show",
    ),
)
def vault() -> None:
    """The vault: m of n keys, written down as one descriptor."""


vault.add_command(create)


@vault.command(
    "import",
    epilog=examples(
        "custody vault import received-vault.yaml reserve",
        "custody vault import descriptor.txt reserve --name reserve --network main --expect-descriptor 'wsh(…)#…'",
        "custody vault import wallet.json reserve --name reserve --network main --cosigner-name ann=d34db33f",
        "bitcoin-cli listdescriptors | custody vault import - reserve --name reserve --network main",
        "custody vault import ann-vault.dat reserve --request ann-request.yaml --token-file ann.token --own-key KEY",
    ),
)
@click.argument("file", metavar="FILE")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", help="The vault's name; a vault file brings its own.")
@click.option("--network", type=NETWORK, help="Needed where the format doesn't say it.")
@click.option("--expect-descriptor", metavar="TEXT", help="Refuse whatever is not the vault of this descriptor.")
@click.option(
    "--cosigner-name",
    "cosigner_names",
    multiple=True,
    metavar="NAME=FINGERPRINT",
    help="What to call the holder of a key; else the file's own name, or cosigner-1 and so on.",
)
@click.option("--receive-only", is_flag=True, help="Accept a vault without a change branch; it can never spend.")
@round_two_options
@vault_devices_option
@birth_height_option
@ungoverned_option
@click.pass_obj
def import_(
    session: Session,
    file: str,
    directory: Path,
    name: str | None,
    network: str | None,
    expect_descriptor: str | None,
    cosigner_names: tuple[str, ...],
    receive_only: bool,
    devices: tuple[str, ...],
    birth_height: int | None,
    ungoverned: bool,
    round_two: RoundTwoOptions,
) -> Answer:
    """Bring a vault into the new folder DIR from FILE: a vault file, a descriptor, or another program's wallet.

    The format is told by the content: Bitcoin Core, Sparrow, Specter, Specter-DIY, Caravan, Coldcard, Cobo
    Vault, Keystone, Passport, Jade, BlueWallet, Nunchuk, Electrum, BIP 388, BSMS, Liana. A signer of a setup by BIP 129
    gives --request, --token-file and --own-key.
    """
    names = _names_by_fingerprint(cosigner_names)
    terms = ImportTerms(name, Network(network) if network else None, receive_only, birth_height, names)
    data = round_two.plaintext(read_input(file, max_bytes=MAX_WALLET_BYTES))
    imported = import_vault(data, round_two.terms(terms), expected_descriptor=expect_descriptor)
    imported, places = held_against(imported, round_two, directory)
    answer = created_answer(session, imported.vault, directory, imported.remarks, devices, ungoverned=ungoverned)
    return replace(
        answer,
        json={**answer.json, "format": str(imported.kind), "own_key_places": [*places]},
        text=lambda: (*answer.text(), *round_two_lines(places, imported.vault, round_two)),
    )


@vault.command(
    epilog=examples("custody --vault reserve vault show", "custody vault show --vault-file vault.yaml --json")
)
@vault_file_option
@click.pass_obj
def show(session: Session, vault_file_path: str | None) -> Answer:
    """Show the vault: what to compare, its keys, its descriptor."""
    shown = load_vault(session, vault_file_path)
    findings = inspect_vault(shown)
    return Answer(vault_json(shown, findings), lambda: vault_lines(shown, findings))


@vault.command(epilog=examples("custody --vault reserve vault verify", "custody vault verify --vault-file vault.yaml"))
@vault_file_option
@click.pass_obj
def verify(session: Session, vault_file_path: str | None) -> Answer:
    """Derive everything again: keys, both engines, the journal's adoption, and what its devices can sign.

    Exit 3 if a check fails, 10 if the vault file is not what the journal adopted.
    """
    workspace = None if vault_file_path is not None else workspace_of(session)
    checked = load_vault(session, vault_file_path) if workspace is None else load_unadopted(workspace)
    profiles = load_profiles() if workspace is None else profiles_of_workspace(workspace)
    checks = verify_vault(checked, workspace, profiles)
    findings = [finding for check in checks for finding in check.findings]
    json: dict[str, JsonValue] = {
        "ok": not refusals(findings),
        "checks": [{"name": check.name, "ok": check.is_passed} for check in checks],
        **vault_json(checked, findings),
    }
    return Answer(json, lambda: _check_lines(checked, checks), _verdict(findings))


@vault.command(
    epilog=examples(
        "custody vault compare reserve received-vault.yaml",
        "custody vault compare reserve wallet-of-another-program.json",
    )
)
@click.argument("first", metavar="A")
@click.argument("second", metavar="B")
@click.option("--network", type=NETWORK, help="Needed where neither A nor B says it.")
def compare(first: str, second: str, network: str | None) -> Answer:
    """Compare two files of any format, or folders: exit 0 if they are one vault, 3 if not, and what differs."""
    one, other, names = load_pair(first, second, Network(network) if network else None)
    findings = compare_vaults(one, other) if names else compare_scripts(one, other)
    same = one.vault_id == other.vault_id
    sides: list[JsonValue] = [
        {"vault_id": side.vault_id, "name": side.name, "document_digest": side.document_digest} for side in (one, other)
    ]
    verdict = Styled("the same vault", Style.GOOD) if same else Styled("two different vaults", Style.BAD)
    lines: list[Line] = [
        verdict,
        *(f"{side.vault_id}  {side.name} on {side.network}" for side in (one, other)),
        *finding_lines(findings),
    ]
    return Answer({"same": same, "vaults": sides, "findings": findings_json(findings)}, lambda: lines, 0 if same else 3)


@vault.command(
    epilog=examples(
        "custody --vault reserve vault export --format descriptor",
        "custody --vault reserve vault export --format core -o core.json",
        'bitcoin-cli -rpcwallet=watch importdescriptors "$(cat core.json)"',
        "custody --vault reserve vault export --format bsms --token-file ann.token -o ann-vault.dat",
    )
)
@click.option("--format", "kind", required=True, type=click.Choice([str(kind) for kind in WRITERS]))
@click.option("-o", "--output", default=STDIO, metavar="FILE", help="A new file; stdout by default.")
@click.option("--token-file", metavar="FILE", help="Only with bsms: encrypt the record with this token.")
@vault_file_option
@click.pass_obj
def export(session: Session, kind: str, output: str, token_file: str | None, vault_file_path: str | None) -> Answer:
    """Write the vault in a format that other programs read, and `vault import` reads back."""
    if token_file is not None and VaultFormat(kind) is not VaultFormat.BSMS:
        raise click.UsageError("--token-file belongs to --format bsms")
    exported = load_vault(session, vault_file_path)
    content = write_vault(exported, VaultFormat(kind))
    if token_file is not None:
        content = seal(read_token(token_file), content.removesuffix("\n").encode()).decode()
    json = {"format": kind, "vault_id": exported.vault_id, "first_address": exported.first_address}
    if output != STDIO:
        atomic.create_file(Path(output), content.encode())
    if VaultFormat(kind) is VaultFormat.CORE:
        session.talk("timestamp 0: the node will scan the whole chain; a later one could miss coins")
    if output == STDIO:
        return Answer({**json, "content": content}, lambda: (), raw=content.encode())
    return Answer({**json, "file": output}, lambda: (f"wrote {output}", f"vault_id {exported.vault_id}"))


vault.add_command(found)
vault.add_command(template)
vault.add_command(backup)
vault.add_command(restore)


def _names_by_fingerprint(texts: Sequence[str]) -> dict[bytes, str]:
    names: dict[bytes, str] = {}
    for text in texts:
        name, _separator, fingerprint = text.partition("=")
        if _FINGERPRINT.fullmatch(fingerprint) is None or bytes.fromhex(fingerprint) in names:
            raise UsageError(
                Code.USAGE,
                "a --cosigner-name is not NAME=FINGERPRINT, or names a key twice",
                advice="Write --cosigner-name ann=d34db33f, once for each key.",
            )
        names[bytes.fromhex(fingerprint)] = name
    return names


def _check_lines(checked: Vault, checks: Sequence[VaultCheck]) -> Iterator[Line]:
    yield from vault_lines(checked)
    for check in checks:
        yield (
            Styled(f"check {check.name}: ok", Style.GOOD)
            if check.is_passed
            else Styled(f"check {check.name}: FAILED", Style.BAD)
        )
        yield from finding_lines(check.findings)


def _verdict(findings: Sequence[Finding]) -> int:
    refused = refusals(list(findings))
    if any(finding.code in _ALTERED for finding in refused):
        return 10
    return 3 if refused else 0
