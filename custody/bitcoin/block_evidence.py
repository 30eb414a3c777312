"""Evidence that transactions stand in blocks of real work: headers, branches, and each block's coinbase.

It shows that the coins came into being. It can't show that they are still unspent: only a node knows that.
The coinbase is proven beside each transaction: it fixes how deep the tree is, and it names the block's height.
Source: BIP 34 (height in the coinbase), BIP 37, CVE-2017-12842.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from custody.bitcoin.block import MEDIAN_TIME_SPAN, BlockHeader, height_push, is_coinbase, median_time_past
from custody.bitcoin.merkle import MerkleBranch, invalid_evidence
from custody.bitcoin.network import Network
from custody.bitcoin.proof_of_work import is_proof, require_linked, require_work, work_of
from custody.bitcoin.transaction import Transaction


@dataclass(frozen=True, slots=True)
class ProvenBlock:
    """One block, as far as it is needed to prove some of its transactions."""

    height: int
    header: BlockHeader
    coinbase: Transaction
    """Without its witness, which the tree doesn't cover."""
    coinbase_branch: MerkleBranch
    branches: Mapping[str, MerkleBranch]
    """By txid: where the transactions stand."""

    def require(self, network: Network, transactions: Mapping[str, Transaction]) -> None:
        """Check work, height and every branch; `transactions` holds those that are proven, by txid.

        Raises:
            InvalidInput: EVIDENCE_INVALID.
        """
        require_work(self.header, self.height, network)
        if self.coinbase_branch.position or not is_coinbase(self.coinbase):
            raise invalid_evidence(f"the block at height {self.height} has no coinbase at its start")
        self._require_in_tree(self.coinbase, self.coinbase_branch)
        if not self.coinbase.inputs[0].script_sig.startswith(height_push(self.height)):
            raise invalid_evidence(f"the coinbase of the block at height {self.height} names another height")
        for txid, branch in self.branches.items():
            if branch.leaves != self.coinbase_branch.leaves:
                raise invalid_evidence(
                    f"two branches of the block at height {self.height} lead to trees of unlike size"
                )
            if txid not in transactions:
                raise invalid_evidence(f"a branch is of `{txid}`, which isn't there")
            self._require_in_tree(transactions[txid], branch)

    def _require_in_tree(self, transaction: Transaction, branch: MerkleBranch) -> None:
        if branch.root_from(transaction) != self.header.merkle_root:
            place = f"place {branch.position} of the block at height {self.height}"
            raise invalid_evidence(f"transaction `{transaction.txid}` is not at {place}")


@dataclass(frozen=True, slots=True)
class HeaderChain:
    """Every header from one height on, without a gap."""

    start: int
    headers: tuple[BlockHeader, ...]

    @property
    def end(self) -> int:
        """The height of the last one."""
        return self.start + len(self.headers) - 1

    def at(self, height: int) -> BlockHeader | None:
        """Return the header at a height, None outside."""
        return self.headers[height - self.start] if self.start <= height <= self.end else None

    def median_time_past(self, height: int) -> int | None:
        """Return a block's median time past, None where the ten headers before it are missing."""
        first = max(0, height + 1 - MEDIAN_TIME_SPAN)
        if first < self.start or height > self.end:
            return None
        return median_time_past([one.time for one in self.headers[first - self.start : height + 1 - self.start]])

    def require(self, network: Network) -> None:
        """Check each header's work and that each follows the one before.

        Raises:
            InvalidInput: EVIDENCE_INVALID.
        """
        for offset, header in enumerate(self.headers):
            require_work(header, self.start + offset, network)
            if offset:
                require_linked(self.headers[offset - 1], header, self.start + offset, network)


@dataclass(frozen=True, slots=True)
class Placed:
    """A transaction with the block that it is said to be in."""

    transaction: Transaction
    height: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class EvidenceSummary:
    """What checked evidence comes to."""

    blocks: int
    transactions: int
    headers: int
    """Of a chain without a gap up to the tip; 0 where none was given."""
    least_work: int
    """Hashes, of the block with the least."""
    total_work: int
    """Hashes, of all headers together."""
    is_proof: bool
    """Whether work speaks for anything on this network."""


@dataclass(frozen=True, slots=True)
class ChainEvidence:
    """The blocks of some transactions, and perhaps every header from the first of them to the tip."""

    blocks: tuple[ProvenBlock, ...]
    """In order of height."""
    chain: HeaderChain | None

    def require(self, network: Network, placed: tuple[Placed, ...], tip: tuple[int, str]) -> None:
        """Check that every placed transaction stands in the block that it names, and nothing else is proven.

        `tip` is the height and hash at which a chain of headers ends.

        Raises:
            InvalidInput: EVIDENCE_INVALID.
        """
        by_height = {block.height: block for block in self.blocks}
        if list(by_height) != sorted(by_height) or len(by_height) != len(self.blocks):
            raise invalid_evidence("its blocks are not in their order, each once")
        for block in self.blocks:
            wanted = {one.transaction.txid: one.transaction for one in placed if one.height == block.height}
            block.require(network, wanted)
        for one in placed:
            found = by_height.get(one.height)
            if found is None or one.transaction.txid not in found.branches:
                raise invalid_evidence(f"nothing proves transaction `{one.transaction.txid}`")
            if found.header.block_hash != one.block_hash:
                raise invalid_evidence(f"the header at height {one.height} is not of the block `{one.block_hash}`")
        if self.chain is not None:
            self._require_chain(self.chain, network, tip)
        self._require_neighbours(network)

    def _require_chain(self, chain: HeaderChain, network: Network, tip: tuple[int, str]) -> None:
        if not chain.headers or (chain.end, chain.headers[-1].block_hash) != tip:
            raise invalid_evidence("its headers don't end at the tip")
        chain.require(network)
        for block in self.blocks:
            if chain.at(block.height) != block.header:
                raise invalid_evidence(f"the block at height {block.height} is not in the chain of headers")

    def _require_neighbours(self, network: Network) -> None:
        for before, block in zip(self.blocks, self.blocks[1:], strict=False):
            if block.height == before.height + 1:
                require_linked(before.header, block.header, block.height, network)

    def summary(self, network: Network) -> EvidenceSummary:
        """Return what it comes to, once it was checked."""
        headers = [block.header for block in self.blocks] if self.chain is None else list(self.chain.headers)
        works = [work_of(header.bits) for header in headers]
        return EvidenceSummary(
            len(self.blocks),
            sum(len(block.branches) for block in self.blocks),
            0 if self.chain is None else len(self.chain.headers),
            min(works, default=0),
            sum(works),
            is_proof(network),
        )
