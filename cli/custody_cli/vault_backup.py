"""`custody vault backup` and `custody vault restore`: one file with all that is public, and a workspace from it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import click

from custody import atomic
from custody.audit.backup import JOURNAL, LABELS, PROFILES, SIGNERS, START
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import JsonValue, UsageError, refusals
from custody.vault.formats import vault_file
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.formats.registry import ImportTerms
from custody.vault.importing import import_vault
from custody.vault.vault import Vault
from custody.workflow.backup_lines import is_backup
from custody.workflow.backup_vault import Backup, backup_vault
from custody.workflow.checkpoint import MAX_BYTES, SignedHead
from custody.workflow.kept_elsewhere import Expected
from custody.workflow.restore_description import restore_description
from custody.workflow.restore_vault import Restored, restore_backup
from custody.workflow.restored_facts import RestoredFacts, facts_of
from custody.workflow.status import GOVERNANCE_UNKNOWN
from custody_cli.device_memory import SignerMenu, menus_of, profile_source
from custody_cli.loading import MAX_WALLET_BYTES, workspace_of
from custody_cli.options import NETWORK, STDIO, CustodyCommand, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json
from custody_cli.session import Session
from custody_cli.system import SystemClock, SystemNonces
from custody_cli.vault_text import compare_lines, first_addresses_json
from custody_hardware.device_profiles import load_profiles

_CHECK_FAILED = 3


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody --vault reserve vault backup reserve-2026-11-26.backup",
        "custody --vault reserve vault backup reserve-2026-11-26.backup --paper reserve-2026-11-26.html",
    ),
)
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--paper", type=click.Path(path_type=Path), metavar="PAGE", help="Also a new page to print: PAGE.html.")
@click.pass_obj
def backup(session: Session, file: Path, paper: Path | None) -> Answer:
    """Write everything public about the vault into the new FILE: vault, devices, labels and the whole journal.

    It holds no key and no secret, but whoever reads it sees every address, amount and label. This office's settings
    (custody.yaml) are not in it. Write down the head and the digest that are printed, away from the file.
    """
    workspace = workspace_of(session)
    if paper is not None:
        atomic.require_creatable(paper)  # before the file is written, or the same command could not be run again
    made = backup_vault(workspace, file, profile_source(workspace))
    if paper is not None:
        from custody_hardware.vault_sheet import vault_sheet  # draws codes: others don't pay for it

        atomic.create_file(paper, vault_sheet(made.vault, made.manifest).encode())
    return Answer(_backup_json(made, file, paper), lambda: _backup_lines(made, file, paper))


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody vault restore reserve.backup reserve --expect-head HASH --expect-vault-id ID",
        "custody vault restore vault.yaml reserve --expect-vault-id ID",
        "custody vault restore descriptor.txt reserve --name reserve --network main",
    ),
)
@click.argument("file", metavar="FILE")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--expect-vault-id", metavar="ID", help="Refuse another vault than this one.")
@click.option(
    "--expect-head",
    metavar="HASH",
    help="A head kept elsewhere: the journal must end in it or follow it. Without a journal it is recorded.",
)
@click.option(
    "--checkpoint", "checkpoints", multiple=True, metavar="FILE", help="Hold it against this signed checkpoint; repeat."
)
@click.option("--name", help="The vault's name, where FILE is a descriptor or another program's wallet.")
@click.option("--network", type=NETWORK, help="Needed where FILE is of a format that doesn't say it.")
@click.option("--receive-only", is_flag=True, help="Accept a descriptor without a change branch; it can never spend.")
@click.pass_obj
def restore(
    session: Session,
    file: str,
    directory: Path,
    expect_vault_id: str | None,
    expect_head: str | None,
    checkpoints: tuple[str, ...],
    name: str | None,
    network: str | None,
    receive_only: bool,
) -> Answer:
    """Make the new folder DIR from FILE: a backup, or a vault file, descriptor or wallet without any journal.

    A backup is verified whole; the journal goes on where it ended, so the old workspace must not be used any more.
    Without a journal the vault says `governance: unknown`, and refuses `address next` and `proposal draft`.
    """
    kept = [(place, SignedHead.from_bytes(read_input(place, max_bytes=MAX_BYTES))) for place in checkpoints]
    expected = Expected(expect_vault_id, expect_head, kept)
    if file != STDIO and is_backup(atomic.read_start(Path(file), len(START))):
        if name is not None or network is not None or receive_only:
            raise UsageError(
                Code.USAGE,
                "a backup says name, network and branches itself",
                advice="Leave --name, --network and --receive-only out for a backup.",
            )
        restored = restore_backup(Path(file), directory, expected, unique=SystemNonces().nonce())
        return _restored_answer(restored, directory)
    if kept:
        raise UsageError(
            Code.USAGE,
            "a checkpoint is held against a journal, and this file has none",
            advice="Give a backup, or leave --checkpoint out.",
        )
    terms = ImportTerms(name, Network(network) if network else None, receive_only)
    return _restored_without_journal(session, file, directory, expected, terms)


def _restored_without_journal(
    session: Session, file: str, directory: Path, expected: Expected, terms: ImportTerms
) -> Answer:
    data = read_input(file, max_bytes=MAX_WALLET_BYTES)
    if detect_format(data) is VaultFormat.VAULT:
        # A vault file says itself whether it can spend: that was decided when it was made.
        terms = replace(terms, receive_only=vault_file.parse(data).receive_only)
    imported = import_vault(data, terms)
    vault = imported.vault
    checked = restore_description(
        vault,
        directory,
        expected,
        source=str(imported.kind),
        actor=session.actor,
        clock=SystemClock(),
        ids=SystemNonces(),
    )
    findings = [*imported.remarks, *checked]
    json: dict[str, JsonValue] = {
        **_vault_json(vault, directory),
        "governance": GOVERNANCE_UNKNOWN,
        "head": None,
        "lost_head": expected.head,
        "findings": findings_json(findings),
    }

    def lines() -> Iterator[Line]:
        yield Styled(f"restored {vault.name} on {vault.network} WITHOUT ITS JOURNAL", Style.CARE)
        yield f"vault_id {vault.vault_id}"
        yield "governance: unknown. Officers, policy, labels, freezes and addresses handed out are not known here."
        yield "`address next` and `proposal draft` refuse until the vault is founded anew, or a backup is restored."
        yield from finding_lines(findings)
        yield from compare_lines(vault)
        yield from _next_lines(directory)

    return Answer(json, lines)


def _backup_json(made: Backup, file: Path, paper: Path | None) -> Mapping[str, JsonValue]:
    manifest = made.manifest
    return {
        "file": str(file),
        "paper": None if paper is None else str(paper),
        "sha256": made.sha256,
        "vault_id": manifest.vault_id,
        "journal_id": manifest.journal_id,
        "entries": manifest.entries,
        "head": manifest.head,
        "sections": {one.name: {"lines": one.lines, "bytes": one.size} for one in manifest.sections},
        "unknown_devices": [*made.unknown_devices],
    }


def _backup_lines(made: Backup, file: Path, paper: Path | None) -> Iterator[Line]:
    manifest = made.manifest
    yield Styled(f"wrote {file}: {manifest.entries} entries, read back and equal", Style.GOOD)
    labels, signers = manifest.section(LABELS).lines, manifest.section(SIGNERS).lines
    yield f"in it: vault file, {signers} signers' devices, {labels} labels, and the whole journal"
    yield "not in it: custody.yaml (this office's settings), chain data, files in outbox and inbox, any key"
    for device in made.unknown_devices:
        yield f"this version has no profile of the device `{device}`: only its description is in it"
    if paper is not None:
        yield f"wrote {paper}: print it on A4; it holds the vault file, and of the journal the head alone"
    yield "write these down, away from the file:"
    yield f"  vault_id {manifest.vault_id}"
    yield f"  head     {manifest.head}"
    yield f"  sha256   {made.sha256}"
    yield "keep copies in three places at least, and restore one of them into an empty folder today: docs/backup.md"


def _restored_answer(restored: Restored, directory: Path) -> Answer:
    facts = facts_of(restored.state)
    menus = tuple(menus_of(restored.state.signers, load_profiles(restored.profiles)))
    manifest = restored.manifest
    json: dict[str, JsonValue] = {
        **_vault_json(restored.vault, directory),
        **facts.to_json(),
        "devices": [menu.to_json() for menu in menus],
        "journal_id": manifest.journal_id,
        "entries": manifest.entries,
        "head": manifest.head,
        "sections": {name: manifest.section(name).lines for name in (PROFILES, SIGNERS, LABELS, JOURNAL)},
        "findings": findings_json(restored.findings),
    }

    def lines() -> Iterator[Line]:
        what = f"{restored.vault.name} on {restored.vault.network}"
        yield Styled(f"restored {what}: the file is whole and agrees with itself", Style.GOOD)
        yield f"vault_id   {restored.vault.vault_id}"
        yield f"head       {manifest.head}"
        yield f"journal    {manifest.entries} entries, the newest of {manifest.time}, id {manifest.journal_id}"
        yield from _fact_lines(facts)
        yield from _device_lines(menus)
        yield from finding_lines(restored.findings)
        yield from compare_lines(restored.vault)
        yield from _next_lines(directory)

    return Answer(json, lines, _CHECK_FAILED if refusals(list(restored.findings)) else 0)


def _vault_json(vault: Vault, directory: Path) -> dict[str, JsonValue]:
    return {
        "directory": str(directory),
        "vault_id": vault.vault_id,
        "document_digest": vault.document_digest,
        "name": vault.name,
        "network": str(vault.network),
        "first_addresses": first_addresses_json(vault),
    }


def _fact_lines(facts: RestoredFacts) -> Iterator[Line]:
    yield f"governance {facts.governance}"
    yield f"officers   {', '.join(facts.officers) or 'none'}"
    yield f"labels     {facts.labels}; frozen coins {len(facts.frozen)}; allowlist {len(facts.allowlist)}"
    yield f"addresses  {facts.issued} handed out; proposals {facts.proposals}, {facts.spendable} may still be sent"
    yield f"devices    {facts.described} described, {facts.registered} registered, {facts.tokens} with a token"


def _device_lines(menus: Iterable[SignerMenu]) -> Iterator[Line]:
    for menu in menus:
        model = menu.device if menu.is_known else f"{menu.device} (a model that this version does not know)"
        yield f"  {menu.cosigner}: {model}, QR codes: {' or '.join(menu.dialects) or 'none'}"


def _next_lines(directory: Path) -> Iterator[Line]:
    yield ""
    yield "Next: name this office's node in custody.yaml, then look at the chain:"
    yield f"  custody --vault {directory} coins sync --full"
