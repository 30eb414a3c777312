"""Two implementations of BIP 322 that share no code: each verifies what the other makes, and neither what is wrong."""

import base64
from dataclasses import replace

import pytest

from custody.bitcoin.address import address_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.bip322 import MessageForm, MessageVerdict, verify_message
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.psbt import Psbt, psbt_from_text_or_bytes
from custody.bitcoin.transaction import OutPoint, Transaction, TxOutput
from custody.spend.proof import finish_message, message_proof
from custody.spend.review import review
from custody.spend.review_model import Place, Purpose, ReviewContext, Verdict
from custody.vault.vault import Vault
from custody_hardware.simulator import SimulatedDevice
from support.interop import OtherVerifier
from support.proofs import MESSAGE, PLACE, outputs_of, proof_of, signed_by, two_coins
from support.review_cases import sign, simulated_vault

pytestmark = pytest.mark.interop
VAULT = simulated_vault()
SCRIPT = VAULT.deriver.at(PLACE.branch, PLACE.index).script_pubkey


def address(vault: Vault = VAULT, place: Place = PLACE) -> str:
    found = address_of(vault.deriver.at(place.branch, place.index).script_pubkey, vault.network)
    assert found is not None
    return found


@pytest.mark.parametrize("pair", [(1, 2), (1, 3), (2, 3)])
def test_our_two_of_three_verifies_there(pair: tuple[int, int], bip322_core: OtherVerifier) -> None:
    text = finish_message(VAULT, signed_by(VAULT, proof_of("one address", VAULT), *pair))
    told = bip322_core.verdict(address(), text, MESSAGE)
    assert (told["state"], told["variant"], told["extra_inputs"]) == ("valid", "smp", 0), told["reason"]
    assert bip322_core.verdict(address(), text, MESSAGE + b".")["state"] == "invalid"
    assert bip322_core.verdict(address(place=Place(0, 4)), text, MESSAGE)["state"] == "invalid"


def test_our_wrapped_vaults_full_form_verifies_there(bip322_core: OtherVerifier) -> None:
    vault = simulated_vault(script_type=ScriptType.SH_WSH_SORTEDMULTI)
    text = finish_message(vault, signed_by(vault, proof_of("one address", vault), 1, 3))
    told = bip322_core.verdict(address(vault), text, MESSAGE)
    assert (told["state"], told["variant"]) == ("valid", "ful"), told["reason"]


@pytest.mark.parametrize("script_type", [ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI])
def test_our_proof_of_funds_verifies_there(script_type: ScriptType, bip322_core: OtherVerifier) -> None:
    vault = simulated_vault(script_type=script_type)
    text = finish_message(vault, signed_by(vault, proof_of("funds", vault), 2, 3))
    told = bip322_core.verdict(address(vault), text, MESSAGE)
    assert (told["state"], told["variant"], told["extra_inputs"]) == ("valid", "pof", 2), told["reason"]
    assert bip322_core.verdict(address(vault), text, MESSAGE + b".")["state"] == "invalid"


def test_a_two_of_three_made_there_verifies_here(bip322_core: OtherVerifier) -> None:
    """Built and finished by the other side from the descriptor alone, signed by two of our simulated cosigners."""
    question = {"descriptor": VAULT.descriptor_text, "branch": 0, "index": 3, "message": MESSAGE.decode()}
    made = bip322_core.ask("create", utxo_mode="both", **question)
    assert made["address"] == address()
    built = psbt_from_text_or_bytes(made["psbt"].encode())
    answer = review(built, VAULT, ReviewContext())
    assert (answer.verdict, answer.purpose) == (Verdict.CLEAN, Purpose.PROOF)
    signed = [SimulatedDevice(number, VAULT).sign(built.serialize()) for number in (1, 3)]
    finished = bip322_core.ask("finish", psbts=[base64.b64encode(one).decode() for one in signed])
    text = str(finished["signature"])
    result = verify_message(MESSAGE, SCRIPT, text, outputs={})
    assert (result.verdict, result.form) == (MessageVerdict.VALID, MessageForm.SIMPLE)
    assert not verify_message(MESSAGE + b".", SCRIPT, text, outputs={}).is_valid
    # Signatures are deterministic, so both sides finish to the same text.
    assert text == finish_message(VAULT, signed_by(VAULT, proof_of("one address", VAULT), 1, 3))


def test_a_request_made_there_with_the_output_alone_is_reviewed_here(bip322_core: OtherVerifier) -> None:
    question = {"descriptor": VAULT.descriptor_text, "branch": 1, "index": 9, "message": MESSAGE.decode()}
    made = bip322_core.ask("create", utxo_mode="witness", **question)
    answer = review(psbt_from_text_or_bytes(made["psbt"].encode()), VAULT, ReviewContext())
    assert (answer.verdict, answer.purpose) == (Verdict.CLEAN, Purpose.PROOF)
    assert answer.inputs[0].place == Place(1, 9)


