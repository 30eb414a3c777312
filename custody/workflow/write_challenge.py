"""Write a challenge to a holder, with the auditor's own view of the chain. No vault and no workspace is needed."""

from dataclasses import dataclass

from custody.audit.reserves.challenge import MAX_AGE, Challenge, SeenBlock, require_timely, required_depth
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainBackend, NonceSource


@dataclass(frozen=True, slots=True)
class ChallengeWish:
    """What an auditor asks for."""

    network: Network
    holder: str
    purpose: str
    expires_after: int
    """Blocks from the newest one on."""
    height: int | None = None
    """None: the newest block that is deep enough."""
    nonce: str | None = None
    """None: a fresh one."""


def write_challenge(backend: ChainBackend, nonces: NonceSource, wish: ChallengeWish) -> Challenge:
    """Return a challenge whose block the backend has, deep enough and recent.

    Raises:
        CheckFailed: BLOCK_TOO_SHALLOW, HEIGHT_STALE. ChainUnavailable: the chain is too short, or can't be asked.
        InvalidInput: MALFORMED_DOCUMENT for a holder, purpose or nonce that can't stand in a challenge.
    """
    tip = backend.tip()
    height = tip.height + 1 - required_depth(wish.network) if wish.height is None else wish.height
    block_hash = backend.block_hash_at(height) if height >= 0 else None
    if block_hash is None:
        raise ChainUnavailable(
            Code.BLOCK_UNKNOWN,
            f"the chain ends at block {tip.height}: there is no block {height}",
            advice="Wait until the node has caught up, or name another block with --height.",
        )
    challenge = Challenge(
        network=wish.network,
        holder=wish.holder,
        purpose=wish.purpose,
        nonce=wish.nonce or nonces.nonce() + nonces.nonce(),
        height=height,
        block_hash=block_hash,
        expires_height=tip.height + wish.expires_after,
    )
    require_timely(challenge, seen_block(backend, challenge), max_age=MAX_AGE)
    return challenge


def seen_block(backend: ChainBackend, challenge: Challenge) -> SeenBlock:
    """Return what the backend says about a challenge's block.

    Raises:
        ChainUnavailable: a snapshot doesn't know the block.
    """
    tip = backend.tip()
    above = challenge.height > tip.height
    return SeenBlock(tip.height, None if above else backend.block_hash_at(challenge.height))
