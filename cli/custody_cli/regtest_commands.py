"""`custody regtest …`: the embedded practice chain. Regtest only; nothing on it has value."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from custody.atomic import create_file_from
from custody.bitcoin.address import script_of
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.chain.embedded import EmbeddedBackend
from custody.codes import Code
from custody.errors import InvalidInput
from custody.workflow.office import open_office
from custody_cli.chain_access import opened_chain
from custody_cli.loading import workspace_of
from custody_cli.options import NounGroup, examples
from custody_cli.output import Answer
from custody_cli.session import Session

_NOBODY = b"\x00\x20" + sha256(b"custody regtest: nobody")
"""Where coinbases go that nobody asked for: the hash of a sentence, which no script has."""


@click.group(cls=NounGroup, epilog=examples("custody --vault rehearsal regtest mine --blocks 6"))
def regtest() -> None:
    """The embedded practice chain (regtest only, inside this process)."""


@regtest.command(
    epilog=examples("custody regtest mine --blocks 101 --to bcrt1q…", "custody regtest mine --blocks 6"),
)
@click.option("--blocks", type=click.IntRange(1, 10_000), default=1, show_default=True, metavar="N")
@click.option("--to", "to", metavar="ADDRESS", help="Who gets the coinbases; else nobody can spend them.")
@click.pass_obj
def mine(session: Session, blocks: int, to: str | None) -> Answer:
    """Mine blocks with what waits in the embedded chain's mempool. Coinbases ripen after 100 blocks."""
    script = _NOBODY if to is None else script_of(to, Network.REGTEST)
    with _embedded(session) as backend:
        hashes = backend.mine(blocks, script)
        height = backend.tip().height
    return Answer({"height": height, "blocks": [*hashes]}, lambda: (f"mined {blocks} block(s), the tip is {height}",))


@regtest.command(epilog=examples("custody regtest export -o practice-blocks.dat"))
@click.option("-o", "--output", required=True, metavar="FILE", help="A new file.")
@click.pass_obj
def export(session: Session, output: str) -> Answer:
    """Write every block to a file from which a real node learns this chain: `bitcoind -regtest -loadblock=FILE`."""
    with _embedded(session) as backend:
        height = backend.tip().height
        create_file_from(Path(output), backend.block_files())
    return Answer(
        {"file": output, "height": height},
        lambda: (
            f"wrote the blocks 0 to {height} to {output}",
            f"a node reads them: bitcoind -regtest -loadblock={output}",
        ),
    )


@contextmanager
def _embedded(session: Session) -> Iterator[EmbeddedBackend]:
    with opened_chain(open_office(workspace_of(session))) as backend:
        if not isinstance(backend, EmbeddedBackend):
            raise InvalidInput(
                Code.NODE_WRONG_NETWORK,
                "this workspace uses another chain than the embedded one",
                advice="Use the node's own tools.",
            )
        yield backend
