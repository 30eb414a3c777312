"""`custody journal checkpoint`: officers sign the journal's head, and each office keeps the file elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import click

from custody import atomic
from custody.workflow.checkpoint import SignedHead, checkpoint_signer, head_to_sign, record_checkpoint
from custody.workflow.office import Desk, decide_again, open_office
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, Line
from custody_cli.session import Session
from custody_cli.statement_options import (
    actor_of,
    require_one_way,
    signature_options,
    signature_over,
    statement_commands,
)
from custody_cli.system import surroundings_of


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody journal checkpoint --key ~/.ssh/id_ed25519 -o /media/usb/checkpoint.json --as audrey",
        "custody journal checkpoint --statement head.txt",
        "custody journal checkpoint --at HASH --signature head.txt.sig -o checkpoint.json --as bo",
    ),
)
@click.option("--at", metavar="HASH", help="Sign this entry's hash; without it the newest entry's.")
@click.option("--statement", metavar="FILE", help="Only write the statement, to sign it elsewhere.")
@click.option(
    "-o", "--output", metavar="FILE", help="Write the checkpoint with every signature that it has; a new file."
)
@signature_options
@click.pass_obj
def checkpoint(
    session: Session,
    at: str | None,
    statement: str | None,
    output: str | None,
    key: Path | None,
    signature: str | None,
) -> Answer:
    """Sign the journal's head as --as NAME, and write a checkpoint file to keep apart from the journal.

    Only something kept elsewhere shows a journal that was cut short or written anew as a whole:
    `journal verify --checkpoint FILE` holds a journal against it.
    """
    workspace, name = workspace_of(session), actor_of(session)
    office = open_office(workspace)
    head = head_to_sign(office, at)
    if statement is not None:
        text = head.statement
        atomic.create_file(Path(statement), text.signed_bytes)
        return Answer(
            {"file": statement, "head": head.head, "statement": text.text, "namespace": text.kind.namespace},
            lambda: (f"wrote {statement}", f"head {head.head}", *statement_commands(text, statement)),
        )
    require_one_way(key, signature)
    if output is not None:
        atomic.require_creatable(Path(output))
    checkpoint_signer(office.state.governance, name)
    armored = signature_over(session, head.statement, key, signature)

    def step(desk: Desk) -> SignedHead:
        return record_checkpoint(desk, head, name, armored)

    signed = decide_again(workspace, surroundings_of(session), step)
    if output is not None:
        atomic.create_file(Path(output), signed.to_bytes())
    return Answer(
        {
            "entries": signed.length,
            "head": signed.head,
            "time": signed.time,
            "governance": signed.governance,
            "signed_by": [who for who, _signature in signed.signatures],
            "file": output,
        },
        lambda: _lines(signed, output),
    )


def _lines(signed: SignedHead, output: str | None) -> Iterator[Line]:
    yield f"{signed.length} entries, head {signed.head}"
    yield f"signed by {', '.join(who for who, _signature in signed.signatures)}"
    yield "keep it apart from the journal" if output is None else f"wrote {output}: keep it apart from the journal"
