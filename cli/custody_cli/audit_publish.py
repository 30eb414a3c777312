"""`custody audit publish`: the reserve's public page, written only from statements that a node has just confirmed."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

import click

from custody.atomic import create_file, read_private_file
from custody.audit.publish import commitments as commitments_file
from custody.audit.publish.commitments import Salts, draw_salts, parse_salts
from custody.audit.publish.facts import PageSources, amounts_of, committed_facts, open_facts
from custody.audit.publish.page import PageFacts
from custody.audit.reserves import statement as statement_file
from custody.audit.reserves.statement import parse_statement
from custody.bitcoin.amount import format_btc
from custody.codes import Code
from custody.errors import CheckFailed, JsonValue
from custody.workflow import checkpoint
from custody.workflow.checkpoint import SignedHead, require_sound
from custody.workflow.office import open_office
from custody.workflow.publication import require_addresses_allowed
from custody.workspace.swapped_folder import publish_folder, replace_folder
from custody_cli.audit_sources import ChainArguments, ChainChoice, chain_options
from custody_cli.loading import workspace_if_any
from custody_cli.options import CustodyCommand, examples, read_input
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.page_check import attached_files, checkpoint_facts, generator, require_own_page
from custody_cli.page_render import render_site, verify_command
from custody_cli.page_verdict import PageEvidence, confirm_statements
from custody_cli.session import Session

_DISCLOSED = (
    Styled(
        "a published statement holds the vault's descriptor: everybody sees all its addresses, for ever", Style.CARE
    ),
    "for the funded addresses alone, make the statement with `--disclose addresses`",
)


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody audit publish --statement statement.json --node http://127.0.0.1:8332 -o page",
        "custody audit publish --statement statement.json --journal-checkpoint checkpoint.json -o page --replace",
        "custody audit publish --statement statement.json --commitments --salts page-salts.json -o page",
    ),
)
@click.option(
    "--statement", "statement_files", multiple=True, required=True, metavar="FILE", help="A statement; may be repeated."
)
@click.option(
    "--journal-checkpoint",
    "checkpoint_files",
    multiple=True,
    metavar="FILE",
    help="A signed head of the journal, to be published; may be repeated.",
)
@click.option("--commitments", is_flag=True, help="Show a salted hash for each address, and publish no statement.")
@click.option(
    "--salts", type=click.Path(path_type=Path), metavar="FILE", help="Private: the salts; made where it isn't there."
)
@click.option("--replace", is_flag=True, help="Take the place of the page that lies in FOLDER.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="A new folder.")
@chain_options
@click.pass_obj
def publish(
    session: Session,
    statement_files: tuple[str, ...],
    checkpoint_files: tuple[str, ...],
    commitments: bool,
    salts: Path | None,
    replace: bool,
    output: Path,
    **chain: Unpack[ChainArguments],
) -> Answer:
    """Write the reserve's public page: plain files with the total at a block, its proofs, and how to check them.

    The statements are verified with your node first; without a clean yes nothing is written. The page is whole or
    not there at all, and equal input gives equal bytes: a number changed in it later is found by the command that
    the page prints. Where the workspace's policy wants commitments, a page with addresses is refused (exit 4).
    """
    if commitments != (salts is not None):
        raise click.UsageError("--commitments and --salts go together")
    workspace = workspace_if_any(session)
    if workspace is not None and not commitments:
        require_addresses_allowed(open_office(workspace).state)
    statements = tuple(
        parse_statement(read_input(name, max_bytes=statement_file.MAX_BYTES)) for name in statement_files
    )
    heads = tuple(SignedHead.from_bytes(read_input(name, max_bytes=checkpoint.MAX_BYTES)) for name in checkpoint_files)
    for head in heads:
        require_sound(head)
    if replace:
        require_own_page(output)
    source = ChainChoice(**chain)
    evidence = confirm_statements(session, source, statements)
    if isinstance(evidence, Answer):
        return evidence
    shown = tuple(checkpoint_facts(f"checkpoint-{number}.json", head) for number, head in enumerate(heads, 1))
    sources = PageSources(generator(), statements, evidence.block.median_time_past, shown)
    facts = open_facts(sources) if salts is None else committed_facts(sources, _salts(sources, salts))
    _require_same_total(facts, evidence)
    files = render_site(facts, attached_files(statements, heads, facts.disclosure))
    write = replace_folder if replace else publish_folder
    write(output, files, unique=secrets.token_hex(16))
    shows_vault = salts is None and any(statement.descriptor is not None for statement in statements)
    return Answer(
        {**_json(facts, files, output), "discloses_descriptor": shows_vault},
        lambda: (*_lines(facts, files, output, salts, source), *(_DISCLOSED if shows_vault else ())),
    )


def _require_same_total(facts: PageFacts, evidence: PageEvidence) -> None:
    if facts.total != evidence.verdict.total:
        raise CheckFailed(
            Code.RESERVE_TOTAL_DIFFERS,
            f"the page would say {facts.total} sat, your node counts {evidence.verdict.total} sat at proven addresses",
            advice="Publish nothing; make a statement whose addresses are all proven.",
        )


def _salts(sources: PageSources, path: Path) -> Salts:
    """Return the salts of the file, which is made where it isn't there."""
    if path.exists():
        return parse_salts(read_private_file(path, max_bytes=commitments_file.MAX_BYTES))
    salts = draw_salts(sources.network, amounts_of(sources.statements), lambda: secrets.token_hex(32))
    create_file(path, salts.to_bytes())
    return salts


def _json(facts: PageFacts, files: dict[str, bytes], output: Path) -> dict[str, JsonValue]:
    return {
        "folder": str(output),
        "height": facts.block.height,
        "block_hash": facts.block.block_hash,
        "total_sats": facts.total,
        "proved_sats": facts.proved,
        "addresses": len(facts.addresses),
        "commitments": len(facts.commitments),
        "files": {name: len(content) for name, content in sorted(files.items())},
        "verify": " ".join(verify_command(facts).replace("\\\n", " ").split()),
        "not_proven": list(facts.not_proven),
    }


def _lines(
    facts: PageFacts, files: dict[str, bytes], output: Path, salts: Path | None, source: ChainChoice
) -> Iterator[Line]:
    yield Styled(f"wrote {output}: {len(files)} files, {sum(map(len, files.values())):,} bytes", Style.GOOD)
    yield f"total {format_btc(facts.total)} BTC at block {facts.block.height}, verified with {source.describe()}"
    if salts is not None:
        yield Styled(f"keep {salts} private and keep it: it opens the page's commitments", Style.CARE)
    for line in facts.not_proven:
        yield f"not proven: {line}"
    yield "look at index.html in a browser, then put the folder on a web server"
    yield "readers check it with:"
    yield from (f"  {line}" for line in verify_command(facts).split("\n"))
