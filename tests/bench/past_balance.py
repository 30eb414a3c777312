"""What it costs to undo blocks for a past balance: `coins_at` against a real node, with and without block filters.

    past_balance.py [--full-blocks 20] [--empty-blocks 2000]

Full blocks hold 2,000 transactions each, about as many as a block on mainnet. Nothing is asserted about time, but
the answer with filters must be the answer without.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from custody.bitcoin.amount import sats
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.chain.core_rpc import CoreRpcBackend
from custody.ports import PastCoins, no_progress
from support.node import Node, find_bitcoind, start, stop

ANYONE = b"\x51"
WATCHED = bytes.fromhex("0020") + bytes(32)
PER_BLOCK = 2_000
PADDING = TxOutput(sats(0), bytes.fromhex("6a4c50") + bytes(80))
"""Makes a transaction as large as a common payment."""


def main() -> None:
    """Build a chain, then undo it from two nodes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full-blocks", type=int, default=20)
    parser.add_argument("--empty-blocks", type=int, default=2_000)
    options = parser.parse_args()
    program = find_bitcoind()
    if program is None:
        sys.exit("no bitcoind: run `make node`, or set BITCOIND")
    with tempfile.TemporaryDirectory(prefix="custody-bench-") as folder:
        (Path(folder) / "filters").mkdir()
        (Path(folder) / "plain").mkdir()
        options_of = ("-blockfilterindex=1", "-acceptnonstdtxn=1", "-rpcservertimeout=600")
        process, filtering = start(program, Path(folder) / "filters", *options_of)
        other, plain = start(program, Path(folder) / "plain")
        try:
            height = build(filtering, options.full_blocks, options.empty_blocks)
            copy(filtering, plain)
            measure("every block read", plain, height)
            measure("compact filters", filtering, height)
        finally:
            stop(process)
            stop(other)


def build(node: Node, full: int, empty: int) -> int:
    """Mine a watched coin, full blocks and empty ones; return the height right after the coin."""
    node.rpc("generatetodescriptor", 100 + full, f"raw({ANYONE.hex()})")
    node.rpc("generatetodescriptor", 1, f"raw({WATCHED.hex()})")
    height = node.backend().tip().height
    for number in range(1, full + 1):
        block: object = node.rpc("getblock", node.rpc("getblockhash", number), 2)
        assert isinstance(block, dict)
        source = OutPoint(block["tx"][0]["txid"], 0)
        share = sats(5_000_000_000 // 2 ** (number // 150) // PER_BLOCK)
        fan = Transaction(2, (TxInput(source),), (TxOutput(share, ANYONE),) * PER_BLOCK, 0)
        spends = [
            Transaction(2, (TxInput(OutPoint(fan.txid, at)),), (TxOutput(share, ANYONE), PADDING), 0)
            for at in range(PER_BLOCK)
        ]
        raw = [one.serialize().hex() for one in (fan, *spends)]
        node.rpc("generateblock", f"raw({ANYONE.hex()})", [*raw])
    done = 0
    while done < empty:
        node.rpc("generatetodescriptor", min(500, empty - done), f"raw({ANYONE.hex()})")
        done += 500
    return height


def copy(source: Node, target: Node) -> None:
    """Give one node the other's blocks."""
    for height in range(1, source.backend().tip().height + 1):
        target.rpc("submitblock", source.rpc("getblock", source.rpc("getblockhash", height), 0))


def measure(what: str, node: Node, height: int) -> PastCoins:
    """Time one answer and print it."""
    backend: CoreRpcBackend = node.backend()
    assert backend.network is Network.REGTEST
    started, cpu = time.perf_counter(), time.process_time()
    past = backend.coins_at(frozenset({WATCHED}), height, no_progress)
    seconds, used = time.perf_counter() - started, time.process_time() - cpu
    assert len(past.coins) == 1
    print(f"{what}: {backend.tip().height - height} blocks, {seconds:.2f} s, of it {used:.2f} s of Python")
    return past


if __name__ == "__main__":
    main()
