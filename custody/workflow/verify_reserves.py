"""Ask the verifier's own view of the chain about statements of reserves, then let pure code judge them."""

from collections.abc import Iterable, Sequence

from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.claims import payment_claims, scripts_to_ask
from custody.audit.reserves.descriptor import KnownVault
from custody.audit.reserves.payment import is_in_time
from custody.audit.reserves.statement import Statement
from custody.audit.reserves.verify import ReservesVerdict, require_one_block, verify_statements
from custody.audit.reserves.view import ReserveView, SeenCoin, SeenPayment
from custody.bitcoin.address import script_of
from custody.codes import Code
from custody.errors import ChainUnavailable
from custody.ports import ChainBackend, ChainCoin, PastCoins, Progress
from custody.workflow.write_challenge import seen_block

_UNKNOWN = frozenset({Code.TRANSACTION_UNKNOWN, Code.PRUNED_BELOW_BIRTH, Code.SYNC_INCOMPLETE})
"""Why a node may lack a payment: then it can't be judged, which is no failure of the node's."""


def verify_reserves(
    backend: ChainBackend,
    statements: Sequence[Statement],
    challenges: Sequence[Challenge],
    progress: Progress,
    *,
    known: KnownVault | None = None,
    max_age: int | None = None,
    is_word_of_writer: bool = False,
) -> ReservesVerdict:
    """Judge statements by the backend's view of the challenge's block. `is_word_of_writer`: it is a snapshot.

    Raises:
        CheckFailed: CHALLENGE_MISMATCH, the statements are for different blocks.
        ChainUnavailable: the backend can't answer for that block.
    """
    challenge = require_one_block(statements)
    view = look(backend, challenge, statements, progress, is_word_of_writer=is_word_of_writer)
    return verify_statements(statements, challenges, view, known=known, max_age=max_age)


def look(
    backend: ChainBackend,
    challenge: Challenge,
    statements: Sequence[Statement],
    progress: Progress,
    *,
    is_word_of_writer: bool = False,
) -> ReserveView:
    """Return what the backend says of everything that the statements claim. Raises as `verify_reserves`."""
    block = seen_block(backend, challenge)
    if block.hash_at_height != challenge.block_hash:
        # Another chain: its coins would answer another question.
        return ReserveView(block, (), frozenset(), is_word_of_writer=is_word_of_writer)
    scripts = scripts_to_ask(statements)
    then, now = backend.coins_at_each(scripts, (challenge.height, block.tip_height), progress)
    return ReserveView(
        block=block,
        coins=_of_block(then, challenge),
        still_unspent=frozenset(coin.outpoint for coin in now.coins),
        payments=_payments(backend, statements, block.tip_height, progress),
        is_word_of_writer=is_word_of_writer,
    )


def seen_coins(
    backend: ChainBackend, challenge: Challenge, scripts: frozenset[bytes], progress: Progress
) -> tuple[SeenCoin, ...]:
    """Return what the scripts held right after the challenge's block.

    Raises:
        ChainUnavailable: NODE_BUSY where the block left the active chain meanwhile, and all that the backend raises.
    """
    return _of_block(backend.coins_at(scripts, challenge.height, progress), challenge)


def _of_block(past: PastCoins, challenge: Challenge) -> tuple[SeenCoin, ...]:
    if past.block.block_hash != challenge.block_hash:
        raise ChainUnavailable(
            Code.NODE_BUSY,
            f"block {challenge.height} changed while the node was asked",
            advice="Run the command again once the node has settled.",
        )
    return tuple(_seen(coin, challenge.height) for coin in past.coins)


def _seen(coin: ChainCoin, height: int) -> SeenCoin:
    return SeenCoin(
        coin.outpoint, coin.value, coin.script_pubkey, height if coin.height is None else coin.height, coin.is_coinbase
    )


def _payments(
    backend: ChainBackend, statements: Iterable[Statement], tip_height: int, progress: Progress
) -> dict[str, SeenPayment]:
    """Return the payments that are named, each with whether its block is on the active chain and holds it.

    A node gives a transaction that it knows from elsewhere too. That it stands in that block is shown by the output
    that it pays, which must be unspent right after that block and come from it. For a block outside the challenge's
    time nothing is asked: a node would undo all blocks down to it, and the answer is no anyway.
    """
    found: dict[str, SeenPayment] = {}
    for statement, claim in payment_claims(statements):
        if claim.txid in found or not is_in_time(statement.challenge, claim):
            continue
        if claim.height > tip_height or backend.block_hash_at(claim.height) != claim.block_hash:
            held: tuple[ChainCoin, ...] = ()
        else:
            paid = frozenset({script_of(claim.address, statement.challenge.network)})
            held = backend.coins_at(paid, claim.height, progress).coins
        is_active = any((one.outpoint.txid, one.height) == (claim.txid, claim.height) for one in held)
        try:
            transaction = backend.transaction(claim.txid, claim.block_hash)
        except ChainUnavailable as error:
            if error.code not in _UNKNOWN:
                raise
            continue
        found[claim.txid] = SeenPayment(transaction, claim.height, claim.block_hash, is_active)
    return found