def test_our_request_is_one_by_the_other_sides_rules_for_signers(bip322_core: OtherVerifier) -> None:
    told = bip322_core.ask("inspect", psbt=message_proof(VAULT, PLACE, MESSAGE).to_base64())
    assert told == {"is_bip322": True, "problems": [], "warnings": [], "address": address()}
    ours = message_proof(VAULT, PLACE, MESSAGE)
    lied = bip322_core.ask("inspect", psbt=replace(ours, signed_message=b"Something else").to_base64())
    assert not lied["is_bip322"]


def test_a_request_of_ours_is_finished_there(bip322_core: OtherVerifier) -> None:
    """A proof of funds of ours, signed by two devices, combined and finished by the other side, verifies here."""
    proof = proof_of("funds", VAULT).serialize()
    signed = [base64.b64encode(SimulatedDevice(number, VAULT).sign(proof)).decode() for number in (1, 2)]
    text = str(bip322_core.ask("finish", psbts=signed)["signature"])
    coins = outputs_of(VAULT, two_coins(VAULT))
    result = verify_message(MESSAGE, SCRIPT, text, outputs=coins)
    assert (result.verdict, result.form, set(result.funds)) == (MessageVerdict.VALID, MessageForm.FUNDS, set(coins))


WRONG = (
    "another sighash type",
    "a flipped bit",
    "bytes behind",
    "another form",
    "no base64",
    "a coin made richer",
    "an input that is not final",
    "a coin without its output",
    "more inputs in the full form",
    "a coin twice",
)


def wrong_texts() -> dict[str, str]:
    """Return signatures that are wrong in one thing each."""
    proof = proof_of("one address", VAULT)
    simple = finish_message(VAULT, signed_by(VAULT, proof, 1, 2))
    funds = finish_message(VAULT, signed_by(VAULT, proof_of("funds", VAULT), 1, 2))
    raw = base64.b64decode(simple[3:])
    none = sign(sign(proof, VAULT, 1), VAULT, 2, sighash_type=0x82)
    script = VAULT.deriver.at(0, 3)
    by_key = {entry.public_key: entry.signature for entry in none.inputs[0].partial_signatures}
    items = (b"", *(by_key[key] for key in script.public_keys if key in by_key), script.witness_script)
    stack = bytes([len(items)]) + b"".join(bytes([len(item)]) + item for item in items)
    published = Psbt.parse(base64.b64decode(funds[3:]))
    not_final = published.with_input(1, replace(published.inputs[1], final_script_witness=None))
    coin = published.inputs[1]
    assert coin.witness_utxo is not None
    richer = TxOutput(Sats(coin.witness_utxo.value + 1), coin.witness_utxo.script_pubkey)
    twice = Transaction(
        0,
        tuple(one for one in full_of(published).inputs for _ in range(1 + (one.outpoint == coin.outpoint))),
        full_of(published).outputs,
        0,
    )
    return {
        "another sighash type": "smp" + base64.b64encode(stack).decode(),
        "a flipped bit": "smp" + base64.b64encode(raw[:20] + bytes([raw[20] ^ 1]) + raw[21:]).decode(),
        "bytes behind": "smp" + base64.b64encode(raw + b"\0").decode(),
        "another form": "ful" + simple[3:],
        "no base64": simple + "!",
        "a coin made richer": "pof" + published.with_input(1, replace(coin, witness_utxo=richer)).to_base64(),
        "an input that is not final": "pof" + not_final.to_base64(),
        "a coin without its output": "pof" + published.with_input(1, replace(coin, witness_utxo=None)).to_base64(),
        "more inputs in the full form": "ful" + base64.b64encode(full_of(published).serialize()).decode(),
        "a coin twice": "ful" + base64.b64encode(twice.serialize()).decode(),
    }


def full_of(published: Psbt) -> Transaction:
    """Return the whole transaction of a finished proof of funds."""
    unsigned = published.unsigned_transaction()
    inputs = tuple(
        replace(bare, witness=one.final_script_witness or ())
        for bare, one in zip(unsigned.inputs, published.inputs, strict=True)
    )
    return replace(unsigned, inputs=inputs)


def test_what_is_wrong_is_invalid_on_both_sides(bip322_core: OtherVerifier) -> None:
    texts = wrong_texts()
    assert tuple(texts) == WRONG
    coins: dict[OutPoint, TxOutput] = outputs_of(VAULT, two_coins(VAULT))
    for name, text in texts.items():
        assert verify_message(MESSAGE, SCRIPT, text, outputs=coins).verdict is MessageVerdict.INVALID, name
        assert bip322_core.verdict(address(), text, MESSAGE)["state"] == "invalid", name
