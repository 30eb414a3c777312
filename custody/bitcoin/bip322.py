"""Signed messages of any script: BIP 322's simple, full and proof-of-funds forms, verified.

Everything is recomputed from the CLAIMED address: the key or script that a signature brings along proves nothing
by itself. Scripts of vaults and single keys are judged by an engine of our own (`bip322_scripts`); the rest, and
the same ones again, by Bitcoin Core's interpreter where this Python has it (`bip322_kernel`). What can't be judged
is inconclusive, never valid.
Source: BIP 322, Verification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from custody.bitcoin import kernel
from custody.bitcoin.bip322_decode import Decoded, decode, split_form
from custody.bitcoin.bip322_kernel import judge_satisfied
from custody.bitcoin.bip322_model import MessageForm as MessageForm
from custody.bitcoin.bip322_model import MessageResult as MessageResult
from custody.bitcoin.bip322_model import MessageVerdict as MessageVerdict
from custody.bitcoin.bip322_model import Ruling
from custody.bitcoin.bip322_scripts import Spending, judge_known_script
from custody.bitcoin.bip322_transactions import PROOF_OUTPUT
from custody.bitcoin.bip322_transactions import message_hash as message_hash
from custody.bitcoin.bip322_transactions import to_sign as to_sign
from custody.bitcoin.bip322_transactions import to_spend as to_spend
from custody.bitcoin.script import OutputKind, output_kind
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput

MAX_LEGACY_INPUTS = 100
"""Inputs without a witness that are judged: each hashes the whole transaction again."""


def verify_message(
    message: bytes, script_pubkey: bytes, signature: str, *, outputs: Mapping[OutPoint, TxOutput]
) -> MessageResult:
    """Judge `signature`, the text, as one of `message` by the script of the claimed address.

    `outputs` is what the verifier's own node says of the coins of a proof of funds: amounts and scripts are taken
    from there. A coin that it lacks makes the answer inconclusive; one that the proof tells otherwise, invalid.
    Junk of any kind is an answer, never an error.
    """
    decoded = decode(message, script_pubkey, signature)
    if isinstance(decoded, Ruling):
        split = split_form(signature)
        return MessageResult(decoded.verdict, decoded.reason, None if isinstance(split, Ruling) else split[0])
    transaction = decoded.transaction
    result = MessageResult(
        MessageVerdict.INVALID,
        "",
        decoded.form,
        funds=tuple(one.outpoint for one in transaction.inputs[1:]),
        lock_time=transaction.locktime,
        sequence=transaction.inputs[0].sequence,
    )
    ruling = _judge(decoded, to_spend(message, script_pubkey).outputs[0], outputs)
    reason = _valid_words(result) if ruling.is_valid else ruling.reason
    return replace(result, verdict=ruling.verdict, reason=reason)


def judge_inputs(transaction: Transaction, spent: Sequence[TxOutput], first: int = 0) -> Ruling:
    """Return the first verdict on the inputs from `first` on that is not valid; an invalid one before all others.

    `spent` are the outputs that all inputs spend, as the verifier knows them.
    """
    legacy = sum(1 for one in transaction.inputs if not one.witness)
    if legacy > MAX_LEGACY_INPUTS:
        return Ruling.inconclusive(f"more than {MAX_LEGACY_INPUTS} inputs without a witness are not judged")
    hasher = SegwitV0Hasher(transaction)
    satisfied: list[bool] | None = None
    if kernel.is_available():
        satisfied = list(kernel.satisfied_inputs(transaction.serialize(), spent))
    rulings = [
        _judge_one(
            Spending(transaction, number, spent[number], hasher), None if satisfied is None else satisfied[number]
        )
        for number in range(first, len(spent))
    ]
    invalid = (one for one in rulings if one.verdict is MessageVerdict.INVALID)
    return next(invalid, next((one for one in rulings if not one.is_valid), Ruling.valid()))


def unsigned_inputs(transaction: Transaction, spent: Sequence[TxOutput]) -> frozenset[int]:
    """Return the inputs of a valid proof whose scripts ask for no signature over it, as one that anybody may spend.

    What satisfies them satisfies them in another transaction too; BIP 322 calls that valid, and it shows no key.
    Scripts of the first engine always ask for signatures, and without the interpreter no others were valid.
    """
    if not kernel.is_available():
        return frozenset()
    other = replace(transaction, outputs=(*transaction.outputs, PROOF_OUTPUT))
    satisfied = kernel.satisfied_inputs(other.serialize(), spent)
    return frozenset(number for number, answer in enumerate(satisfied) if answer)


def _judge(decoded: Decoded, challenge: TxOutput, outputs: Mapping[OutPoint, TxOutput]) -> Ruling:
    spent, unknown = [challenge], 0
    for one in decoded.transaction.inputs[1:]:
        claimed, known = decoded.claimed[one.outpoint], outputs.get(one.outpoint)
        if known is not None and known != claimed:
            return Ruling.invalid(f"coin `{one.outpoint}` is another than the proof says")
        unknown += known is None
        spent.append(claimed)
    ruling = judge_inputs(decoded.transaction, spent)
    if ruling.is_valid and unknown:
        return Ruling.inconclusive(f"{unknown} coin(s) of the proof are not known to the verifier's node")
    return ruling


def _judge_one(spending: Spending, satisfied: bool | None) -> Ruling:
    """Compare the engines: each can say no, and only one that knows the script can say yes."""
    kind = output_kind(spending.output.script_pubkey)
    if kind in (OutputKind.UNKNOWN_WITNESS, OutputKind.ANCHOR):
        return Ruling.inconclusive("segwit outputs of this version are reserved for upgrades")
    ruling = judge_known_script(spending)
    if ruling is None:
        if satisfied is None:
            return Ruling.inconclusive("the script needs libbitcoinkernel, which this Python doesn't have")
        return judge_satisfied(spending) if satisfied else Ruling.invalid("invalid signature: the script fails")
    if ruling.is_valid and satisfied is False:
        return Ruling.inconclusive("the two engines disagree on the script: report it to the developers")
    return ruling


def _valid_words(result: MessageResult) -> str:
    if not result.lock_time and not result.age:
        return "valid"
    return f"valid at lock time {result.lock_time} and age {result.age}"
