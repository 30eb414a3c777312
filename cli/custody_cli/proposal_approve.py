"""`custody proposal approve`: a drafter's or an approver's signature under what a proposal really does."""

import sys
from pathlib import Path

import click

from custody.people.statement import StatementKind
from custody.workflow.approve_proposal import ToSign, fitting_statement, record_statement, statement_to_sign
from custody.workflow.office import Desk, Office, decide_again, open_office
from custody.workflow.proposal_view import view_proposal
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples
from custody_cli.output import Answer, print_lines
from custody_cli.proposal_options import proposal_argument
from custody_cli.proposal_screen import answer_of, payment_lines
from custody_cli.session import Session
from custody_cli.statement_options import actor_of, read_signature, require_one_way, signature_options, signature_over
from custody_cli.system import surroundings_of


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody proposal approve 3f9a21c07be4d512 --propose --key ~/.ssh/id_ed25519 --as dora",
        "custody proposal approve 3f9a21c07be4d512 --key ~/.ssh/id_ed25519 --as ann",
        "custody proposal approve 3f9a21c07be4d512 --signature statement.txt.sig --as bo",
    ),
)
@proposal_argument
@click.option("--propose", is_flag=True, help="Sign as the proposal's drafter: it counts from there on.")
@signature_options
@click.pass_obj
def approve(session: Session, named: str | None, propose: bool, key: Path | None, signature: str | None) -> Answer:
    """Approve a proposal as --as NAME, or propose it as its drafter.

    What is signed is a short plain text: `proposal export --statement` writes it for signing elsewhere. The policy
    is asked first; exit 4 if it says no to the payment, 3 if your approval can't count.
    """
    require_one_way(key, signature)
    workspace, name = workspace_of(session), actor_of(session)
    kind = StatementKind.PROPOSE if propose else StatementKind.APPROVE
    office = open_office(workspace)
    to_sign = statement_to_sign(office, named, kind, name)
    if signature is None:
        _show(session, office, to_sign)
        armored = signature_over(session, to_sign.statement, key, None)
    else:
        armored = read_signature(signature)
        to_sign = fitting_statement(office, to_sign, armored)

    def step(desk: Desk) -> Answer:
        record = record_statement(desk, to_sign, armored)
        return answer_of(view_proposal(desk.state, desk.vault, record))

    return decide_again(workspace, surroundings_of(session), step)


def _show(session: Session, office: Office, to_sign: ToSign) -> None:
    """Show the payment in large before the statement in small, while nothing is signed yet."""
    if not session.as_json:
        print_lines(payment_lines(view_proposal(office.state, office.vault, to_sign.record)), sys.stderr)
