"""Proofs for tests: coins of a simulated vault, the three kinds of proof over them, signatures by simulated devices."""

from collections.abc import Sequence

from custody.bitcoin.amount import Sats
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import OutPoint, TxOutput
from custody.spend.proof import ProofCoin, bip127_proof, message_proof, take_signatures
from custody.spend.review_model import Place
from custody.vault.vault import Vault
from custody_hardware.simulator import SimulatedDevice
from support.review_cases import COIN, own_input

MESSAGE = b"Proof of reserves of a test\nblock: 900001\nblock hash: " + b"0f" * 32 + b"\nnonce: 7"
PLACE = Place(0, 3)
KINDS = ("one address", "funds", "bip127")


def proof_coin(vault: Vault, branch: int, index: int, value: int = COIN, *, salt: int = 0) -> ProofCoin:
    """Return a coin of the vault with its previous transaction."""
    spent = own_input(vault, branch, index, value, salt=salt)
    assert spent.non_witness_utxo is not None
    return ProofCoin(spent.outpoint, Sats(value), Place(branch, index), spent.non_witness_utxo)


def two_coins(vault: Vault) -> tuple[ProofCoin, ...]:
    """Return two coins at different places, of different value."""
    return (proof_coin(vault, 0, 3, salt=1), proof_coin(vault, 1, 4, 2 * COIN, salt=2))


def outputs_of(vault: Vault, coins: Sequence[ProofCoin]) -> dict[OutPoint, TxOutput]:
    """Return what a verifier's node says of the coins."""
    return {
        coin.outpoint: TxOutput(coin.value, vault.deriver.at(coin.place.branch, coin.place.index).script_pubkey)
        for coin in coins
    }


def proof_of(kind: str, vault: Vault, message: bytes = MESSAGE) -> Psbt:
    """Return the unsigned proof of one of `KINDS`."""
    if kind == "bip127":
        return bip127_proof(vault, message, two_coins(vault))
    return message_proof(vault, PLACE, message, two_coins(vault) if kind == "funds" else ())


def signed_by(vault: Vault, proof: Psbt, *numbers: int) -> Psbt:
    """Return the proof with the signatures of simulated devices."""
    raw = proof.serialize()
    return take_signatures(vault, proof, [SimulatedDevice(number, vault).sign(raw) for number in numbers])
