"""A30 to A34 and A40: what inputs claim to be. Each file is sound but for one lie."""

from dataclasses import replace
from pathlib import Path

from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.psbt import PsbtInput
from custody.bitcoin.script import multisig_script, p2wsh_script
from custody.bitcoin.transaction import OutPoint, TxOutput
from support.review_cases import (
    COIN,
    assert_refused,
    foreign_key,
    funding,
    own_input,
    payment,
    run_review,
    sign,
    simulated_vault,
    with_coin,
)

VAULT = simulated_vault()


def test_a30_missing_previous_transaction(tmp_path: Path) -> None:
    psbt = sign(payment(VAULT), VAULT, 1)
    answer = assert_refused(
        tmp_path, with_coin(psbt, non_witness_utxo=None), VAULT, {"MISSING_NON_WITNESS_UTXO@input:0"}
    )
    assert answer["inputs"][0]["value_sats"] is None
    assert answer["inputs"][0]["ours"] is False
    assert answer["fee_sats"] is None
    assert answer["signing"]["signed"] == []


def test_a30_two_files_with_other_amounts_each_name_the_input(tmp_path: Path) -> None:
    psbt = payment(VAULT, coins=2)
    for number in (0, 1):
        lying = TxOutput(Sats(2 * COIN), psbt.inputs[number].witness_utxo.script_pubkey)  # type: ignore[union-attr]
        bent = with_coin(psbt, number, non_witness_utxo=None, witness_utxo=lying)
        answer = assert_refused(tmp_path, bent, VAULT, {f"MISSING_NON_WITNESS_UTXO@input:{number}"})
        assert answer["fee_sats"] is None


def test_a31_previous_transaction_of_another_txid(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    script = VAULT.deriver.at(0, 3).script_pubkey
    other = funding(script, COIN, salt=9)
    assert_refused(tmp_path, with_coin(psbt, non_witness_utxo=other), VAULT, {"PREVTX_TXID_MISMATCH@input:0"})


def test_a31_output_beyond_the_previous_transaction(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    outpoint = OutPoint(psbt.inputs[0].outpoint.txid, 2)
    assert_refused(tmp_path, with_coin(psbt, outpoint=outpoint), VAULT, {"PREVOUT_INDEX_OUT_OF_RANGE@input:0"})


def test_a32_amount_lie(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    lying = TxOutput(Sats(COIN - 1), VAULT.deriver.at(0, 3).script_pubkey)
    answer = assert_refused(tmp_path, with_coin(psbt, witness_utxo=lying), VAULT, {"UTXO_MISMATCH@input:0"})
    assert answer["inputs"][0]["value_sats"] == COIN


def test_a32_script_lie(tmp_path: Path) -> None:
    lying = TxOutput(Sats(COIN), VAULT.deriver.at(0, 4).script_pubkey)
    assert_refused(tmp_path, with_coin(payment(VAULT), witness_utxo=lying), VAULT, {"UTXO_MISMATCH@input:0"})


def test_a33_witness_script_of_another_place(tmp_path: Path) -> None:
    other = VAULT.deriver.at(0, 9).witness_script
    assert_refused(
        tmp_path, with_coin(payment(VAULT), witness_script=other), VAULT, {"WITNESS_SCRIPT_MISMATCH@input:0"}
    )


def test_a33_redeem_script_where_none_belongs(tmp_path: Path) -> None:
    redeem = p2wsh_script(VAULT.deriver.at(0, 3).witness_script)
    assert_refused(
        tmp_path, with_coin(payment(VAULT), redeem_script=redeem), VAULT, {"UNEXPECTED_REDEEM_SCRIPT@input:0"}
    )


def test_a33_wrong_redeem_script_of_a_nested_vault(tmp_path: Path) -> None:
    nested = simulated_vault(script_type=ScriptType.SH_WSH_SORTEDMULTI)
    wrong = nested.deriver.at(0, 9).redeem_script
    assert_refused(
        tmp_path, with_coin(payment(nested), redeem_script=wrong), nested, {"UNEXPECTED_REDEEM_SCRIPT@input:0"}
    )


def _foreign_input() -> PsbtInput:
    script = multisig_script(1, [foreign_key()])
    previous = funding(p2wsh_script(script), COIN, salt=5)
    return PsbtInput(
        OutPoint(previous.txid, 1),
        0xFFFFFFFD,
        non_witness_utxo=previous,
        witness_utxo=previous.outputs[1],
        witness_script=script,
    )


def test_a34_foreign_input(tmp_path: Path) -> None:
    psbt = payment(VAULT, coins=2, fee=4_000)
    answer = assert_refused(tmp_path, psbt.with_input(1, _foreign_input()), VAULT, {"FOREIGN_INPUT@input:1"})
    assert [entry["ours"] for entry in answer["inputs"]] == [True, False]


def test_a34_input_of_another_vault_under_our_labels(tmp_path: Path) -> None:
    other = simulated_vault(3, 5)
    stolen = replace(own_input(other, 0, 3), derivations=own_input(VAULT, 0, 3).derivations)
    assert_refused(tmp_path, payment(VAULT).with_input(0, stolen), VAULT, {"FOREIGN_INPUT@input:0"})


def test_an_input_without_labels_is_found_by_search(tmp_path: Path) -> None:
    result = run_review(tmp_path, with_coin(payment(VAULT), derivations=()), VAULT)
    assert result.exit_code == 0
    assert (result.json["inputs"][0]["branch"], result.json["inputs"][0]["index"]) == ("receive", 3)


def test_a40_duplicate_input(tmp_path: Path) -> None:
    psbt = payment(VAULT, coins=2)
    assert_refused(tmp_path, psbt.with_input(1, psbt.inputs[0]), VAULT, {"DUPLICATE_INPUT@input:1"})
