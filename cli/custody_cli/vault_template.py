"""`custody vault template`: structure and founding ceremony for a partner, without keys, addresses or names."""

import click

from custody.audit.governance import GovernanceState
from custody.audit.signers import Signers
from custody.workflow.office import open_office
from custody.workflow.share import template_to_share
from custody.workflow.vault_template import TemplateSource
from custody_cli.device_memory import profiles_of_workspace
from custody_cli.loading import load_vault, vault_file_option, workspace_of
from custody_cli.options import STDIO, CustodyCommand, examples
from custody_cli.output import Answer
from custody_cli.session import Session
from custody_cli.share_output import shared_answer


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody --vault reserve vault template -o template.yaml",
        "custody vault template --vault-file vault.yaml",
    ),
)
@click.option("--keep-amounts", is_flag=True, help="Keep the policy's limits; they tell how large the reserve is.")
@click.option("-o", "--output", default=STDIO, metavar="FILE", help="A new file; stdout by default.")
@vault_file_option
@click.pass_obj
def template(session: Session, keep_amounts: bool, output: str, vault_file_path: str | None) -> Answer:
    """Write the vault's structure and its founding as a checklist, for a partner who builds the same.

    Only what is known to tell nothing passes; keys, addresses, people, devices' makers and places become placeholders.
    With --vault-file the vault alone: no officers, no policy, no devices.
    """
    if vault_file_path is not None:
        source = TemplateSource(load_vault(session, vault_file_path), GovernanceState(), Signers(), {})
    else:
        office = open_office(workspace_of(session))
        profiles = profiles_of_workspace(office.workspace)
        source = TemplateSource(office.vault, office.state.governance, office.state.signers, profiles)
    return shared_answer("template", template_to_share(source, keep_amounts=keep_amounts), output)
