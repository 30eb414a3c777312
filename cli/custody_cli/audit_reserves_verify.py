"""`custody audit reserves verify`: statements judged with the verifier's own node. No workspace is needed."""

from pathlib import Path
from typing import Unpack

import click

from custody.audit.reserves.challenge import MAX_BYTES as MAX_CHALLENGE_BYTES
from custody.audit.reserves.challenge import Challenge, parse_challenge
from custody.audit.reserves.descriptor import KnownVault
from custody.audit.reserves.statement import MAX_BYTES, parse_statement
from custody.workflow.verify_reserves import verify_reserves
from custody_cli.audit_reserves_bip127 import judge_bip127_file
from custody_cli.audit_reserves_screen import verdict_answer
from custody_cli.audit_sources import (
    ChainArguments,
    ChainChoice,
    VaultArguments,
    VaultChoice,
    chain_options,
    is_word_of_writer,
    vault_options,
)
from custody_cli.options import CustodyCommand, examples, read_input
from custody_cli.output import Answer
from custody_cli.page_check import read_page
from custody_cli.page_verdict import PageQuestion, page_answer
from custody_cli.session import Session


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        "custody audit reserves verify statement.json --challenge challenge.json --node http://127.0.0.1:8332 "
        "--cookie ~/.bitcoin/.cookie",
        "custody audit reserves verify bank.json treasury.json --challenge bank-asked.json "
        "--challenge treasury-asked.json --node http://127.0.0.1:8332 --cookie ~/.bitcoin/.cookie",
        "custody audit reserves verify --page page --node http://127.0.0.1:8332 --cookie ~/.bitcoin/.cookie",
        "custody audit reserves verify --bip127 proof.txn --message message.txt --network main "
        "--node http://127.0.0.1:8332 --cookie ~/.bitcoin/.cookie",
    ),
)
@click.argument("statements", metavar="STATEMENT…", nargs=-1)
@click.option(
    "--challenge",
    "challenge_files",
    multiple=True,
    metavar="FILE",
    help="The challenge that you sent; once for each holder. Else the statement's own is taken, which proves less.",
)
@click.option(
    "--max-age",
    type=click.IntRange(min=0),
    metavar="BLOCKS",
    help="Take a challenge whose block is up to so old; else 144, and not after it expired.",
)
@click.option(
    "--page",
    "page_folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Check a public page: every byte of it, and the statements beside it, of whatever age.",
)
@click.option("--bip127", "bip127_file", metavar="FILE", help="Judge a BIP 127 proof instead, a transaction in hex.")
@click.option("--message", "message_file", metavar="FILE", help="With --bip127: the file that holds its message.")
@vault_options
@chain_options
@click.pass_obj
def verify(
    session: Session,
    statements: tuple[str, ...],
    challenge_files: tuple[str, ...],
    max_age: int | None,
    page_folder: Path | None,
    bip127_file: str | None,
    message_file: str | None,
    vault_file: str | None,
    descriptor: str | None,
    network: str | None,
    **chain: Unpack[ChainArguments],
) -> Answer:
    """Check that the keys of all claimed addresses signed for the challenge, and what those addresses held.

    Amounts come from your node alone. Each coin counts once across all statements. An answer of no is exit 3, one
    that can't be given here is exit 9, and neither is ever shown as valid.
    """
    source = ChainChoice(**chain)
    vault = VaultArguments(vault_file=vault_file, descriptor=descriptor, network=network)
    if bip127_file is not None:
        if statements or challenge_files or page_folder is not None or message_file is None:
            raise click.UsageError("--bip127 goes with --message, and with no statement, challenge or page")
        return judge_bip127_file(session, bip127_file, message_file, source, network)
    if page_folder is not None and max_age is not None:
        raise click.UsageError("--page takes no --max-age: a page says its date, and may be old")
    if not statements and page_folder is None:
        raise click.UsageError("name a statement, --page, or --bip127")
    claims = [parse_statement(read_input(place, max_bytes=MAX_BYTES)) for place in statements]
    sent = [_challenge(place) for place in challenge_files]
    known = _known(session, vault)
    if page_folder is not None:
        question = PageQuestion(tuple(claims), tuple(sent), known)
        return page_answer(session, source, read_page(page_folder), question)
    with source.opened(session, claims[0].challenge.network) as backend:
        verdict = verify_reserves(
            backend,
            claims,
            sent,
            session.progress,
            known=known,
            max_age=max_age,
            is_word_of_writer=is_word_of_writer(backend),
        )
        tip = backend.tip()
    return verdict_answer(verdict, claims[0].challenge, tip, source.describe())


def _challenge(place: str) -> Challenge:
    return parse_challenge(read_input(place, max_bytes=MAX_CHALLENGE_BYTES))


def _known(session: Session, arguments: VaultArguments) -> KnownVault | None:
    """Return the vault that the verifier names; none is no mistake."""
    if arguments["vault_file"] is None and arguments["descriptor"] is None:
        if arguments["network"] is not None:
            raise click.UsageError("--network goes with --descriptor or --bip127")
        return None
    vault = VaultChoice(**arguments).load(session)
    return KnownVault(vault.descriptor, vault.network)
