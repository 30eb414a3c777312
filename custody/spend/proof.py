"""Proofs as PSBTs: a message signed by one address, over coins or without, and BIP 127's proof of reserves.

Each follows from vault, message and coins alone, and is complete for every device, as our payments are. None can be
spent: the review says so of what was built before anybody gets it, and again before a signature is taken.
Source: BIP 322 (PSBT creator, finalizer); BIP 127; BIP 174.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from custody.bitcoin.amount import Sats, sats
from custody.bitcoin.bip127 import COMMITMENT_OUTPUT, commitment_outpoint
from custody.bitcoin.bip127 import verify_bip127 as verify_bip127
from custody.bitcoin.bip322 import MessageForm, verify_message
from custody.bitcoin.bip322_model import MessageResult
from custody.bitcoin.bip322_transactions import to_sign, to_spend
from custody.bitcoin.descriptor import Branch
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_returned import read_returned
from custody.bitcoin.psbt_roles import extract, finalize
from custody.bitcoin.psbt_roles import take_signatures as take_signatures_of
from custody.bitcoin.script import witness_program
from custody.bitcoin.signatures import SpendScript
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput, serialize_witness
from custody.codes import Code
from custody.errors import CheckFailed
from custody.spend.proof_model import ProofClaim, ProofKind, require_message
from custody.spend.psbt_builder import fill_input, fill_output, global_xpubs
from custody.spend.review import review
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_model import Place, Purpose, Review, ReviewContext, require_clean
from custody.spend.review_places import VaultScripts
from custody.vault.vault import Vault

_VERSION = 2
_SEQUENCE = 0xFFFFFFFD
"""Of BIP 127's inputs, as payments have it."""


@dataclass(frozen=True, slots=True)
class ProofCoin:
    """A coin of the vault whose control is proven."""

    outpoint: OutPoint
    value: Sats
    place: Place
    previous: Transaction
    """In full: devices ask for it."""


def message_proof(vault: Vault, place: Place, message: bytes, coins: Sequence[ProofCoin] = ()) -> Psbt:
    """Return the unsigned PSBT in which the address at `place` signs `message`, over `coins` if there are any.

    Equal arguments give equal bytes; the order of coins says nothing.

    Raises:
        InvalidInput: MESSAGE_INVALID. CheckFailed: a coin is not what its previous transaction says, or not ours.
    """
    require_message(message)
    script = vault.deriver.at(place.branch, place.index)
    ordered = _in_order(coins)
    parent = to_spend(message, script.script_pubkey)
    bare = Psbt.create(to_sign(message, script.script_pubkey, [coin.outpoint for coin in ordered]))
    filled = [fill_input(bare.inputs[0], vault, script, parent)]
    filled += [
        fill_input(one, vault, vault.deriver.at(coin.place.branch, coin.place.index), _parent_of(coin, vault))
        for one, coin in zip(bare.inputs[1:], ordered, strict=True)
    ]
    proof = replace(bare, inputs=tuple(filled), global_xpubs=global_xpubs(vault), signed_message=message)
    return _checked(proof, vault)


def bip127_proof(vault: Vault, message: bytes, coins: Sequence[ProofCoin]) -> Psbt:
    """Return the unsigned PSBT of a BIP 127 proof over `coins`, whose one output is back to the vault.

    Raises:
        InvalidInput: MESSAGE_INVALID. CheckFailed: as `message_proof`; POR_INPUT_IN_SPEND without any coin.
    """
    require_message(message)
    ordered = _in_order(coins)
    change = vault.deriver.at(Branch.RECEIVE if vault.receive_only else Branch.CHANGE, 0)
    inputs = [TxInput(commitment_outpoint(message))]
    inputs += [TxInput(coin.outpoint, b"", _SEQUENCE) for coin in ordered]
    total = sats(sum(coin.value for coin in ordered))
    bare = Psbt.create(Transaction(_VERSION, tuple(inputs), (TxOutput(total, change.script_pubkey),), 0))
    filled = [replace(bare.inputs[0], witness_utxo=COMMITMENT_OUTPUT, por_commitment=message)]
    filled += [
        fill_input(one, vault, vault.deriver.at(coin.place.branch, coin.place.index), _parent_of(coin, vault))
        for one, coin in zip(bare.inputs[1:], ordered, strict=True)
    ]
    outputs = (fill_output(bare.outputs[0], vault, change),) if not vault.receive_only else bare.outputs
    return _checked(replace(bare, inputs=tuple(filled), outputs=outputs, global_xpubs=global_xpubs(vault)), vault)


def take_signatures(vault: Vault, proof: Psbt, returned: Sequence[bytes]) -> Psbt:
    """Return `proof` with the signatures of all returned files, each verified; nothing else is taken.

    Raises:
        CheckFailed: the proof is none of the vault's, a file is about another transaction, or a signature is wrong.
        NotYet: NO_SIGNATURES in a file. InvalidInput: a file that is neither a PSBT nor a transaction.
    """
    answer = review_proof(proof, vault)
    scripts = signing_scripts(answer, vault)
    for data in returned:
        proof, _notes = take_signatures_of(proof, read_returned(data), scripts)
    return proof


