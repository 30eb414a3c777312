"""The embedded chain: a regtest chain inside this process, for practice and for tests.

Blocks are built and mined here and judged by libbitcoinkernel, the engine of Bitcoin Core;
the mempool is ours. Times come from the caller or from the block before, so that equal steps
give an equal chain. It knows no network: regtest only, and no coin on it has any value.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from custody.atomic import make_directory
from custody.bitcoin.amount import FeeRate, sats, sum_sats
from custody.bitcoin.block import Block, BlockHeader, coinbase_transaction, is_coinbase, mine_block, regtest_subsidy
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain.embedded_index import ChainIndex
from custody.chain.embedded_kernel import KernelChain, rejected_block
from custody.chain.embedded_mempool import Mempool
from custody.chain.embedded_policy import MINIMUM_RELAY_RATE
from custody.chain.evidence import BlockParts
from custody.chain.past import held_after, require_blocks
from custody.codes import Code
from custody.errors import ChainUnavailable, InvalidInput
from custody.ports import (
    ChainCoin,
    ChainTransaction,
    MempoolVerdict,
    PastCoins,
    Progress,
    ScanResult,
    Tip,
    WatchRequest,
    WatchResult,
)

BLOCK_SPACING_S = 600
MAX_BLOCK_WEIGHT = 3_990_000
"""The consensus limit less room for the header and the coinbase."""
_REGTEST_MAGIC = bytes.fromhex("fabfb5da")
"""What stands before each message and each stored block of a regtest chain (Bitcoin Core, chainparams)."""


class EmbeddedBackend:
    """A `ChainBackend` that is its own node. Close it, or other processes stay locked out."""

    name = "embedded"
    network = Network.REGTEST

    def __init__(self, folder: Path, network: Network) -> None:
        """Open or create the chain in `folder`, whose parent exists.

        Raises:
            ChainUnavailable: NODE_WRONG_NETWORK unless regtest; COMPONENT_MISSING without the engine.
            Conflict: WORKSPACE_LOCKED while another process holds the chain.
        """
        if network is not Network.REGTEST:
            raise ChainUnavailable(
                Code.NODE_WRONG_NETWORK,
                f"the embedded chain is regtest only and can't serve `{network}`",
                advice="Use a node of your own or a snapshot for this vault's network.",
            )
        make_directory(folder)
        self._kernel = KernelChain(folder / "kernel")
        try:
            self._chain = ChainIndex(self._kernel)
            self._pool = Mempool(folder / "mempool.json", self._chain)
        except BaseException:
            self._kernel.close()
            raise

    def __enter__(self) -> "EmbeddedBackend":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write everything to disk and let other processes in; closing twice does nothing."""
        self._kernel.close()

    def tip(self) -> Tip:
        """Return the newest block."""
        return self._chain.tip

    def block_hash_at(self, height: int) -> str | None:
        """Return the hash of the block at `height`, None above the tip."""
        return self._chain.hashes[height] if 0 <= height <= self._chain.height else None

    def block_at(self, height: int) -> Tip | None:
        """Return the block at `height` on the active chain, None above the tip."""
        return self._block(height) if 0 <= height <= self._chain.height else None

    def height_of(self, block_hash: str) -> int | None:
        """Return the height of a block of the active chain, None where it is not on it."""
        return self._chain.hashes.index(block_hash) if block_hash in self._chain.hashes else None

    def watch(self, request: WatchRequest, progress: Progress) -> WatchResult:
        """Return every transaction and coin of the scripts; every block is known, so it is always complete."""
        scripts = {watched.script_pubkey for watched in request.scripts}
        touching: list[ChainTransaction] = []
        for height, transactions in enumerate(self._chain.blocks):
            touching.extend(self._described(one, height) for one in transactions if self._touches(one, scripts))
            progress("reading blocks", height, self._chain.height)
        pending = [entry.transaction for entry in self._pool.entries.values()]
        touching.extend(self._described(one, None) for one in pending if self._touches(one, scripts))
        paid = [
            OutPoint(one.transaction.txid, vout) for one in touching for vout in range(len(one.transaction.outputs))
        ]
        coins = [self.unspent(outpoint, include_mempool=True) for outpoint in paid]
        ours = tuple(coin for coin in coins if coin is not None and coin.script_pubkey in scripts)
        return WatchResult(self.tip(), tuple(touching), ours, ())

    def scan(self, request: WatchRequest, progress: Progress) -> ScanResult:
        """Return the scripts' coins in blocks, from the set of all unspent outputs."""
        scripts = {watched.script_pubkey for watched in request.scripts}
        coins = tuple(coin for coin in self._chain.coins.values() if coin.script_pubkey in scripts)
        progress("reading the unspent outputs", len(self._chain.coins), len(self._chain.coins))
        return ScanResult(self.tip(), coins)

    def coins_at(self, scripts: frozenset[bytes], height: int, progress: Progress) -> PastCoins:
        """Return what the scripts held right after the block at `height`; as `coins_at_each`."""
        return self.coins_at_each(scripts, (height,), progress)[0]

    def coins_at_each(
        self, scripts: frozenset[bytes], heights: Sequence[int], progress: Progress
    ) -> tuple[PastCoins, ...]:
        """Return what the scripts held right after each block: today's unspent outputs, with later blocks undone.

        Raises:
            ChainUnavailable: BLOCK_UNKNOWN above the tip.
        """
        require_blocks(heights, self._chain.height)
        now = [coin for coin in self._chain.coins.values() if coin.script_pubkey in scripts]
        spent: list[tuple[int, ChainCoin]] = []
        for height in range(min(heights) + 1, self._chain.height + 1):
            inputs = (item for one in self._chain.blocks[height] for item in one.inputs)
            coins = (self._chain.spent.get(item.outpoint) for item in inputs)
            spent += [(height, coin) for coin in coins if coin is not None and coin.script_pubkey in scripts]
            progress("undoing blocks", height - min(heights), self._chain.height - min(heights))
        return tuple(PastCoins(self._block(height), held_after(height, now, spent)) for height in heights)

    def unspent(self, outpoint: OutPoint, *, include_mempool: bool) -> ChainCoin | None:
        """Return the coin if it is unspent, None if spent or unknown."""
        coin = self._chain.coins.get(outpoint)
        if not include_mempool:
            return coin
        return None if self._pool.spends(outpoint) else coin or self._pool.output(outpoint)

    def transaction(self, txid: str, block_hash: str | None) -> Transaction:
        """Return a transaction of the mempool or the active chain, there only from `block_hash` where given.

        Raises:
            ChainUnavailable: TRANSACTION_UNKNOWN.
        """
        entry = self._pool.entries.get(txid)
        found = entry.transaction if entry else self._chain.transaction(txid)
        if found is None or (block_hash is not None and block_hash != self._block_of(txid)):
            raise ChainUnavailable(
                Code.TRANSACTION_UNKNOWN,
                f"the embedded chain has no transaction `{txid}` there",
                advice="Check the txid and sync again; after a reorganization it may have to be sent again.",
            )
        return found

    def block_parts(self, block_hash: str) -> BlockParts:
        """Return what a proof needs of a block of the active chain."""
        height = self.height_of(block_hash)
        if height is None:
            raise ChainUnavailable(
                Code.BLOCK_UNKNOWN, f"the embedded chain has no block `{block_hash}`", advice="Sync again."
            )
        transactions = self._chain.blocks[height]
        return BlockParts(self._kernel.header_at(height), tuple(one.txid for one in transactions), transactions[0])

    def headers(self, start: int, count: int) -> list[BlockHeader]:
        """Return the active chain's headers from `start` on."""
        return [self._kernel.header_at(height) for height in range(start, start + count)]

    def estimate_fee_rate(self, target_blocks: int) -> FeeRate:
        """Refuse: a chain without other users has no fee market."""
        raise ChainUnavailable(
            Code.NO_FEE_ESTIMATE,
            f"the embedded chain has no fee estimate for {target_blocks} blocks",
            advice="Give the fee rate yourself with --fee-rate.",
        )

    def minimum_fee_rate(self) -> FeeRate:
        """Return the lowest rate that the mempool takes."""
        return MINIMUM_RELAY_RATE

    def test_accept(self, raw_transaction: bytes) -> MempoolVerdict:
        """Say whether the mempool would take the transaction; nothing changes."""
        transaction = Transaction.parse(raw_transaction)
        if self._is_known(transaction.txid):
            return MempoolVerdict(True, "", True)
        reason = self._pool.judge(transaction).reason
        return MempoolVerdict(not reason, reason, False)

    def conflicts(self, transaction: Transaction) -> tuple[str, ...]:
        """Return the txids in the mempool that this transaction would evict, descendants included."""
        return self._pool.conflicts(transaction)

    def broadcast(self, raw_transaction: bytes) -> str:
        """Take the transaction into the mempool and return its txid; already known is success.

        Raises:
            ChainUnavailable: NODE_REJECTED with the reason.
        """
        transaction = Transaction.parse(raw_transaction)
        if self._is_known(transaction.txid):
            return transaction.txid
        reason = self._pool.offer(transaction).reason
        if reason:
            raise ChainUnavailable(
                Code.NODE_REJECTED,
                f"the embedded chain refuses `{transaction.txid}`: {reason}",
                advice="Sync the coins, then look at the proposal again.",
                details={"reason": reason},
            )
        self._pool.save()
        return transaction.txid

    def block_files(self) -> Iterator[bytes]:
        """Yield every block, from the first one, as a node's `-loadblock` reads them one behind the other.

        Each has the network's magic bytes and its size before it, as in Bitcoin Core's own block files.
        """
        for height, transactions in enumerate(self._chain.blocks):
            block = Block(self._kernel.header_at(height), transactions).serialize()
            yield _REGTEST_MAGIC + len(block).to_bytes(4, "little") + block

    def mine(
        self, count: int, script_pubkey: bytes, *, first_time: int | None = None, spacing_s: int = BLOCK_SPACING_S
    ) -> tuple[str, ...]:
        """Mine `count` blocks that pay `script_pubkey`, with what the mempool holds, and return their hashes.

        The first block has the time `first_time`, without it the last block's plus `spacing_s`;
        a time that isn't above the median time past is moved just above it.
        """
        time = self._chain.times[-1] + spacing_s if first_time is None else first_time
        mined = []
        for _ in range(count):
            time = max(time, self._chain.tip.median_time_past + 1)
            block = self._next_block(script_pubkey, time)
            self._kernel.submit(block)
            self._chain.refresh()
            if self._chain.hashes[-1] != block.header.block_hash:
                raise rejected_block(block)
            self._pool.reconsider()
            mined.append(block.header.block_hash)
            time += spacing_s
        self._write()
        return tuple(mined)

    def mine_fork(
        self, from_height: int, count: int, script_pubkey: bytes, *, transactions: Sequence[Transaction] = ()
    ) -> tuple[str, ...]:
        """Replace the blocks above `from_height` by `count` others, more than they are: a reorganization.

        The first new block holds `transactions`. What the old blocks held returns to the
        mempool as far as it still fits. Returns the new blocks' hashes.
        """
        if not 0 <= from_height <= self._chain.height < from_height + count:
            raise InvalidInput(
                Code.USAGE,
                f"{count} blocks from height {from_height} don't outgrow the chain of height {self._chain.height}",
                advice="Fork from a block of the chain, with more blocks than it has above that one.",
            )
        abandoned = self._chain.blocks[from_height + 1 :]
        hashes = self._mine_branch(from_height, count, script_pubkey, transactions)
        self._chain.refresh()
        if self._chain.hashes[-1] != hashes[-1]:
            raise ChainUnavailable(
                Code.NODE_REJECTED,
                f"the engine did not follow the branch that ends in `{hashes[-1]}`",
                advice="Remove the transaction that consensus forbids there, then mine again.",
            )
        self._pool.reconsider(tuple(one for block in abandoned for one in block if not is_coinbase(one)))
        self._write()
        return hashes

    def _mine_branch(
        self, from_height: int, count: int, script_pubkey: bytes, transactions: Sequence[Transaction]
    ) -> tuple[str, ...]:
        # Differs from every block that is there, even at equal heights and times.
        extra = sha256(bytes.fromhex(self._chain.hashes[-1]))[:8]
        previous, time = self._chain.hashes[from_height], self._chain.times[from_height]
        hashes = []
        for height in range(from_height + 1, from_height + count + 1):
            time += BLOCK_SPACING_S
            held = tuple(transactions) if height == from_height + 1 else ()
            coinbase = coinbase_transaction(height, regtest_subsidy(height), script_pubkey, held, extra=extra)
            block = mine_block(previous, time, (coinbase, *held))
            self._kernel.submit(block)
            previous = block.header.block_hash
            hashes.append(previous)
        return tuple(hashes)

    def _next_block(self, script_pubkey: bytes, time: int) -> Block:
        height, weight, fees = self._chain.height + 1, 0, 0
        held: list[Transaction] = []
        for entry in self._pool.entries.values():
            weight += entry.transaction.weight
            if weight > MAX_BLOCK_WEIGHT:
                break
            held.append(entry.transaction)
            fees += entry.fee
        value = sats(regtest_subsidy(height) + fees)
        coinbase = coinbase_transaction(height, value, script_pubkey, held)
        return mine_block(self._chain.hashes[-1], time, (coinbase, *held))

    def _write(self) -> None:
        # The engine first: a mempool file that still holds what a block has taken is harmless.
        self._kernel.flush()
        self._pool.save()

    def _block(self, height: int) -> Tip:
        return Tip(height, self._chain.hashes[height], self._chain.median_time_past_at(height))

    def _block_of(self, txid: str) -> str | None:
        height = self._chain.heights.get(txid)
        return None if height is None else self._chain.hashes[height]

    def _is_known(self, txid: str) -> bool:
        return txid in self._chain.heights or txid in self._pool.entries

    def _output(self, outpoint: OutPoint) -> ChainCoin | None:
        return self._chain.output(outpoint) or self._pool.output(outpoint)

    def _touches(self, transaction: Transaction, scripts: set[bytes]) -> bool:
        if any(output.script_pubkey in scripts for output in transaction.outputs):
            return True
        spent = (self._output(tx_input.outpoint) for tx_input in transaction.inputs)
        return any(coin is not None and coin.script_pubkey in scripts for coin in spent)

    def _described(self, transaction: Transaction, height: int | None) -> ChainTransaction:
        block_hash = None if height is None else self._chain.hashes[height]
        coinbase = is_coinbase(transaction)
        spent = [self._output(tx_input.outpoint) for tx_input in transaction.inputs]
        known = [coin.value for coin in spent if coin is not None]
        fee = None
        if not coinbase and len(known) == len(spent):
            fee = sats(sum_sats(known) - sum_sats(output.value for output in transaction.outputs))
        return ChainTransaction(transaction, height, block_hash, fee, coinbase)
