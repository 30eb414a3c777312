"""A BIP 127 proof from a file, judged with the verifier's own node: whoever made it, and for whatever message."""

from dataclasses import dataclass

from custody.bitcoin.amount import Sats
from custody.bitcoin.bip127 import verify_bip127
from custody.bitcoin.bip322_model import MessageResult
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput
from custody.ports import ChainBackend, ChainCoin, Progress, Tip


@dataclass(frozen=True, slots=True)
class Bip127Verdict:
    """What the proof shows of coins that are unspent now."""

    result: MessageResult
    coins: tuple[ChainCoin, ...]
    """Those that it names and that the node has, unspent in a block."""
    missing: tuple[OutPoint, ...]
    """Those that it names and that the node does not have: spent, or never there."""
    total: Sats
    """Of `coins`."""
    tip: Tip


def judge_bip127(backend: ChainBackend, message: bytes, proof: Transaction, progress: Progress) -> Bip127Verdict:
    """Judge the proof by the set of unspent outputs at the newest block; a coin that is missing is no coin.

    Raises:
        ChainUnavailable: the backend can't answer.
    """
    named = tuple(dict.fromkeys(one.outpoint for one in proof.inputs[1:]))
    found: list[ChainCoin] = []
    for number, outpoint in enumerate(named, start=1):
        coin = backend.unspent(outpoint, include_mempool=False)
        progress("asking for coins", number, len(named))
        if coin is not None:
            found.append(coin)
    outputs = {coin.outpoint: TxOutput(coin.value, coin.script_pubkey) for coin in found}
    return Bip127Verdict(
        result=verify_bip127(message, proof, outputs=outputs),
        coins=tuple(found),
        missing=tuple(one for one in named if one not in outputs),
        total=Sats(sum(coin.value for coin in found)),
        tip=backend.tip(),
    )
