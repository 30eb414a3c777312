"""Whether a PSBT is a proof that can never be spent, and what an input of a proof does elsewhere (A82).

A proof is recognised by what it says (the field of a signed message, or of a commitment) and believed only when
the first input really commits to that message: then no block can hold the transaction, whatever else it spends.
What says that it is a proof and isn't, and the first input of a proof in anything else, is refused.
Source: BIP 322; BIP 127; `custody/bitcoin/bip322_transactions.py` says why neither can be mined.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from custody.bitcoin.address import address_of
from custody.bitcoin.bip127 import is_commitment
from custody.bitcoin.bip322_transactions import looks_like_to_spend, to_sign, to_spend
from custody.bitcoin.psbt import Psbt, PsbtInput
from custody.bitcoin.transaction import OutPoint, TxOutput
from custody.codes import Code
from custody.errors import Finding
from custody.spend.proof_model import ProofClaim, ProofKind, device_problem, message_problem
from custody.spend.review_findings import TX, at_input, note, refuse
from custody.spend.review_model import Place
from custody.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class ProofJudgement:
    """What a PSBT is, as a proof."""

    proof: ProofClaim | None
    """None where it is a payment, or no good proof."""
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Problem:
    code: Code
    where: str
    message: str

    def finding(self) -> Finding:
        return refuse(self.code, self.where, self.message)


def with_recomputed_parent(psbt: Psbt) -> Psbt:
    """Return the PSBT of a signed message with `to_spend` in full, where it holds its output alone.

    Software that keeps to the BIP may leave it out: everybody can compute it from message and script, and its
    hash is the outpoint's or it isn't used.
    """
    if psbt.signed_message is None or not psbt.inputs:
        return psbt
    first = psbt.inputs[0]
    if first.non_witness_utxo is not None or first.witness_utxo is None:
        return psbt
    parent = to_spend(psbt.signed_message, first.witness_utxo.script_pubkey)
    if first.outpoint != OutPoint(parent.txid, 0):
        return psbt
    return psbt.with_input(0, replace(first, non_witness_utxo=parent))


def commitment_inputs(psbt: Psbt) -> frozenset[int]:
    """Return the inputs that nobody signs: the first one of a BIP 127 proof, if it commits to its message."""
    if not psbt.inputs or psbt.signed_message is not None:
        return frozenset()
    return frozenset((0,)) if _commits(psbt.inputs[0]) else frozenset()


def judge_proof(
    psbt: Psbt,
    vault: Vault,
    coins: Sequence[TxOutput | None],
    inputs: Sequence[Place | None],
    outputs: Sequence[Place | None],
) -> ProofJudgement:
    """Say whether the PSBT is a proof of this vault; `coins` are what the inputs really spend, the rest whose it is."""
    marked = [number for number, one in enumerate(psbt.inputs) if _is_of_a_proof(one)]
    if psbt.signed_message is not None:
        problems = _message_problems(psbt, psbt.signed_message, coins, inputs)
        proof = _message_claim(psbt, psbt.signed_message, vault, coins)
    elif any(one.por_commitment is not None for one in psbt.inputs):
        problems = _reserve_problems(psbt, coins, outputs)
        proof = _reserve_claim(psbt, coins)
    else:
        problems, proof = [], None
    stray = marked[:] if proof is None else [number for number in marked if number > 0]
    words = "the first input of a proof stands in another transaction: its signature would say something else"
    problems += [_Problem(Code.POR_INPUT_IN_SPEND, at_input(number), words) for number in stray]
    if problems or proof is None:
        return ProofJudgement(None, tuple(problem.finding() for problem in problems))
    return ProofJudgement(proof, (_proof_note(proof), *_device_notes(proof)))


def _is_of_a_proof(one: PsbtInput) -> bool:
    """Whether an input is some proof's first: it says so, or it spends the output that a message commits to."""
    previous = one.non_witness_utxo
    if previous is not None and previous.txid == one.outpoint.txid and looks_like_to_spend(previous):
        return True
    return one.por_commitment is not None


def _commits(one: PsbtInput) -> bool:
    return one.por_commitment is not None and is_commitment(one.outpoint, one.por_commitment)


