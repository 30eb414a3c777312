"""How much work a block header shows, and whether that can be a block of the real chain.

A header is believed for what it cost, not for what it says. On main it must show at least the work that
blocks of its time had: a forger with a room of miners could otherwise make headers of an easy target in an hour.
On every other network proof of work means nothing, because anybody can make as much of it: there the checks
find mistakes, not forgers.
Source: Bitcoin Core, `src/pow.cpp`, `src/chain.cpp` (`GetBlockProof`), `src/kernel/chainparams.cpp` (limits).
"""

from custody.bitcoin.block import BlockHeader, target_of
from custody.bitcoin.merkle import invalid_evidence
from custody.bitcoin.network import Network

RETARGET_BLOCKS = 2_016
_MOST_EASED = 4
_EASIEST_BITS = {
    Network.MAIN: 0x1D00FFFF,
    Network.TESTNET4: 0x1D00FFFF,
    Network.SIGNET: 0x1E0377AE,
    Network.REGTEST: 0x207FFFFF,
}
_DIFFICULTY_1 = target_of(0x1D00FFFF)
_LEAST_DIFFICULTY = ((800_000, 4 * 10**13), (700_000, 15 * 10**12), (0, 8 * 10**11))
"""Main: from which height on at least which difficulty, a constant of the release.

Segwit, which every vault's scripts need, began at height 481,824 and no block since was easier than 860 * 10**9. At
700,000 the difficulty was 17.6 * 10**12, at 800,000 it was 53.9 * 10**12, and neither was ever undercut. The bounds lie
somewhat below, so that a true block can be refused only after a fall that never happened.
"""


def work_of(bits: int) -> int:
    """Return how many hashes a block with this target took on average."""
    return 2**256 // (target_of(bits) + 1)


def is_proof(network: Network) -> bool:
    """Whether proof of work speaks for anything on this network."""
    return network is Network.MAIN


def require_work(header: BlockHeader, height: int, network: Network) -> None:
    """Demand that a header's hash meets its own target, and that the target is hard enough for `height`.

    Raises:
        InvalidInput: EVIDENCE_INVALID.
    """
    target = target_of(header.bits)
    if not 0 < target <= target_of(_EASIEST_BITS[network]):
        raise invalid_evidence(f"the block at height {height} names a target that its network doesn't allow")
    if not header.meets_target:
        raise invalid_evidence(f"the block at height {height} doesn't have the work that it claims")
    if network is Network.MAIN:
        least = next(least for since, least in _LEAST_DIFFICULTY if height >= since)
        if target * least > _DIFFICULTY_1:
            raise invalid_evidence(
                f"the block at height {height} shows a difficulty of {_DIFFICULTY_1 // target}, "
                f"less than the {least} that every real block there has"
            )


def require_linked(before: BlockHeader, header: BlockHeader, height: int, network: Network) -> None:
    """Demand that a header at `height` names the one before it, and on main that the target moved by the rule.

    Raises:
        InvalidInput: EVIDENCE_INVALID.
    """
    if header.previous[::-1].hex() != before.block_hash:
        raise invalid_evidence(f"the header at height {height} doesn't follow the one before it")
    if network is not Network.MAIN:
        return
    if height % RETARGET_BLOCKS:
        moved = header.bits != before.bits
    else:
        moved = target_of(header.bits) > _MOST_EASED * target_of(before.bits)
    if moved:
        raise invalid_evidence(f"the target changes at height {height} as the rules don't allow")
