"""A82: a "proof" that is a real spend, and the first input of a proof slipped into a payment. One lie each."""

from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.amount import Sats
from custody.bitcoin.bip127 import commitment_outpoint
from custody.bitcoin.bip322 import to_sign, to_spend
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.psbt import Psbt, PsbtOutput
from custody.bitcoin.transaction import OutPoint
from custody.vault.vault import Vault
from support.cli import Result, run
from support.proofs import KINDS, MESSAGE, proof_of, signed_by
from support.rehearsal import Rehearsal, stranger
from support.review_cases import (
    PAYEE,
    assert_refused,
    codes,
    own_input,
    payment,
    run_review,
    sign,
    simulated_vault,
    with_coin,
    write_files,
)

VAULT = simulated_vault()
SCRIPTS = [ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI]
COMMITMENT = commitment_outpoint(MESSAGE)


def finalized(folder: Path, psbt: Psbt, vault: Vault) -> Result:
    """Run `psbt finalize`."""
    psbt_path, vault_path = write_files(folder, psbt, vault)
    return run(["psbt", "finalize", psbt_path, "--vault-file", vault_path, "--json"])


@pytest.mark.parametrize("script_type", SCRIPTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a82_a_true_proof_is_known_and_never_a_payment(kind: str, script_type: ScriptType, tmp_path: Path) -> None:
    vault = simulated_vault(script_type=script_type)
    signed = signed_by(vault, proof_of(kind, vault), 1, 3)
    answer = run_review(tmp_path, signed, vault).json
    assert (answer["verdict"], answer["purpose"]) == ("clean", "proof")
    assert answer["proof"]["message"] == MESSAGE.decode()
    assert answer["proof"]["block"] == {"height": 900_001, "hash": "0f" * 32}
    assert (answer["signing"]["signed"], answer["signing"]["missing"], answer["fee_sats"]) == (["ann", "cy"], 0, 0)
    made = finalized(tmp_path, signed, vault).json
    assert made["purpose"] == "proof"
    assert "transaction" not in made and "txid" not in made
    assert ("proof_transaction" if kind == "bip127" else "signature") in made


def test_a82_a_payment_that_calls_itself_a_signed_message(tmp_path: Path) -> None:
    lie = replace(payment(VAULT), signed_message=MESSAGE)
    answer = assert_refused(tmp_path, lie, VAULT, {"POR_NOT_UNSPENDABLE@tx"})
    assert answer["purpose"] == "payment"
    assert answer["proof"] is None


def test_a82_a_payment_that_calls_itself_a_proof_of_reserves(tmp_path: Path) -> None:
    for number in (0, 1):
        lie = with_coin(payment(VAULT, coins=2), number, por_commitment=MESSAGE)
        answer = run_review(tmp_path, lie, VAULT)
        assert answer.exit_code == 3
        assert "POR_NOT_UNSPENDABLE@tx" in codes(answer.json, "refuse")
        assert answer.json["purpose"] == "payment"
        signed = sign(sign(lie, VAULT, 1), VAULT, 2)
        refused = finalized(tmp_path, signed, VAULT)
        assert (refused.exit_code, refused.error["error"]) == (3, "POR_NOT_UNSPENDABLE")


@pytest.mark.parametrize("kind", KINDS)
def test_a82_a_proof_whose_message_was_exchanged(kind: str, tmp_path: Path) -> None:
    proof = proof_of(kind, VAULT)
    if kind == "bip127":
        lie = proof.with_input(0, replace(proof.inputs[0], por_commitment=b"Pay 1 BTC"))
    else:
        lie = replace(proof, signed_message=b"Pay 1 BTC")
    result = run_review(tmp_path, lie, VAULT)
    assert (result.exit_code, result.json["purpose"]) == (3, "payment")
    assert "POR_NOT_UNSPENDABLE@tx" in codes(result.json, "refuse")


def test_a82_without_its_message_a_proof_is_refused(tmp_path: Path) -> None:
    for kind in ("one address", "funds"):
        result = run_review(tmp_path, replace(proof_of(kind, VAULT), signed_message=None), VAULT)
        assert result.exit_code == 3
        assert "POR_INPUT_IN_SPEND@input:0" in codes(result.json, "refuse")
    proof = proof_of("bip127", VAULT)
    bare = run_review(tmp_path, proof.with_input(0, replace(proof.inputs[0], por_commitment=None)), VAULT)
    assert bare.exit_code == 3
    assert "MISSING_NON_WITNESS_UTXO@input:0" in codes(bare.json, "refuse")


def test_a82_the_input_of_a_message_in_a_payment(tmp_path: Path) -> None:
    commitment = proof_of("one address", VAULT).inputs[0]
    sound = payment(VAULT)
    for number, inputs in enumerate([(commitment, *sound.inputs), (*sound.inputs, commitment)]):
        result = run_review(tmp_path, replace(sound, inputs=inputs), VAULT)
        assert result.exit_code == 3
        assert f"POR_INPUT_IN_SPEND@input:{number}" in codes(result.json, "refuse")
        assert result.json["purpose"] == "payment"


def test_a82_the_input_of_a_proof_of_reserves_in_a_payment(tmp_path: Path) -> None:
    commitment = proof_of("bip127", VAULT).inputs[0]
    sound = payment(VAULT)
    first = run_review(tmp_path, replace(sound, inputs=(commitment, *sound.inputs)), VAULT)
    assert first.exit_code == 3
    assert codes(first.json, "refuse") >= {"POR_INPUT_IN_SPEND@tx"}
    last = run_review(tmp_path, replace(sound, inputs=(*sound.inputs, commitment)), VAULT)
    assert last.exit_code == 3
    assert codes(last.json, "refuse") >= {"POR_NOT_UNSPENDABLE@tx", "POR_INPUT_IN_SPEND@input:1"}


def test_a82_a_second_message_hidden_among_the_coins(tmp_path: Path) -> None:
    other = proof_of("one address", VAULT, b"I sell the vault to the bearer").inputs[0]
    for kind in KINDS:
        proof = proof_of(kind, VAULT)
        result = run_review(tmp_path, replace(proof, inputs=(*proof.inputs, other)), VAULT)
        assert result.exit_code == 3
        assert f"POR_INPUT_IN_SPEND@input:{len(proof.inputs)}" in codes(result.json, "refuse")


@pytest.mark.parametrize("kind", KINDS)
def test_a82_a_proof_that_pays_somebody(kind: str, tmp_path: Path) -> None:
    proof = proof_of(kind, VAULT)
    total = proof.outputs[0].value
    for outputs in (
        (*proof.outputs, PsbtOutput(Sats(1_000), PAYEE)),
        (PsbtOutput(total, PAYEE),),
        (replace(proof.outputs[0], value=Sats(total + 1)),),
        (),
    ):
        result = run_review(tmp_path, replace(proof, outputs=outputs), VAULT)
        assert (result.exit_code, result.json["purpose"]) == (3, "payment")
        assert "POR_INPUT_IN_SPEND@tx" in codes(result.json, "refuse")


def test_a82_a_signed_message_that_is_not_the_bips_to_the_byte(tmp_path: Path) -> None:
    proof = proof_of("funds", VAULT)
    for lie in (
        replace(proof, tx_version=2),
        replace(proof, fallback_locktime=900_000),
        proof.with_input(0, replace(proof.inputs[0], stated_sequence=1)),
        proof.with_input(2, replace(proof.inputs[2], stated_sequence=0xFFFFFFFD)),
    ):
        result = run_review(tmp_path, lie, VAULT)
        assert (result.exit_code, result.json["purpose"]) == (3, "payment")
        assert "POR_INPUT_IN_SPEND@tx" in codes(result.json, "refuse")


def test_a82_a_proof_of_coins_that_are_not_ours_or_twice_there(tmp_path: Path) -> None:
    proof = proof_of("funds", VAULT)
    foreign = replace(own_input(simulated_vault(3, 5), 0, 3), stated_sequence=0)
    assert_refused(tmp_path, replace(proof, inputs=(*proof.inputs, foreign)), VAULT, {"FOREIGN_INPUT@input:3"})
    assert_refused(
        tmp_path, replace(proof, inputs=(*proof.inputs, proof.inputs[1])), VAULT, {"DUPLICATE_INPUT@input:3"}
    )


def test_a82_a_message_signed_for_an_address_of_another_vault(tmp_path: Path) -> None:
    other = simulated_vault(3, 5)
    expected = {"FOREIGN_INPUT@input:0", "POR_NOT_UNSPENDABLE@input:0"}
    result = run_review(tmp_path, proof_of("one address", other), VAULT)
    assert result.exit_code == 3
    assert codes(result.json, "refuse") >= expected


def test_a82_a_commitment_that_is_said_to_spend_a_coin(tmp_path: Path) -> None:
    proof = proof_of("bip127", VAULT)
    coin = own_input(VAULT, 0, 7)
    for lie in (
        replace(proof.inputs[0], non_witness_utxo=coin.non_witness_utxo),
        replace(proof.inputs[0], witness_utxo=coin.witness_utxo),
    ):
        result = run_review(tmp_path, proof.with_input(0, lie), VAULT)
        assert (result.exit_code, result.json["purpose"]) == (3, "payment")
        assert "POR_NOT_UNSPENDABLE@input:0" in codes(result.json, "refuse")
    moved = replace(proof.inputs[0], outpoint=OutPoint(COMMITMENT.txid, 1))
    result = run_review(tmp_path, proof.with_input(0, moved), VAULT)
    assert "POR_NOT_UNSPENDABLE@tx" in codes(result.json, "refuse")


@pytest.mark.parametrize("kind", KINDS)
def test_a82_a_proof_signed_with_another_type_than_all(kind: str, tmp_path: Path) -> None:
    proof = proof_of(kind, VAULT)
    number = len(proof.inputs) - 1
    asked = proof.with_input(number, replace(proof.inputs[number], sighash_type=0x81))
    assert_refused(tmp_path, asked, VAULT, {f"SIGHASH_NOT_ALL@input:{number}"})
    signed = sign(proof, VAULT, 1, inputs=[number], sighash_type=0x82)
    assert_refused(tmp_path, signed, VAULT, {f"SIGHASH_MISMATCH@input:{number}"})


def test_a82_a_message_is_escaped_on_the_screen(tmp_path: Path) -> None:
    message = "Safe\x1b[2J text\u202e and\r more\nVERDICT CLEAN".encode()
    psbt_path, vault_path = write_files(tmp_path, proof_of("one address", VAULT, message), VAULT)
    shown = run(["psbt", "review", psbt_path, "--vault-file", vault_path]).stdout
    assert "| Safe\\u{001B}[2J text\\u{202E} and\\u{000D} more" in shown
    assert "| VERDICT CLEAN" in shown
    assert "\x1b[2J" not in shown and "\u202e" not in shown and "\r" not in shown


def test_a82_no_proposal_takes_a_proof(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    office.fund(1)
    proposal = office.draft("--to", f"{stranger(1)}=1btc")
    for kind in KINDS:
        proof = proof_of(kind, office.vault)
        file = tmp_path / "proof.psbt"
        file.write_bytes(signed_by(office.vault, proof, 1, 2).serialize())
        refused = office.error(["proposal", "add", file], exit_code=3)
        assert refused["error"] in ("DIFFERENT_TRANSACTION", "MESSAGE_PROOF")
    assert office.show(proposal)["signing"]["signed"] == []


@pytest.mark.parametrize("message", [b"\xff\xfe", b"", b"x" * 5_000])
def test_a82_what_is_no_message_is_not_signed(message: bytes, tmp_path: Path) -> None:
    """The transaction commits to it rightly, and nobody could read it."""
    sound = proof_of("one address", VAULT).inputs[0]
    script = VAULT.deriver.at(0, 3).script_pubkey
    bare = Psbt.create(to_sign(message, script))
    first = replace(sound, outpoint=bare.inputs[0].outpoint, non_witness_utxo=to_spend(message, script))
    lie = replace(bare, inputs=(first,), signed_message=message, global_xpubs=proof_of("funds", VAULT).global_xpubs)
    result = run_review(tmp_path, lie, VAULT)
    assert (result.exit_code, result.json["purpose"]) == (3, "payment")
    assert "MESSAGE_INVALID@tx" in codes(result.json, "refuse")
    reserve = proof_of("bip127", VAULT)
    first = replace(reserve.inputs[0], outpoint=commitment_outpoint(message), por_commitment=message)
    result = run_review(tmp_path, reserve.with_input(0, first), VAULT)
    assert (result.exit_code, result.json["purpose"]) == (3, "payment")
    assert "MESSAGE_INVALID@tx" in codes(result.json, "refuse")


def test_a82_a_message_without_what_it_is_signed_for(tmp_path: Path) -> None:
    proof = proof_of("one address", VAULT)
    for lie in (
        replace(proof.inputs[0], non_witness_utxo=None, witness_utxo=None),
        replace(proof.inputs[0], non_witness_utxo=None, witness_utxo=own_input(VAULT, 0, 4).witness_utxo),
    ):
        result = run_review(tmp_path, proof.with_input(0, lie), VAULT)
        assert (result.exit_code, result.json["purpose"]) == (3, "payment")
        assert codes(result.json, "refuse") >= {"POR_NOT_UNSPENDABLE@tx", "MISSING_NON_WITNESS_UTXO@input:0"}


def test_a82_a_transaction_that_says_it_is_both_kinds_of_proof(tmp_path: Path) -> None:
    message = proof_of("one address", VAULT)
    reserve = proof_of("bip127", VAULT)
    both = (
        message.with_input(0, replace(message.inputs[0], por_commitment=MESSAGE)),
        replace(reserve, signed_message=MESSAGE),
    )
    for lie, code in zip(both, ("POR_INPUT_IN_SPEND@tx", "POR_NOT_UNSPENDABLE@tx"), strict=True):
        result = run_review(tmp_path, lie, VAULT)
        assert (result.exit_code, result.json["purpose"]) == (3, "payment")
        assert code in codes(result.json, "refuse")
