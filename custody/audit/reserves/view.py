"""What a verifier's own view of the chain says about the claims of statements: values, and nothing of the holder's.

Whoever verifies collects this from their node (or takes the word of a snapshot's writer, which is said then);
the judgement over it is pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from custody.audit.reserves.challenge import SeenBlock
from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput


@dataclass(frozen=True, slots=True)
class SeenCoin:
    """An output that was unspent right after the challenge's block."""

    outpoint: OutPoint
    value: Sats
    script_pubkey: bytes
    height: int
    """Of the block that holds it."""
    is_coinbase: bool


@dataclass(frozen=True, slots=True)
class SeenPayment:
    """A transaction that a statement names, as the verifier's node has it."""

    transaction: Transaction
    height: int
    block_hash: str
    """Of the block that was asked for."""
    is_active: bool
    """Whether that block is on the active chain, at that height, and holds it."""


@dataclass(frozen=True, slots=True)
class ReserveView:
    """Everything that a judgement takes from the chain."""

    block: SeenBlock
    """What the node says of the challenge's block."""
    coins: tuple[SeenCoin, ...]
    """All that the claimed scripts held right after that block."""
    still_unspent: frozenset[OutPoint]
    """Those of `coins` that are unspent at the newest block too."""
    payments: Mapping[str, SeenPayment] = field(default_factory=dict)
    """By txid; what the node doesn't have is missing."""
    is_word_of_writer: bool = False
    """Whether it comes from a snapshot: then only its writer knows that the coins are unspent."""
    outputs: Mapping[OutPoint, TxOutput] = field(init=False, repr=False, compare=False)
    """The coins as outputs: made once, since every proof is judged by them."""

    def __post_init__(self) -> None:
        outputs = {coin.outpoint: TxOutput(coin.value, coin.script_pubkey) for coin in self.coins}
        object.__setattr__(self, "outputs", outputs)