def finish_message(vault: Vault, proof: Psbt) -> str:
    """Return the signature of a signed message as BIP 322 writes it: `smp`, `ful` or `pof` and base64.

    The text carries neither keys of other addresses nor whole previous transactions, and is verified as a stranger
    would before it is given out.

    Raises:
        NotYet: SIGNATURES_MISSING. CheckFailed: a signature is wrong, or the proof is another one.
    """
    answer = review_proof(proof, vault)
    claim = _claim_of(answer, ProofKind.BIP322)
    final = finalize(proof, signing_scripts(answer, vault))
    signed = extract(final)
    challenge = vault_script_of(answer, vault)
    if claim.coins:
        text = MessageForm.FUNDS.value + _bare_final(final).to_base64()
    elif witness_program(challenge) is None:
        text = MessageForm.FULL.value + _base64(signed.serialize())
    else:
        text = MessageForm.SIMPLE.value + _base64(serialize_witness(signed.inputs[0].witness))
    _require_valid(verify_message(claim.message, challenge, text, outputs=_outputs_of(answer, vault)))
    return text


def finish_bip127(vault: Vault, proof: Psbt) -> Transaction:
    """Return the signed transaction of a BIP 127 proof. Raises as `finish_message`."""
    answer = review_proof(proof, vault)
    claim = _claim_of(answer, ProofKind.BIP127)
    transaction = extract(finalize(proof, signing_scripts(answer, vault)))
    _require_valid(verify_bip127(claim.message, transaction, outputs=_outputs_of(answer, vault)))
    return transaction


def review_proof(proof: Psbt, vault: Vault) -> Review:
    """Review a PSBT that has to be a proof of this vault.

    Raises:
        CheckFailed: the review refuses it, or POR_NOT_UNSPENDABLE: it is a payment or a rehearsal.
    """
    answer = review(proof, vault, ReviewContext())
    require_clean(answer)
    if answer.purpose is not Purpose.PROOF:
        raise CheckFailed(
            Code.POR_NOT_UNSPENDABLE,
            f"the file is a {answer.purpose}, not a proof",
            advice="Do not use it as a proof: it is judged by `custody psbt review`.",
        )
    return answer


def signing_scripts(answer: Review, vault: Vault) -> tuple[SpendScript | None, ...]:
    """Return what each input of a reviewed PSBT is signed for; None for the commitment of a BIP 127 proof.

    Raises:
        CheckFailed: an input is not proven, or not ours.
    """
    scripts = VaultScripts.of(vault)
    if answer.proof is not None and answer.proof.kind is ProofKind.BIP127:
        return (None, *spend_scripts(answer.inputs[1:], scripts))
    return spend_scripts(answer.inputs, scripts)


def vault_script_of(answer: Review, vault: Vault) -> bytes:
    """Return the output script whose message a reviewed proof signs: the first input's, derived by us."""
    place = answer.inputs[0].place
    if place is None:
        raise CheckFailed(
            Code.POR_NOT_UNSPENDABLE,
            "the message is signed for no address of this vault",
            advice="Ask for a proof of this vault.",
        )
    return vault.deriver.at(place.branch, place.index).script_pubkey


def _in_order(coins: Sequence[ProofCoin]) -> list[ProofCoin]:
    return sorted(coins, key=lambda coin: coin.outpoint)


def _parent_of(coin: ProofCoin, vault: Vault) -> Transaction:
    previous, outpoint = coin.previous, coin.outpoint
    wanted = TxOutput(coin.value, vault.deriver.at(coin.place.branch, coin.place.index).script_pubkey)
    if previous.txid != outpoint.txid:
        raise CheckFailed(
            Code.PREVTX_TXID_MISMATCH,
            f"the previous transaction of coin `{outpoint}` is another one",
            advice="Fetch the coin's transaction again.",
        )
    if outpoint.vout >= len(previous.outputs) or previous.outputs[outpoint.vout] != wanted:
        raise CheckFailed(
            Code.UTXO_MISMATCH,
            f"coin `{outpoint}` is not what its transaction says, or is at another place of the vault",
            advice="Synchronize the coins again: `custody coins sync --full`.",
        )
    return previous


def _checked(proof: Psbt, vault: Vault) -> Psbt:
    """Read what was built back from its bytes and review it as a stranger's."""
    review_proof(Psbt.parse(proof.serialize()), vault)
    return proof


def _claim_of(answer: Review, kind: ProofKind) -> ProofClaim:
    if answer.proof is None or answer.proof.kind is not kind:
        raise CheckFailed(
            Code.POR_NOT_UNSPENDABLE,
            f"the file is no proof of kind {kind}",
            advice="Finish it by `custody psbt finalize`, which knows which kind it is.",
        )
    return answer.proof


def _outputs_of(answer: Review, vault: Vault) -> Mapping[OutPoint, TxOutput]:
    """Return what the proof's own coins are, as their full previous transactions prove."""
    return {
        one.outpoint: TxOutput(one.value, vault.deriver.at(one.place.branch, one.place.index).script_pubkey)
        for one in answer.inputs[1:]
        if one.value is not None and one.place is not None
    }


def _bare_final(final: Psbt) -> Psbt:
    """Return the finalized PSBT with what a verifier needs and nothing of the vault besides."""
    inputs = tuple(replace(one, non_witness_utxo=None, unknown=(), key_order=None) for one in final.inputs)
    outputs = tuple(replace(one, derivations=(), unknown=(), key_order=None) for one in final.outputs)
    return replace(final, inputs=inputs, outputs=outputs, global_xpubs=(), unknown=(), key_order=None)


def _require_valid(result: MessageResult) -> None:
    if not result.is_valid:
        raise CheckFailed(
            Code.BAD_FINAL_WITNESS,
            f"the finished proof does not verify: {result.reason}",
            advice="Do not hand it out: collect the signatures again, and report this.",
        )


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
