"""The two virtual transactions of BIP 322: what is signed when a script signs a message.

`to_spend` commits to the message and pays nothing to the script; `to_sign` spends it. No block can hold
`to_spend`: its one input is the null outpoint, as only a coinbase's is, and its script begins with the push of
height 0, which BIP 34 allows to no block but the first. So no block can hold `to_sign` either, whatever other
coins it names.
Source: BIP 322, Full and Detailed Specification; BIP 340 (tagged hash); BIP 34.
"""

import hashlib
from collections.abc import Sequence

from custody.bitcoin.amount import Sats
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput

OP_RETURN_SCRIPT = b"\x6a"
PROOF_OUTPUT = TxOutput(Sats(0), OP_RETURN_SCRIPT)
"""The one output of `to_sign`."""
KNOWN_VERSIONS = (0, 2)
"""Of `to_sign`; others are reserved for upgrades."""

_TAG = hashlib.sha256(b"BIP0322-signed-message").digest()
_NO_OUTPOINT = OutPoint("00" * 32, 0xFFFFFFFF)
_COMMITMENT_START = b"\x00\x20"


def message_hash(message: bytes) -> bytes:
    """Return the 32 bytes that `to_spend` commits to."""
    return hashlib.sha256(_TAG + _TAG + message).digest()


def to_spend(message: bytes, script_pubkey: bytes) -> Transaction:
    """Return the BIP's first transaction, which nothing can include."""
    commitment = TxInput(_NO_OUTPOINT, _COMMITMENT_START + message_hash(message), 0)
    return Transaction(0, (commitment,), (TxOutput(Sats(0), script_pubkey),), 0)


def to_sign(message: bytes, script_pubkey: bytes, coins: Sequence[OutPoint] = ()) -> Transaction:
    """Return the BIP's second transaction, unsigned, without time locks; `coins` makes it a proof of funds."""
    outpoints = (OutPoint(to_spend(message, script_pubkey).txid, 0), *coins)
    return Transaction(0, tuple(TxInput(one, b"", 0) for one in outpoints), (PROOF_OUTPUT,), 0)


def looks_like_to_spend(transaction: Transaction) -> bool:
    """Whether `transaction` has the form of some message's `to_spend`."""
    if len(transaction.inputs) != 1 or len(transaction.outputs) != 1:
        return False
    only = transaction.inputs[0]
    return (
        only.outpoint == _NO_OUTPOINT
        and len(only.script_sig) == 34
        and only.script_sig.startswith(_COMMITMENT_START)
        and transaction.outputs[0].value == 0
    )
