"""`custody vault found`: officers and policy come into force by one statement that every founder signs."""

import click

from custody.audit.change_rules import officer_facts
from custody.codes import Code
from custody.documents.strict_yaml import MAX_BYTES
from custody.errors import Conflict
from custody.people.change import ChangeKind, Payload
from custody.policy.check import check_policy
from custody.workflow.change_governance import ChangeView, propose_change
from custody.workflow.office import Desk, decide_again
from custody.workflow.policy_documents import read_policy
from custody_cli.change_screen import change_lines
from custody_cli.loading import workspace_of
from custody_cli.options import CustodyCommand, examples, read_input
from custody_cli.output import Answer, finding_lines, findings_json
from custody_cli.session import Session
from custody_cli.system import surroundings_of


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody officer add ann --role approver --role administrator --key ann.pub   (and so on)",
        "custody vault found --policy policy.yaml",
        "custody change approve --key ~/.ssh/id_ed25519 --as ann   (by every founder)",
    ),
)
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The spend policy to begin with.")
@click.option("--reason", metavar="TEXT", help="Part of what the founders sign.")
@click.pass_obj
def found(session: Session, policy_file: str, reason: str | None) -> Answer:
    """Make the founding statement of the officers named so far and a policy. Every one of them signs it.

    Until the last founder has signed nothing is in force. Compare the founding digest with each other.
    """
    policy = read_policy(read_input(policy_file, max_bytes=MAX_BYTES))

    def step(desk: Desk) -> Answer:
        named = desk.state.governance.named
        if not named and not desk.state.governance.is_founded:
            raise Conflict(
                Code.NOT_FOUNDED, "no officer is named", advice="Name each founder with `custody officer add` first."
            )
        findings = check_policy(policy, officer_facts(named))
        payload = Payload(officers=tuple(named.values()), policy=policy.to_document())
        view: ChangeView = propose_change(desk, ChangeKind.FOUND, payload, reason=reason)
        return Answer(
            {**view.to_json(), "findings": findings_json(findings)},
            lambda: [*change_lines(view), *finding_lines(findings)],
        )

    return decide_again(workspace_of(session), surroundings_of(session), step)
