"""`custody audit reserves challenge`: the auditor's question, written with the auditor's own node."""

from collections.abc import Iterator
from pathlib import Path
from typing import Unpack

import click

from custody import atomic
from custody.audit.reserves.challenge import MAX_AGE, Challenge
from custody.bitcoin.network import Network
from custody.workflow.write_challenge import ChallengeWish, write_challenge
from custody_cli.audit_sources import ChainArguments, ChainChoice, chain_options
from custody_cli.options import NETWORK, CustodyCommand, examples
from custody_cli.output import Answer, Line
from custody_cli.session import Session
from custody_cli.system import SystemNonces


@click.command(
    cls=CustodyCommand,
    epilog=examples(
        'custody audit reserves challenge --network main --holder "Treasury" --purpose "Audit 2026" '
        "--node http://127.0.0.1:8332 --cookie ~/.bitcoin/.cookie -o challenge.json",
    ),
)
@click.option("--network", type=NETWORK, required=True)
@click.option("--holder", required=True, metavar="TEXT", help="Who is to prove it; plain letters, short.")
@click.option("--purpose", required=True, metavar="TEXT", help="For which audit; plain letters, short.")
@click.option("--height", type=click.IntRange(min=0), help="The block; else the newest one that is deep enough.")
@click.option("--nonce", metavar="HEX", help="64 hex digits that nobody can know before; else random ones.")
@click.option(
    "--expires-after",
    type=click.IntRange(min=1),
    default=MAX_AGE,
    show_default=True,
    metavar="BLOCKS",
    help="Blocks from now in which a proof is taken.",
)
@click.option("-o", "--output", required=True, metavar="FILE", help="A new file; send it to the holder, keep a copy.")
@chain_options
@click.pass_obj
def challenge(
    session: Session,
    network: str,
    holder: str,
    purpose: str,
    height: int | None,
    nonce: str | None,
    expires_after: int,
    output: str,
    **chain: Unpack[ChainArguments],
) -> Answer:
    """Ask a holder to prove a reserve at a block of your own chain.

    A proof for another challenge, an older one or another auditor's, will not verify against this file.
    """
    atomic.require_creatable(Path(output))
    wish = ChallengeWish(Network(network), holder, purpose, expires_after, height, nonce)
    source = ChainChoice(**chain)
    with source.opened(session, wish.network) as backend:
        asked = write_challenge(backend, SystemNonces(), wish)
    atomic.create_file(Path(output), asked.to_bytes())
    return Answer(
        {
            "file": output,
            "digest": asked.digest,
            "challenge": asked.to_document(),
            "message": asked.message.decode("ascii"),
            "source": source.describe(),
        },
        lambda: _lines(asked, output, source),
    )


def _lines(asked: Challenge, output: str, source: ChainChoice) -> Iterator[Line]:
    yield f"wrote {output}: send it to the holder, and keep your copy"
    yield f"digest {asked.digest}"
    yield f"block {asked.height} is {asked.block_hash}, says {source.describe()}"
    yield f"a proof is taken up to block {asked.expires_height}"
    yield "the holder's devices sign these lines:"
    yield from (f"  {line}" for line in asked.message.decode("ascii").split("\n"))
