"""BIP 127's proof of reserves: a transaction that moves every coin named, and whose first input can't exist.

The first input's txid is the hash of the message. No transaction has that txid, unless somebody finds one for a
hash given beforehand, so the proof can't be mined, whatever is signed. Every other input is signed as in a payment,
with SIGHASH_ALL; the one output is the exact sum of the coins, so that no fee hides one.

The BIP doesn't say in which order the hash stands in the outpoint. We write its bytes as they are in the
serialization; both orders are read.
Source: BIP 127.
"""

from collections.abc import Mapping

from custody.bitcoin.amount import Sats
from custody.bitcoin.bip322 import judge_inputs
from custody.bitcoin.bip322_model import MessageResult, Ruling
from custody.bitcoin.hashing import sha256
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput

COMMITMENT_OUTPUT = TxOutput(Sats(0), b"\x51")
"""What a PSBT says that the first input spends, for devices that ask: nothing, for anybody (OP_TRUE)."""

_PREFIX = b"Proof-of-Reserves: "


def commitment_hash(message: bytes) -> bytes:
    """Return the 32 bytes that stand for the message in the first input."""
    return sha256(_PREFIX + message)


def commitment_outpoint(message: bytes) -> OutPoint:
    """Return the outpoint of the first input, which commits to the message."""
    return OutPoint(commitment_hash(message)[::-1].hex(), 0)


def is_commitment(outpoint: OutPoint, message: bytes) -> bool:
    """Whether the outpoint commits to the message, its hash in either order."""
    return outpoint.vout == 0 and bytes.fromhex(outpoint.txid) in (
        commitment_hash(message),
        commitment_hash(message)[::-1],
    )


def verify_bip127(message: bytes, proof: Transaction, *, outputs: Mapping[OutPoint, TxOutput]) -> MessageResult:
    """Judge a BIP 127 proof of `message`.

    `outputs` is what the verifier's own node says of the coins: amounts and scripts are taken from there, and a
    coin that it lacks makes the answer inconclusive.
    """
    coins = tuple(one.outpoint for one in proof.inputs[1:])
    ruling = _judge(message, proof, coins, outputs)
    sequence = proof.inputs[0].sequence if proof.inputs else 0
    reason = "valid" if ruling.is_valid else ruling.reason
    return MessageResult(ruling.verdict, reason, None, coins, proof.locktime, sequence)


def _judge(
    message: bytes, proof: Transaction, coins: tuple[OutPoint, ...], outputs: Mapping[OutPoint, TxOutput]
) -> Ruling:
    # 1. It can't be mined: the first input commits to the message, which is no transaction.
    if not proof.inputs or not is_commitment(proof.inputs[0].outpoint, message):
        return Ruling.invalid("the first input does not commit to the message: it is no proof, and may be spendable")
    if proof.inputs[0].script_sig or proof.inputs[0].witness:
        return Ruling.invalid("the first input is signed, and has nothing to sign")
    # 2. It names coins, each once.
    if not coins or len(set(coins)) != len(coins) or proof.inputs[0].outpoint in coins:
        return Ruling.invalid("the proof names no coin, or one twice")
    if len(proof.outputs) != 1:
        return Ruling.invalid(f"the proof has {len(proof.outputs)} outputs, expected one")
    # 3. Only the verifier's node says what they are.
    unknown = sum(1 for one in coins if one not in outputs)
    if unknown:
        return Ruling.inconclusive(f"{unknown} coin(s) of the proof are not known to the verifier's node")
    spent = [outputs[one] for one in coins]
    total = sum(one.value for one in spent)
    if proof.outputs[0].value != total:
        return Ruling.invalid(f"the output is {proof.outputs[0].value} sat, the coins are {total} sat")
    # 4. Every coin is signed for, over the whole transaction.
    return judge_inputs(proof, [COMMITMENT_OUTPUT, *spent], first=1)
