"""`custody proposal export`: hand a proposal over, to those who sign it with devices or approve it elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_version import to_version
from custody.people.statement import StatementKind
from custody.workflow.approve_proposal import statement_to_sign
from custody.workflow.device_limits import require_signable
from custody.workflow.draft_proposal import left_event
from custody.workflow.make_bundle import make_bundle
from custody.workflow.office import Desk, decide_again, open_office
from custody.workflow.proposal_access import collected_psbt, find_proposal, require_live, require_sole_holder
from custody.workflow.proposal_view import view_proposal
from custody_cli.card_export import export_card
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, CustodyCommand, examples
from custody_cli.output import Answer
from custody_cli.proposal_options import proposal_argument
from custody_cli.proposal_screen import answer_of
from custody_cli.session import Session
from custody_cli.statement_options import actor_of, statement_commands
from custody_cli.system import surroundings_of

_KINDS = {"approve": StatementKind.APPROVE, "propose": StatementKind.PROPOSE}
_Write = Callable[[Desk, str, Psbt], bytes]
"""Takes the desk, the proposal's id and its PSBT; returns the file."""


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody proposal export 3f9a21c07be4d512 -o payment.psbt",
        "custody proposal export 3f9a21c07be4d512 --to /media/card",
        "custody proposal export 3f9a21c07be4d512 --to /media/ann --cosigner ann",
        "custody proposal export 3f9a21c07be4d512 -o payment.bundle --bundle",
        "custody proposal export 3f9a21c07be4d512 -o statement.txt --statement --as ann",
        "custody proposal export -o - --base64",
    ),
)
@proposal_argument
@click.option("-o", "--output", metavar="FILE", help="Where to write; `-` is stdout. Never overwrites.")
@click.option(
    "--to",
    "card",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write for each cosigner's device instead: file, page and checksums, into a folder that is there.",
)
@click.option("--cosigner", "cosigners", multiple=True, metavar="NAME", help="With --to: only for this one; repeat.")
@click.option("--version", type=click.Choice(["0", "2"]), default="0", show_default=True, help="PSBT version.")
@click.option("--base64", "as_base64", is_flag=True, help="Write base64 text instead of binary.")
@click.option("--bundle", "as_bundle", is_flag=True, help="Write the signer's bundle: with approvals and governance.")
@click.option("--statement", is_flag=True, help="Write the text that --as NAME signs with ssh-keygen, and no PSBT.")
@click.option("--kind", type=click.Choice([*_KINDS]), help="Which statement.  [default: approve]")
@click.pass_obj
def export(
    session: Session,
    named: str | None,
    output: str | None,
    card: Path | None,
    cosigners: tuple[str, ...],
    version: str,
    as_base64: bool,
    as_bundle: bool,
    statement: bool,
    kind: str | None,
) -> Answer:
    """Write the PSBT with all signatures so far, or the bundle; or a card for devices. The journal notes that it left.

    With --to DIR every cosigner who can still sign gets files of their own; see `docs/sd-card.md`. Nothing is
    overwritten, and an export that was cut off is completed by the same command.
    """
    if card is not None:
        if output is not None or as_base64 or as_bundle or statement or kind is not None or version != "0":
            raise click.UsageError("--to writes what each device takes: it goes with --cosigner alone")
        return export_card(session, named, card, cosigners)
    if output is None or cosigners:
        raise click.UsageError("give -o FILE, or --to DIR with or without --cosigner NAME")
    if as_base64 + as_bundle + statement > 1 or (kind is not None and not statement):
        raise click.UsageError("--base64, --bundle and --statement exclude each other; --kind goes with --statement")
    if output != STDIO:
        atomic.require_creatable(Path(output))  # before the journal says that it left, which nothing takes back
    if statement:
        return _export_statement(session, named, output, _KINDS[kind or "approve"])
    write = _bundle if as_bundle else _base64 if as_base64 else _binary
    return _export_psbt(session, named, output, int(version), write)


def _export_psbt(session: Session, named: str | None, output: str, version: int, write: _Write) -> Answer:
    def step(desk: Desk) -> tuple[bytes, Answer]:
        record = find_proposal(desk.state, named)
        psbt = to_version(collected_psbt(record), version)
        content = write(desk, record.proposal_id, psbt)
        if not record.has_left:
            require_live(desk.state, record)
            require_sole_holder(desk.state, record)
            require_signable(collected_psbt(record), desk.vault, desk.state, desk.surroundings.profiles)
            desk.record([left_event(record.proposal_id, "export")])
        view = view_proposal(desk.state, desk.vault, desk.state.proposals[record.proposal_id])
        return content, answer_of(view, desk.office)

    content, answer = decide_again(workspace_of(session), surroundings_of(session), step)
    if output == STDIO:
        return replace(answer, raw=content)
    atomic.create_file(Path(output), content)
    return answer


def _binary(_desk: Desk, _proposal_id: str, psbt: Psbt) -> bytes:
    return psbt.serialize()


def _base64(_desk: Desk, _proposal_id: str, psbt: Psbt) -> bytes:
    return f"{psbt.to_base64()}\n".encode()


def _bundle(desk: Desk, proposal_id: str, psbt: Psbt) -> bytes:
    return make_bundle(desk.office, desk.state.proposals[proposal_id], psbt).to_bytes()


def _export_statement(session: Session, named: str | None, output: str, kind: StatementKind) -> Answer:
    """Write what an officer signs: the same text that `proposal approve` shows and signs; nothing is journalled."""
    office = open_office(workspace_of(session))
    to_sign = statement_to_sign(office, named, kind, actor_of(session))
    statement = to_sign.statement
    said = {
        "proposal_id": to_sign.record.proposal_id,
        "officer": to_sign.officer.name,
        "statement": statement.text,
        "statement_digest": statement.digest,
        "namespace": statement.kind.namespace,
    }
    if output == STDIO:
        return Answer(said, lambda: (), raw=statement.signed_bytes)
    atomic.create_file(Path(output), statement.signed_bytes)
    return Answer({**said, "file": output}, lambda: (f"wrote {output}", *statement_commands(statement, output)))
