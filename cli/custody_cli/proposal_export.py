"""`custody proposal export`: hand a proposal over to those who sign it."""

from dataclasses import replace
from pathlib import Path

import click

from custody import atomic
from custody.bitcoin.psbt_version import to_version
from custody.workflow.draft_proposal import left_event
from custody.workflow.office import editing
from custody.workflow.proposal_access import collected_psbt, find_proposal, require_live, require_sole_holder
from custody.workflow.proposal_view import view_proposal
from custody_cli.loading import workspace_of
from custody_cli.options import STDIO, CustodyCommand, examples
from custody_cli.output import Answer
from custody_cli.proposal_options import proposal_argument
from custody_cli.proposal_screen import answer_of
from custody_cli.session import Session
from custody_cli.system import surroundings_of


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody proposal export 3f9a21c07be4d512 -o payment.psbt",
        "custody proposal export -o - --base64",
    ),
)
@proposal_argument
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to write; `-` is stdout. Never overwrites.")
@click.option("--version", type=click.Choice(["0", "2"]), default="0", show_default=True, help="PSBT version.")
@click.option("--base64", "as_base64", is_flag=True, help="Write base64 text instead of binary.")
@click.pass_obj
def export(session: Session, named: str | None, output: str, version: str, as_base64: bool) -> Answer:
    """Write the PSBT with all signatures so far. The journal notes that it left."""
    if output != STDIO:
        atomic.require_creatable(Path(output))  # before the journal says that it left, which nothing takes back
    with editing(workspace_of(session), surroundings_of(session)) as desk:
        record = find_proposal(desk.state, named)
        psbt = to_version(collected_psbt(record), int(version))
        content = (psbt.to_base64() + "\n").encode() if as_base64 else psbt.serialize()
        if not record.has_left:
            require_live(desk.state, record)
            require_sole_holder(desk.state, record)
            desk.record([left_event(record.proposal_id, "export")])
        answer = answer_of(view_proposal(desk.state, desk.vault, desk.state.proposals[record.proposal_id]))
    if output == STDIO:
        return replace(answer, raw=content)
    atomic.create_file(Path(output), content)
    return answer
