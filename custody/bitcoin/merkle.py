"""That a transaction stands in a block: its branch of the merkle tree, strictly read.

Two old weaknesses of the tree are closed. Where a level has an odd number of nodes its last one is paired with
itself, so a branch could claim a second place for the same transaction (CVE-2012-2459): a pair of equal nodes is
taken only where the level really ends there. And a node of 64 bytes looks like a transaction of 64 bytes and the
other way round: such a transaction is refused, and whoever checks a block proves its coinbase at the same depth
(`custody.bitcoin.block_evidence`), so that nothing above or below the true leaves can pass for one.
Source: Bitcoin Core, `src/merkleblock.cpp`; BIP 37; CVE-2012-2459, CVE-2017-12842.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.bitcoin.hashing import sha256d
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import InvalidInput

MAX_LEAVES = 16_666
"""A block's million bytes hold no more transactions of 60 bytes and more."""
INNER_NODE_SIZE = 64
_HASH_SIZE = 32


@dataclass(frozen=True, slots=True)
class MerkleBranch:
    """The hashes beside the way from one transaction up to the root."""

    position: int
    """Of the transaction in its block, from 0: the coinbase."""
    leaves: int
    """How many transactions the block has; how deep the tree is follows from it."""
    siblings: tuple[bytes, ...]
    """From the transaction's level upwards; internal byte order."""

    def __post_init__(self) -> None:
        if not 0 <= self.position < self.leaves <= MAX_LEAVES:
            raise invalid_evidence(f"a transaction at place {self.position} of {self.leaves} in its block")
        if len(self.siblings) != depth_of(self.leaves):
            raise invalid_evidence(f"a branch has {len(self.siblings)} hashes, expected {depth_of(self.leaves)}")
        if any(len(one) != _HASH_SIZE for one in self.siblings):
            raise invalid_evidence("a hash of a branch has not 32 bytes")

    def root_from(self, transaction: Transaction) -> bytes:
        """Return the merkle root that the transaction leads to, in internal byte order.

        Raises:
            InvalidInput: EVIDENCE_INVALID, the transaction could be an inner node, or a node stands there twice.
        """
        raw = transaction.serialize_without_witness()
        if len(raw) == INNER_NODE_SIZE:
            raise invalid_evidence("a transaction of 64 bytes can't be told from a node of the tree")
        node, place, width = sha256d(raw), self.position, self.leaves
        for sibling in self.siblings:
            is_last_alone = place ^ 1 >= width
            if (sibling == node) != is_last_alone:
                raise invalid_evidence("a branch pairs a node with itself where it has a neighbour, or the reverse")
            node = sha256d(sibling + node) if place & 1 else sha256d(node + sibling)
            place, width = place >> 1, (width + 1) >> 1
        return node


def depth_of(leaves: int) -> int:
    """Return how many hashes a branch has in a tree of so many leaves."""
    return (leaves - 1).bit_length()


def branch_of(hashes: Sequence[bytes], position: int) -> MerkleBranch:
    """Return the branch of the hash at `position` among a block's transaction hashes, in internal byte order."""
    level, place, siblings = list(hashes), position, []
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        siblings.append(level[place ^ 1])
        level = [sha256d(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
        place >>= 1
    return MerkleBranch(position, len(hashes), tuple(siblings))


def invalid_evidence(what: str) -> InvalidInput:
    """Return the error for evidence that proves nothing."""
    return InvalidInput(
        Code.EVIDENCE_INVALID,
        f"the evidence is wrong: {what}",
        advice="Don't rely on this file: have it written again, by another machine, and ask how this one came about.",
    )
