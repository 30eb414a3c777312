"""One proof of a statement, judged against the claimed addresses and the verifier's own view of the chain.

Scripts come from claimed addresses, amounts and scripts of coins from the view; a key or script that a proof
brings along counts only where the address commits to it. What a proof shows is a set of scripts whose quorum
signed, and the public keys that did.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.payment import PaymentClaim, is_in_time, payment_amount
from custody.audit.reserves.statement import Proof, ProofKind
from custody.audit.reserves.view import ReserveView
from custody.bitcoin.address import script_of
from custody.bitcoin.bip127 import COMMITMENT_OUTPUT, verify_bip127
from custody.bitcoin.bip322 import to_spend, unsigned_inputs, verify_message
from custody.bitcoin.bip322_decode import Decoded, decode
from custody.bitcoin.bip322_model import MessageResult, MessageVerdict
from custody.bitcoin.bip322_scripts import Spending, judge_known_script, script_of_witness
from custody.bitcoin.script import parse_multisig
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import assign_signatures
from custody.bitcoin.transaction import Transaction, TxOutput
from custody.errors import CustodyError, Finding
from custody.spend.document import hex_of


@dataclass(frozen=True, slots=True)
class ProofRuling:
    """What one proof shows."""

    verdict: MessageVerdict
    reason: str
    scripts: frozenset[bytes] = frozenset()
    """Whose quorum signed; empty unless the verdict is valid."""
    signers: tuple[tuple[bytes, bytes], ...] = ()
    """Script and public key of each signature."""
    lock_time: int = 0
    sequence: int = 0
    """Of the signed transaction, the longest of its inputs: not 0 where a time lock can have been used."""
    paid_script: bytes | None = None
    """To what a payment pays the challenge's amount."""

    @property
    def is_valid(self) -> bool:
        """Whether the verdict is valid; the two others are both no."""
        return self.verdict is MessageVerdict.VALID


def judge_proof(challenge: Challenge, proof: Proof, claimed: frozenset[bytes], view: ReserveView) -> ProofRuling:
    """Judge one proof; `claimed` are the scripts of the statement's addresses. Junk is an answer, never an error."""
    try:
        if proof.kind is ProofKind.BIP322:
            return _judge_message(challenge, proof, view)
        if proof.kind is ProofKind.BIP127:
            return _judge_bip127(challenge, proof, view)
        return _judge_payment(challenge, PaymentClaim.parse(proof.text), claimed, view)
    except CustodyError as error:
        return _invalid(f"it can't be read: {error.message}")


def _judge_message(challenge: Challenge, proof: Proof, view: ReserveView) -> ProofRuling:
    script = script_of(proof.addresses[0], challenge.network)
    outputs = view.outputs
    result = verify_message(challenge.message, script, proof.text, outputs=outputs)
    if result.funds and not set(result.funds) <= outputs.keys():
        return _invalid("it names a coin that was not unspent at a claimed address at the block")
    if not result.is_valid:
        return ProofRuling(result.verdict, result.reason)
    decoded = decode(challenge.message, script, proof.text)
    if not isinstance(decoded, Decoded):
        return _invalid(decoded.reason)
    spent = [to_spend(challenge.message, script).outputs[0], *(outputs[one] for one in result.funds)]
    return _shown(result, decoded.transaction, spent, 0)


def _judge_bip127(challenge: Challenge, proof: Proof, view: ReserveView) -> ProofRuling:
    transaction = Transaction.parse(hex_of(proof.text, "the proof"))
    outputs = view.outputs
    coins = [one.outpoint for one in transaction.inputs[1:]]
    if not set(coins) <= outputs.keys():
        return _invalid("it names a coin that was not unspent at a claimed address at the block")
    result = verify_bip127(challenge.message, transaction, outputs=outputs)
    if not result.is_valid:
        return ProofRuling(result.verdict, result.reason)
    return _shown(result, transaction, [COMMITMENT_OUTPUT, *(outputs[one] for one in coins)], 1)


