"""A snapshot file as a view of the chain, for a machine without a network.

It answers what the file holds and nothing else: it can't send, can't ask a mempool, and knows
no block but those of the vault's own transactions and the tip. It is as old as its tip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from custody.atomic import create_file, read_file
from custody.bitcoin.amount import FeeRate
from custody.bitcoin.block import BlockHeader
from custody.bitcoin.block_evidence import ChainEvidence
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain.evidence import BlockParts
from custody.chain.past import held_after, require_blocks
from custody.chain.snapshot_blocks import height_in, known_block
from custody.chain.snapshot_file import (
    MAX_SNAPSHOT_BYTES,
    Snapshot,
    parse_snapshot,
    write_snapshot,
)
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import (
    ChainBackend,
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

ESTIMATED_TARGETS = (2, 6, 12, 24, 144)
"""Blocks for which a snapshot asks the node's fee estimate when it is written."""


@dataclass(frozen=True, slots=True)
class SnapshotFinding:
    """What the writer's own sync found out, which the backend alone can't know."""

    incomplete: tuple[str, ...]
    compared_with_utxo_set: bool


def take_snapshot(
    backend: ChainBackend,
    request: WatchRequest,
    result: WatchResult,
    finding: SnapshotFinding,
    evidence: ChainEvidence | None = None,
) -> Snapshot:
    """Put together what `backend` knows: the result of its watch, previous transactions, fees, evidence.

    Raises:
        ChainUnavailable: a previous transaction can't be had.
    """
    known = {one.transaction.txid for one in result.transactions}
    scripts = {watched.script_pubkey for watched in request.scripts}
    counts = [0, 0]
    for watched in request.scripts:
        counts[watched.branch] = max(counts[watched.branch], watched.index + 1)
    return Snapshot(
        network=backend.network,
        vault_id=request.vault_id,
        birth_height=request.birth_height,
        scanned=(counts[0], counts[1]),
        tip=result.tip,
        transactions=result.transactions,
        coins=tuple(coin for coin in result.coins if coin.script_pubkey in scripts and coin.outpoint.txid in known),
        incomplete=finding.incomplete,
        compared_with_utxo_set=finding.compared_with_utxo_set,
        fee_estimates=_estimates(backend),
        minimum_fee_rate=backend.minimum_fee_rate(),
        evidence=evidence,
    )


def write_snapshot_file(path: Path, snapshot: Snapshot) -> None:
    """Write a new snapshot file, whole or not at all; an existing file is left alone."""
    create_file(path, write_snapshot(snapshot))


def read_snapshot_file(path: Path) -> Snapshot:
    """Read and check a snapshot file.

    Raises:
        InvalidInput: SNAPSHOT_INVALID, UNKNOWN_FORMAT, or the file can't be read.
    """
    return parse_snapshot(read_file(path, max_bytes=MAX_SNAPSHOT_BYTES))


