"""`custody address next | list | verify | attest`: addresses, derived by two engines.

`list` and `verify` work from the descriptor alone, for anyone who holds the vault file; nothing
is answered from a cache, a label or a journal (A36). `next` reserves an index in the journal.
"""

from collections.abc import Iterator
from typing import Unpack

import click

from custody.bitcoin.address import script_of
from custody.bitcoin.derivation import find_script
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.second_opinion import SecondOpinion, require_same_scripts
from custody.documents.display import group_address
from custody.errors import JsonValue
from custody.vault.vault import Vault
from custody.workflow.issue_address import issue_address
from custody.workflow.office import decide_again
from custody_cli.address_attest import attest
from custody_cli.address_attestation import PayerOptions, attestation_options, verify_attestation
from custody_cli.loading import load_vault, vault_file_option, workspace_of
from custody_cli.options import NounGroup, examples
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.session import Session
from custody_cli.system import surroundings_of

_BRANCHES = click.Choice([branch.label for branch in Branch])
_MAX_COUNT = 1_000_000
_SEARCHED = 10_000


@click.group(
    cls=NounGroup,
    epilog=examples(
        "custody --vault reserve address list --branch receive --count 5",
        "custody address verify bc1q… --vault-file vault.yaml",
    ),
)
def address() -> None:
    """Addresses of the vault, derived from its descriptor."""


@address.command(
    "next",
    epilog=examples("custody --vault reserve address next --label 'mining pool'", "custody address next --json"),
)
@click.option("--label", metavar="TEXT", help="What the address is for.")
@click.pass_obj
def next_(session: Session, label: str | None) -> Answer:
    """Hand out the next receive address, derived by both engines and reserved in the journal."""
    issued = decide_again(
        workspace_of(session), surroundings_of(session), lambda desk: issue_address(desk, label=label)
    )
    place = f"receive {issued.index}"
    json: dict[str, JsonValue] = {"address": issued.address, "branch": "receive", "index": issued.index}
    shown = Styled(group_address(issued.address), Style.STRONG)
    return Answer(json, lambda: (shown, issued.address, f"{place}; compare it on a device before you give it away"))


@address.command(
    "list",
    epilog=examples(
        "custody --vault reserve address list --branch receive --start 0 --count 20",
        "custody address list --vault-file vault.yaml --branch change --json",
    ),
)
@click.option("--branch", type=_BRANCHES, default="receive", show_default=True)
@click.option("--start", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, metavar="N")
@click.option("--count", type=click.IntRange(1, _MAX_COUNT), default=20, show_default=True, metavar="N")
@vault_file_option
@click.pass_obj
def list_(session: Session, branch: str, start: int, count: int, vault_file_path: str | None) -> Answer:
    """List addresses of one branch, derived by both engines. Nothing is recorded or reserved."""
    vault = load_vault(session, vault_file_path)
    chosen = Branch.from_label(branch)
    rows = _derive(vault, chosen, range(start, min(start + count, 2**31)))
    listed: list[JsonValue] = [
        {"branch": branch, "index": index, "address": text, "script_pubkey": script.hex()}
        for index, text, script in rows
    ]

    def lines() -> Iterator[Line]:
        for index, text, _script in rows:
            yield f"{branch} {index:>6}  {group_address(text)}"

    return Answer({"network": str(vault.network), "addresses": listed}, lines)


@address.command(
    epilog=examples(
        "custody --vault reserve address verify bc1q…",
        "custody address verify bc1q… --vault-file vault.yaml --count 100000",
        "custody address verify bc1q… --attestation pool.json --officers allowed_signers --tip-height 912000",
    )
)
@click.argument("text", metavar="[ADDRESS]", required=False)
@click.option(
    "--count",
    type=click.IntRange(1, _MAX_COUNT),
    default=_SEARCHED,
    show_default=True,
    metavar="N",
    help="How many indexes of each branch are searched.",
)
@attestation_options
@vault_file_option
@click.pass_obj
def verify(
    session: Session,
    /,
    text: str | None,
    count: int,
    vault_file_path: str | None,
    attestation: str | None,
    **payer: Unpack[PayerOptions],
) -> Answer:
    """Say whether ADDRESS is the vault's, and where. Exit 3 if it is not found.

    With --attestation: say whether officers whom you know signed an address for you, without wallet, workspace or
    network. ADDRESS is then what you are about to pay to, compared whole. Exit 3 if not.
    """
    if attestation is not None:
        return verify_attestation(attestation=attestation, address=text, vault_file_path=vault_file_path, **payer)
    if text is None or any(value not in ((), None) for value in payer.values()):
        raise click.UsageError("name an ADDRESS; officers, --require and --tip-height go with --attestation")
    vault = load_vault(session, vault_file_path)
    script = script_of(text, vault.network)
    branches = vault.descriptor.branches
    place = find_script(vault.deriver, {script}, counts=dict.fromkeys(branches, count)).get(script)
    if place is None:
        no = Styled(f"NOT OURS: not among the first {count} addresses of any branch of `{vault.name}`", Style.BAD)
        json: dict[str, JsonValue] = {"address": text, "ours": False, "branch": None, "index": None, "searched": count}
        return Answer(json, lambda: (group_address(text), no), 3)
    branch, index = Branch(place[0]), place[1]
    _derive(vault, branch, range(index, index + 1))
    yes = Styled(f"ours: {branch.label} index {index} of `{vault.name}`", Style.GOOD)
    found: dict[str, JsonValue] = {"address": text, "ours": True, "branch": branch.label, "index": index}
    return Answer({**found, "searched": count}, lambda: (group_address(text), yes))


address.add_command(attest)


def _derive(vault: Vault, branch: Branch, indexes: range) -> list[tuple[int, str, bytes]]:
    """Return index, address and script, each derived by both engines."""
    deriver, second = vault.deriver, SecondOpinion(vault.descriptor_text, vault.network)
    scripts = [deriver.at(branch, index).script_pubkey for index in indexes]
    position = vault.descriptor.branches.index(branch)
    others = [second.script_pubkey_at(position, index) for index in indexes]
    require_same_scripts(scripts, others, what=f"{branch.label} addresses")
    return [
        (index, deriver.address_at(branch, index, vault.network), script)
        for index, script in zip(indexes, scripts, strict=True)
    ]