def _judge_payment(
    challenge: Challenge, claim: PaymentClaim, claimed: frozenset[bytes], view: ReserveView
) -> ProofRuling:
    seen, paid = view.payments.get(claim.txid), script_of(claim.address, challenge.network)
    if not is_in_time(challenge, claim):
        last = challenge.expires_height
        return _invalid(f"it is said to be in block {claim.height}, expected after {challenge.height} and up to {last}")
    if seen is None:
        return ProofRuling(MessageVerdict.INCONCLUSIVE, f"payment `{claim.txid}` is not known here, in the block named")
    problem = _payment_problem(challenge, claim, paid, view)
    if problem is not None:
        return _invalid(problem)
    outputs, transaction = view.outputs, seen.transaction
    hasher = SegwitV0Hasher(transaction)
    signers: list[tuple[bytes, bytes]] = []
    for number, one in enumerate(transaction.inputs):
        spent = outputs.get(one.outpoint)
        if spent is None or spent.script_pubkey not in claimed:
            continue
        ruling = judge_known_script(Spending(transaction, number, spent, hasher))
        if ruling is None:
            return ProofRuling(MessageVerdict.INCONCLUSIVE, f"the script of input {number} is not known here")
        if not ruling.is_valid:
            return _invalid(f"input {number}: {ruling.reason}")
        signers += signers_of(transaction, number, spent, hasher)
    if not signers:
        return _invalid("it spends no coin that a claimed address held at the block")
    scripts = frozenset(script for script, _key in signers)
    return ProofRuling(MessageVerdict.VALID, "valid", scripts, tuple(signers), paid_script=paid)


def _payment_problem(challenge: Challenge, claim: PaymentClaim, paid: bytes, view: ReserveView) -> str | None:
    seen, amount = view.payments[claim.txid], payment_amount(challenge)
    if not seen.is_active or (seen.height, seen.block_hash) != (claim.height, claim.block_hash):
        return f"payment `{claim.txid}` is not in the block that is named, or that is not on the active chain"
    if [one.value for one in seen.transaction.outputs if one.script_pubkey == paid] != [amount]:
        return f"it doesn't pay exactly {amount} sat once to the address that is named"
    if any(coin.script_pubkey == paid for coin in view.coins):
        return "it pays to an address that had a coin at the challenge's block"
    return None


def _shown(result: MessageResult, transaction: Transaction, spent: Sequence[TxOutput], first: int) -> ProofRuling:
    hasher = SegwitV0Hasher(transaction)
    signed = [
        (number, signer)
        for number in range(first, len(spent))
        for signer in signers_of(transaction, number, spent[number], hasher)
    ]
    silent = set(range(first, len(spent))) - {number for number, _pair in signed}
    unbound = unsigned_inputs(transaction, spent) & silent if silent else silent
    if unbound:
        return _invalid(f"the script of input {min(unbound)} is satisfied without any signature over the message")
    return ProofRuling(
        MessageVerdict.VALID,
        result.reason,
        frozenset(one.script_pubkey for one in spent[first:]),
        tuple(pair for _number, pair in signed),
        result.lock_time,
        max((one.sequence for one in transaction.inputs[first:] if _locks(one.sequence)), default=0),
    )


def signers_of(
    transaction: Transaction, number: int, spent: TxOutput, hasher: SegwitV0Hasher
) -> list[tuple[bytes, bytes]]:
    """Return script and public key of each signature of an input that was found valid; none for other scripts."""
    one = transaction.inputs[number]
    witness_script = script_of_witness(spent.script_pubkey, one.script_sig, one.witness)
    multisig = None if witness_script is None else parse_multisig(witness_script)
    if witness_script is None or multisig is None:
        return []
    digest = hasher.digest(number, witness_script, spent.value)
    assigned = assign_signatures(one.witness[1:-1], number, multisig[1], digest)
    return [] if isinstance(assigned, Finding) else [(spent.script_pubkey, entry.public_key) for entry in assigned]


def _locks(sequence: int) -> bool:
    """Whether a sequence asks for an age (BIP 68)."""
    return not sequence & 1 << 31 and bool(sequence & 0x0040FFFF)


def _invalid(reason: str) -> ProofRuling:
    return ProofRuling(MessageVerdict.INVALID, reason)