class SnapshotBackend:
    """A `ChainBackend` over one snapshot."""

    name = "snapshot"

    def __init__(self, snapshot: Snapshot, network: Network) -> None:
        """Take the snapshot as the chain of `network`.

        Raises:
            ChainUnavailable: NODE_WRONG_NETWORK.
        """
        if snapshot.network is not network:
            raise ChainUnavailable(
                Code.NODE_WRONG_NETWORK,
                f"the snapshot is of network `{snapshot.network}`, expected `{network}`",
                advice="Write a snapshot from a node of the vault's network.",
            )
        self.network = network
        self.snapshot = snapshot
        self._transactions: Mapping[str, ChainTransaction] = {
            one.transaction.txid: one for one in snapshot.transactions
        }

    def __enter__(self) -> "SnapshotBackend":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Do nothing: the file was read at once."""

    def tip(self) -> Tip:
        """Return the block at which the snapshot was taken."""
        return self.snapshot.tip

    def block_hash_at(self, height: int) -> str | None:
        """Return the hash of the block at `height`, None above the tip.

        Raises:
            ChainUnavailable: the file knows no block at that height.
        """
        return None if height > self.snapshot.tip.height else self._known(height).block_hash

    def _known(self, height: int) -> Tip:
        found = known_block(self.snapshot, height)
        if found is None:
            raise _not_in_file(f"the block at height {height}")
        return found

    def block_at(self, height: int) -> Tip | None:
        """Return the block at `height`, None above the tip; its median time is 0 where the file lacks the headers.

        Raises:
            ChainUnavailable: the file knows no block at that height.
        """
        return None if height > self.snapshot.tip.height else self._known(height)

    def height_of(self, block_hash: str) -> int | None:
        """Return the height of a block that the file names, None for any other."""
        return height_in(self.snapshot, block_hash)

    def watch(self, request: WatchRequest, progress: Progress) -> WatchResult:
        """Return what the file holds for the scripts; a window wider than the file's is incomplete."""
        self._require_vault(request.vault_id)
        snapshot, gaps = self.snapshot, list(self.snapshot.incomplete)
        beyond = sum(watched.index >= snapshot.scanned[watched.branch] for watched in request.scripts)
        if beyond:
            gaps.append(f"{beyond} addresses lie beyond those that the snapshot watched")
        if request.birth_height < snapshot.birth_height:
            gaps.append(f"the snapshot starts at height {snapshot.birth_height}, the vault at {request.birth_height}")
        progress("reading the snapshot", len(snapshot.transactions), len(snapshot.transactions))
        scripts = {watched.script_pubkey for watched in request.scripts}
        coins = tuple(coin for coin in snapshot.coins if coin.script_pubkey in scripts)
        return WatchResult(snapshot.tip, snapshot.transactions, coins, tuple(gaps))

    def scan(self, request: WatchRequest, progress: Progress) -> ScanResult:
        """Return the coins in blocks, if the writer compared them with the set of unspent outputs.

        Raises:
            ChainUnavailable: SYNC_INCOMPLETE when the writer did not.
        """
        self._require_vault(request.vault_id)
        if not self.snapshot.compared_with_utxo_set:
            raise ChainUnavailable(
                Code.SYNC_INCOMPLETE,
                "the snapshot was never compared with a node's set of unspent outputs",
                advice="Write it again where the node is, with `coins sync --full --to FILE`.",
            )
        scripts = {watched.script_pubkey for watched in request.scripts}
        coins = [coin for coin in self._coins_in_blocks() if coin.script_pubkey in scripts]
        progress("reading the snapshot", len(coins), len(coins))
        return ScanResult(self.snapshot.tip, tuple(coins))

    def coins_at(self, scripts: frozenset[bytes], height: int, progress: Progress) -> PastCoins:
        """Return what the scripts held right after the block at `height`; as `coins_at_each`."""
        return self.coins_at_each(scripts, (height,), progress)[0]

    def coins_at_each(
        self, scripts: frozenset[bytes], heights: Sequence[int], progress: Progress
    ) -> tuple[PastCoins, ...]:
        """Return the file's own list of coins, with its transactions in later blocks undone.

        Raises:
            ChainUnavailable: BLOCK_UNKNOWN above the tip; SYNC_INCOMPLETE where the file doesn't know a block.
        """
        require_blocks(heights, self.snapshot.tip.height)
        blocks = [self._known(height) for height in heights]
        now = [coin for coin in self._coins_in_blocks() if coin.script_pubkey in scripts]
        confirmed = [one for one in self.snapshot.transactions if one.height is not None]
        outputs = (
            (one.height, self._output_in_block(item.outpoint)) for one in confirmed for item in one.transaction.inputs
        )
        spent = [(by or 0, coin) for by, coin in outputs if coin is not None and coin.script_pubkey in scripts]
        progress("reading the snapshot", len(confirmed), len(confirmed))
        return tuple(PastCoins(block, held_after(block.height, now, spent)) for block in blocks)

    def unspent(self, outpoint: OutPoint, *, include_mempool: bool) -> ChainCoin | None:
        """Return the coin if the file lists it as unspent, None if spent or unknown."""
        coins = self.snapshot.coins if include_mempool else self._coins_in_blocks()
        return next((coin for coin in coins if coin.outpoint == outpoint), None)

    def transaction(self, txid: str, block_hash: str | None) -> Transaction:
        """Return a transaction that the file holds.

        Raises:
            ChainUnavailable: TRANSACTION_UNKNOWN.
        """
        found = self._transactions.get(txid)
        if found is None or block_hash not in (None, found.block_hash):
            raise ChainUnavailable(
                Code.TRANSACTION_UNKNOWN,
                f"the snapshot has no transaction `{txid}` there",
                advice="Write a new snapshot where the node is.",
            )
        return found.transaction

    def block_parts(self, block_hash: str) -> BlockParts:
        """Refuse: a file has no whole blocks."""
        raise _not_in_file(f"the whole block `{block_hash}`")

    def headers(self, start: int, count: int) -> Sequence[BlockHeader]:  # noqa: ARG002
        """Refuse: a file is copied, not written anew."""
        raise _not_in_file(f"the blocks from {start} on")

    def estimate_fee_rate(self, target_blocks: int) -> FeeRate:
        """Return the estimate that the file has for exactly this target; nothing is interpolated.

        Raises:
            ChainUnavailable: NO_FEE_ESTIMATE.
        """
        for target, rate in self.snapshot.fee_estimates:
            if target == target_blocks:
                return rate
        raise ChainUnavailable(
            Code.NO_FEE_ESTIMATE,
            f"the snapshot has no fee estimate for {target_blocks} blocks",
            advice="Give the fee rate yourself with --fee-rate.",
        )

    def minimum_fee_rate(self) -> FeeRate:
        """Return the lowest rate that the node's mempool took when the file was written."""
        if self.snapshot.minimum_fee_rate is None:
            raise _not_in_file("the mempool's lowest fee rate")
        return self.snapshot.minimum_fee_rate

    def test_accept(self, raw_transaction: bytes) -> MempoolVerdict:  # noqa: ARG002
        """Refuse: a file has no mempool."""
        raise _needs_node("be asked whether it takes a transaction")

    def conflicts(self, transaction: Transaction) -> tuple[str, ...]:  # noqa: ARG002
        """Refuse: a file has no mempool."""
        raise _needs_node("tell what a transaction would push out of a mempool")

    def broadcast(self, raw_transaction: bytes) -> str:  # noqa: ARG002
        """Refuse: a file sends nothing."""
        raise _needs_node("send a transaction")

    def _coins_in_blocks(self) -> list[ChainCoin]:
        """Return the coins of the set of unspent outputs: a spend in the mempool doesn't count yet."""
        snapshot = self.snapshot
        listed = {coin.outpoint: coin for coin in snapshot.coins if coin.height is not None}
        for pending in (one for one in snapshot.transactions if one.height is None):
            for item in pending.transaction.inputs:
                coin = self._output_in_block(item.outpoint)
                if coin is not None:
                    listed[item.outpoint] = coin
        return list(listed.values())

    def _output_in_block(self, outpoint: OutPoint) -> ChainCoin | None:
        one = self._transactions.get(outpoint.txid)
        if one is None or one.height is None or outpoint.vout >= len(one.transaction.outputs):
            return None
        output = one.transaction.outputs[outpoint.vout]
        return ChainCoin(outpoint, output.value, output.script_pubkey, one.height, one.is_coinbase)

    def _require_vault(self, vault_id: str) -> None:
        if vault_id != self.snapshot.vault_id:
            raise ChainUnavailable(
                Code.SNAPSHOT_INVALID,
                f"the snapshot is of vault `{self.snapshot.vault_id[:16]}…`, expected `{vault_id[:16]}…`",
                advice="Use the snapshot that was written for this vault.",
            )


def _estimates(backend: ChainBackend) -> tuple[tuple[int, FeeRate], ...]:
    estimates = []
    for target in ESTIMATED_TARGETS:
        try:
            estimates.append((target, backend.estimate_fee_rate(target)))
        except ChainUnavailable as error:
            if error.code is not Code.NO_FEE_ESTIMATE:
                raise
    return tuple(estimates)


def _not_in_file(what: str) -> ChainUnavailable:
    return ChainUnavailable(
        Code.SYNC_INCOMPLETE,
        f"the snapshot does not know {what}",
        advice="Write a new snapshot where the node is.",
    )


def _needs_node(what: str) -> ChainUnavailable:
    return ChainUnavailable(
        Code.NODE_UNREACHABLE,
        f"a snapshot can't {what}",
        advice="Do this step on the machine that has a node.",
    )
