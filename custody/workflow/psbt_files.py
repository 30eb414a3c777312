"""Combine, finalize and convert PSBTs from their bytes and one vault, without a workspace.

Signatures are all that is ever taken from a returned file, each verified against scripts
that the vault derives and amounts that full previous transactions prove. A finalized
transaction is checked by our own verdict on each signature, by the second engine, and by
libbitcoinkernel where this Python has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from custody.bitcoin import kernel
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_returned import read_returned as read_returned
from custody.bitcoin.psbt_roles import extract, finalize, take_signatures
from custody.bitcoin.second_opinion import segwit_v0_sighash, segwit_v0_sighashes, txid_of
from custody.bitcoin.sighash import SIGHASH_ALL, SegwitV0Hasher
from custody.bitcoin.signatures import SpendScript
from custody.bitcoin.transaction import Transaction, TxOutput
from custody.codes import Code
from custody.errors import CheckFailed, Finding, InvalidInput
from custody.spend.progress import SigningProgress
from custody.spend.proof import finish_bip127, finish_message, signing_scripts
from custody.spend.proof_model import ProofClaim, ProofKind
from custody.spend.review import review
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_model import Purpose, Review, ReviewContext, require_clean
from custody.spend.review_places import VaultScripts
from custody.vault.vault import Vault
from custody.workflow.review_psbt import review_psbt

MAX_THIRD_SIGHASHES = 64
"""Inputs whose signature hash python-bitcoinlib gives too, beside libwally's for all; its cost grows with their
square."""


@dataclass(frozen=True, slots=True)
class Combined:
    """A PSBT with the signatures of all files."""

    psbt: Psbt
    signing: SigningProgress
    notes: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Finalized:
    """A transaction that is ready to be broadcast."""

    psbt: Psbt
    transaction: Transaction
    review: Review
    kernel_verified: bool
    """False where this Python has no libbitcoinkernel."""


@dataclass(frozen=True, slots=True)
class FinishedProof:
    """A proof for whoever asked for it; nothing in it goes to the network."""

    review: Review
    proof: ProofClaim
    text: str
    """The signature as BIP 322 writes it, or a BIP 127 proof's transaction in hex."""


def combine_files(returned: Sequence[Psbt | Transaction], vault: Vault) -> Combined:
    """Put the verified signatures of all files into the first one that is complete enough to judge them.

    That file, the master, gives everything but the signatures.

    Raises:
        CheckFailed: no file has the full previous transactions, an input is not the vault's, the files
            are about different transactions, or a signature is not valid.
        NotYet: NO_SIGNATURES in a file besides the master.
    """
    position, master, scripts = _master_of(returned, vault)
    notes: list[Finding] = []
    for number, part in enumerate(returned):
        if number != position:
            master, new = take_signatures(master, part, scripts)
            notes += new
    return Combined(master, review(master, vault, ReviewContext()).signing, tuple(notes))


def finalize_file(psbt: Psbt, vault: Vault, context: ReviewContext) -> Finalized:
    """Finalize and extract, after a review without a refusing finding.

    Raises:
        CheckFailed: the review refuses, an engine or libbitcoinkernel disagrees.
        NotYet: SIGNATURES_MISSING. InvalidInput: REHEARSAL, which is never finalized; MESSAGE_PROOF, which
            `finish_proof_file` finishes.
    """
    answer = review_psbt(psbt, vault, context)
    require_clean(answer)
    if answer.purpose is Purpose.PROOF:
        raise InvalidInput(
            Code.MESSAGE_PROOF,
            "the file is a proof: nothing can be spent by it, and it is never finalized as a payment or broadcast",
            advice="Finish it with `custody psbt finalize`, which writes the signature for whoever asked for it.",
        )
    if answer.purpose is Purpose.REHEARSAL:
        raise InvalidInput(
            Code.REHEARSAL,
            "the file is a rehearsal: it spends coins that can't exist, and is never finalized or broadcast",
            advice="Give it to `custody device check NAME --from FILE`, which judges the device by it.",
        )
    scripts = spend_scripts(answer.inputs, VaultScripts.of(vault))
    final = finalize(psbt, scripts)
    transaction = extract(final)
    verified = verify_final(transaction, psbt, scripts)
    return Finalized(final, transaction, answer, verified)


def finish_proof_file(psbt: Psbt, vault: Vault, context: ReviewContext) -> FinishedProof | None:
    """Return the finished proof, after a review by both engines; None where the file is no proof.

    Raises:
        CheckFailed: the review refuses, or the finished proof does not verify. NotYet: SIGNATURES_MISSING.
    """
    answer = review_psbt(psbt, vault, context)
    if answer.proof is None:
        return None
    require_clean(answer)
    if answer.proof.kind is ProofKind.BIP322:
        return FinishedProof(answer, answer.proof, finish_message(vault, psbt))
    return FinishedProof(answer, answer.proof, finish_bip127(vault, psbt).serialize().hex())


def verify_final(transaction: Transaction, psbt: Psbt, scripts: Sequence[SpendScript]) -> bool:
    """Check a final transaction with the second engine and libbitcoinkernel; say whether the latter was there.

    `psbt` is the reviewed one, with full previous transactions.

    Raises:
        CheckFailed: ENGINES_DISAGREE or BAD_FINAL_WITNESS.
    """
    raw = transaction.serialize()
    _require_same(txid_of(raw), transaction.txid, "the final txid")
    require_same_sighashes(psbt.unsigned_transaction(), scripts)
    if not kernel.is_available():
        return False
    kernel.verify_scripts(raw, _spent_outputs(psbt))
    return True


def require_same_sighashes(unsigned: Transaction, scripts: Sequence[SpendScript]) -> None:
    """Demand that both engines give one signature hash for every input.

    Raises:
        CheckFailed: ENGINES_DISAGREE, with the input.
    """
    hasher = SegwitV0Hasher(unsigned)
    stripped = unsigned.serialize_without_witness()
    seconds = segwit_v0_sighashes(stripped, [(one.witness_script, one.value) for one in scripts], SIGHASH_ALL)
    for number, (script, second) in enumerate(zip(scripts, seconds, strict=True)):
        what = f"the signature hash of input {number}"
        ours = hasher.digest(number, script.witness_script, script.value)
        _require_same(second.hex(), ours.hex(), what)
        if number < MAX_THIRD_SIGHASHES:
            third = segwit_v0_sighash(stripped, number, script.witness_script, script.value, SIGHASH_ALL)
            _require_same(third.hex(), ours.hex(), what)


def _master_of(
    returned: Sequence[Psbt | Transaction], vault: Vault
) -> tuple[int, Psbt, tuple[SpendScript | None, ...]]:
    problem: CheckFailed | None = None
    for number, part in enumerate(returned):
        if isinstance(part, Transaction):
            continue
        answer = review(part, vault, ReviewContext())
        try:
            return number, part, signing_scripts(answer, vault)
        except CheckFailed as error:
            problem = problem or error
    if problem is not None:
        raise problem
    raise InvalidInput(
        Code.MALFORMED_PSBT,
        "none of the files is a PSBT",
        advice="Give the original PSBT first, then the files that the signers returned.",
    )


def _spent_outputs(psbt: Psbt) -> list[TxOutput]:
    return [one.non_witness_utxo.outputs[one.outpoint.vout] for one in psbt.inputs if one.non_witness_utxo is not None]


def _require_same(second: str, first: str, what: str) -> None:
    if second != first:
        raise CheckFailed(
            Code.ENGINES_DISAGREE,
            f"{what} is `{first}` for the first engine and `{second}` for the second",
            advice="Do not broadcast; report the transaction to the developers.",
        )
