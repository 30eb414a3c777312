"""`custody change …`: changes of officers, policy or allowlist on their way, signed by officers where they sit."""

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from custody import atomic
from custody.audit.governance import ChangeStatus
from custody.errors import JsonValue
from custody.workflow.change_governance import (
    find_change,
    sign_change,
    signer_of_change,
    statement_of_change,
    view_change,
)
from custody.workflow.office import decide_again, open_office
from custody_cli.change_screen import change_answer, change_line, change_lines
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, NounGroup, examples
from custody_cli.output import Answer, Line, print_lines
from custody_cli.session import Session
from custody_cli.statement_options import (
    actor_of,
    require_one_way,
    signature_options,
    signature_over,
    statement_commands,
)
from custody_cli.system import surroundings_of

change_argument = click.argument("named", metavar="[ID]", required=False)
"""The id or its first eight characters or more; left out, the only open change is meant."""


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody --vault reserve change list",
        "custody --vault reserve change approve 3f9a21c07be4d512 --key ~/.ssh/id_ed25519 --as ann",
        "custody --vault reserve change export 3f9a21c07be4d512 -o change.txt --as bo",
    ),
)
def change() -> None:
    """Changes of officers, policy and allowlist: who signs them, and where they stand."""


@change.command("list", epilog=examples("custody change list", "custody change list --all --json"))
@click.option("--all", "everything", is_flag=True, help="Those that ended or are in force too.")
@click.pass_obj
def list_(session: Session, everything: bool) -> Answer:
    """List the changes that are under way, and the newest governance statement: signers compare it with their pins."""
    office = open_office(workspace_of(session))
    under_way = (ChangeStatus.PENDING, ChangeStatus.WAITING)
    newest = office.state.governance.head
    records = office.state.governance.changes.values()
    views = [view_change(office, one) for one in records if everything or one.status in under_way]

    def lines() -> Iterable[Line]:
        yield from (change_line(view) for view in views) if views else ("no change is under way",)
        if newest is not None:
            yield f"newest governance statement {newest.number}, digest {newest.digest}"

    newest_json: JsonValue = None if newest is None else {"number": newest.number, "digest": newest.digest}
    return Answer({"newest": newest_json, "changes": [view.to_json() for view in views]}, lines)


@change.command(epilog=examples("custody change show 3f9a21c07be4d512"))
@change_argument
@click.pass_obj
def show(session: Session, named: str | None) -> Answer:
    """Show one change: what it does, who signed, who is awaited; of a policy what becomes easier and harder."""
    office = open_office(workspace_of(session))
    return change_answer(view_change(office, find_change(office.state.governance, named)))


@change.command(
    epilog=examples(
        "custody change approve 3f9a21c07be4d512 --key ~/.ssh/id_ed25519 --as ann",
        "custody change approve 3f9a21c07be4d512 --signature change.txt.sig --as bo",
    )
)
@change_argument
@signature_options
@click.pass_obj
def approve(session: Session, named: str | None, key: Path | None, signature: str | None) -> Answer:
    """Sign for a change as --as NAME. It takes effect with the signature that completes its quorums."""
    return sign_and_record(session, named, key, signature, approves=True)


@change.command(
    epilog=examples("custody change reject 3f9a21c07be4d512 --key ~/.ssh/id_ed25519 --as audrey"),
)
@change_argument
@signature_options
@click.pass_obj
def reject(session: Session, named: str | None, key: Path | None, signature: str | None) -> Answer:
    """Sign against a change as --as NAME. While a change waits for its time, one officer's refusal ends it."""
    return sign_and_record(session, named, key, signature, approves=False)


@change.command(
    epilog=examples(
        "custody change export 3f9a21c07be4d512 -o change.txt",
        "ssh-keygen -Y sign -n custody-adopt/1 -f ~/.ssh/id_ed25519 change.txt",
    )
)
@change_argument
@click.option("-o", "--output", default=STDIO, metavar="FILE", help="A new file; stdout by default.")
@click.option("--against", is_flag=True, help="Write what is signed to refuse it.")
@click.pass_obj
def export(session: Session, named: str | None, output: str, against: bool) -> Answer:
    """Write the statement that officers sign: to sign it by hand elsewhere, or to check a signature afterwards."""
    office = open_office(workspace_of(session))
    record = find_change(office.state.governance, named)
    change = record.change
    statement = change.rejection(office.vault.name) if against else change.statement(office.vault.name)
    said = {
        "change_id": record.change.change_id,
        "statement": statement.text,
        "statement_digest": statement.digest,
        "namespace": statement.kind.namespace,
    }
    if output == STDIO:
        return Answer(said, lambda: (), raw=statement.signed_bytes)
    atomic.create_file(Path(output), statement.signed_bytes)
    return Answer({**said, "file": output}, lambda: (f"wrote {output}", *statement_commands(statement, output)))


def sign_and_record(
    session: Session, named: str | None, key: Path | None, signature: str | None, *, approves: bool
) -> Answer:
    """Sign a change that stands in the journal, and record the signature."""
    require_one_way(key, signature)
    workspace, name = workspace_of(session), actor_of(session)
    office = open_office(workspace)
    record = find_change(office.state.governance, named)
    signer_of_change(office.state.governance, record, name)
    statement = statement_of_change(office, record, approves=approves)
    if signature is None and not session.as_json:
        print_lines(change_lines(view_change(office, record)), sys.stderr)
    armored = signature_over(session, statement, key, signature)
    change_id = record.change.change_id
    return change_answer(
        decide_again(
            workspace,
            surroundings_of(session),
            lambda desk: sign_change(desk, change_id, name, approves=approves, signature=armored),
        )
    )