def _message_problems(
    psbt: Psbt, message: bytes, coins: Sequence[TxOutput | None], places: Sequence[Place | None]
) -> list[_Problem]:
    text = message_problem(message)
    problems = [] if text is None else [_Problem(Code.MESSAGE_INVALID, TX, text)]
    challenge = coins[0] if coins else None
    outpoints = [one.outpoint for one in psbt.inputs]
    if challenge is None or outpoints[0] != OutPoint(to_spend(message, challenge.script_pubkey).txid, 0):
        words = "it says that it signs a message, and its first input does not commit to it: it may be spendable"
        return [*problems, _Problem(Code.POR_NOT_UNSPENDABLE, TX, words)]
    if places[0] is None:
        words = "the message would be signed for an address that is not this vault's"
        problems.append(_Problem(Code.POR_NOT_UNSPENDABLE, at_input(0), words))
    wanted = to_sign(message, challenge.script_pubkey, outpoints[1:])
    if psbt.unsigned_transaction() != wanted or psbt.inputs[0].por_commitment is not None:
        words = "a signed message is one transaction to the byte, with an empty OP_RETURN alone, and this is another"
        problems.append(_Problem(Code.POR_INPUT_IN_SPEND, TX, words))
    return problems


def _reserve_problems(psbt: Psbt, coins: Sequence[TxOutput | None], outputs: Sequence[Place | None]) -> list[_Problem]:
    if not _commits(psbt.inputs[0]):
        words = "it says that it is a proof of reserves, and its first input does not commit to the message"
        return [_Problem(Code.POR_NOT_UNSPENDABLE, TX, f"{words}: it may be spendable")]
    text = message_problem(psbt.inputs[0].por_commitment or b"")
    problems = [] if text is None else [_Problem(Code.MESSAGE_INVALID, TX, text)]
    first = psbt.inputs[0]
    if first.non_witness_utxo is not None or (first.witness_utxo is not None and first.witness_utxo.value):
        words = "the first input commits to a message and is said to spend a coin"
        problems.append(_Problem(Code.POR_NOT_UNSPENDABLE, at_input(0), words))
    total = sum(coin.value for coin in coins[1:] if coin is not None)
    paid = [output.value for output in psbt.outputs]
    if len(coins) < 2 or paid != [total] or outputs[0] is None:
        words = f"a proof of reserves pays its coins' exact sum, {total} sat, in one output back to the vault"
        problems.append(_Problem(Code.POR_INPUT_IN_SPEND, TX, words))
    return problems


def _message_claim(psbt: Psbt, message: bytes, vault: Vault, coins: Sequence[TxOutput | None]) -> ProofClaim:
    challenge = coins[0] if coins else None
    address = None if challenge is None else address_of(challenge.script_pubkey, vault.network)
    total = sum(coin.value for coin in coins[1:] if coin is not None)
    return ProofClaim(ProofKind.BIP322, message, address, max(0, len(psbt.inputs) - 1), total)


def _reserve_claim(psbt: Psbt, coins: Sequence[TxOutput | None]) -> ProofClaim:
    total = sum(coin.value for coin in coins[1:] if coin is not None)
    return ProofClaim(ProofKind.BIP127, psbt.inputs[0].por_commitment or b"", None, len(psbt.inputs) - 1, total)


def _device_notes(proof: ProofClaim) -> tuple[Finding, ...]:
    problem = device_problem(proof.message) if proof.kind is ProofKind.BIP322 else None
    if problem is None:
        return ()
    message = f"devices that show messages refuse this one: {problem}"
    advice = "Expect Coldcard to refuse it; a device that signs it shows no message, so compare its hash here."
    return (note(Code.MESSAGE_NOT_SHOWN, TX, message, advice),)


def _proof_note(proof: ProofClaim) -> Finding:
    what = "it signs the message shown" if proof.kind is ProofKind.BIP322 else "it proves coins for the message shown"
    return note(
        Code.MESSAGE_PROOF,
        TX,
        f"{what}, SHA-256 `{proof.sha256}`: no block can hold it, so its signatures spend nothing",
        "Compare the message, or its hash, with what you were asked to sign: some devices sign without showing it.",
    )
