"""What the embedded chain's blocks say, read once per process: coins, spends, transactions.

libbitcoinkernel answers no question about a single coin, so every block of the active chain
is read in order and its outputs and inputs are kept in memory. That is linear in the chain
and meant for regtest. A reorganization starts the reading again from the first block.
"""

from custody.bitcoin.block import COINBASE_MATURITY, MEDIAN_TIME_SPAN, is_coinbase, median_time_past
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain.embedded_kernel import KernelChain
from custody.ports import ChainCoin, Tip


class ChainIndex:
    """The active chain of one `KernelChain`, in memory; call `refresh` after blocks changed."""

    def __init__(self, kernel: KernelChain) -> None:
        self._kernel = kernel
        self._clear()
        self.refresh()

    def _clear(self) -> None:
        self.hashes: list[str] = []
        self.times: list[int] = []
        self.blocks: list[tuple[Transaction, ...]] = []
        self.coins: dict[OutPoint, ChainCoin] = {}
        """Every unspent output of the active chain."""
        self.spent: dict[OutPoint, ChainCoin] = {}
        """Every output that the active chain created and spent."""
        self.heights: dict[str, int] = {}
        """Height of each transaction's block, by txid."""

    def refresh(self) -> None:
        """Read the blocks that are new since the last call."""
        known = len(self.hashes)
        if known and (self._kernel.height + 1 < known or self._kernel.block_hash_at(known - 1) != self.hashes[-1]):
            self._clear()
        for height in range(len(self.hashes), self._kernel.height + 1):
            self._append(height)

    def _append(self, height: int) -> None:
        transactions = self._kernel.transactions_at(height)
        self.hashes.append(self._kernel.block_hash_at(height))
        self.times.append(self._kernel.header_at(height).time)
        self.blocks.append(transactions)
        for transaction in transactions:
            self.heights[transaction.txid] = height
            coinbase = is_coinbase(transaction)
            if not coinbase:
                for tx_input in transaction.inputs:
                    self.spent[tx_input.outpoint] = self.coins.pop(tx_input.outpoint)
            # The first block's coinbase is no coin: consensus never lets it be spent.
            if height:
                self._add_coins(transaction, height, coinbase)

    def _add_coins(self, transaction: Transaction, height: int, coinbase: bool) -> None:
        for vout, output in enumerate(transaction.outputs):
            outpoint = OutPoint(transaction.txid, vout)
            self.coins[outpoint] = ChainCoin(outpoint, output.value, output.script_pubkey, height, coinbase)

    @property
    def height(self) -> int:
        """Height of the tip."""
        return len(self.hashes) - 1

    @property
    def tip(self) -> Tip:
        """The newest block."""
        return Tip(self.height, self.hashes[-1], self.median_time_past_at(self.height))

    def median_time_past_at(self, height: int) -> int:
        """Return the median time past of the block at `height`."""
        return median_time_past(self.times[max(0, height + 1 - MEDIAN_TIME_SPAN) : height + 1])

    def is_mature(self, coin: ChainCoin) -> bool:
        """Whether the next block may spend the coin."""
        if not coin.is_coinbase or coin.height is None:
            return True
        return self.height + 1 - coin.height >= COINBASE_MATURITY

    def transaction(self, txid: str) -> Transaction | None:
        """Return a transaction of the active chain."""
        height = self.heights.get(txid)
        if height is None:
            return None
        return next(transaction for transaction in self.blocks[height] if transaction.txid == txid)

    def output(self, outpoint: OutPoint) -> ChainCoin | None:
        """Return an output of the active chain, spent or not."""
        return self.coins.get(outpoint) or self.spent.get(outpoint)
