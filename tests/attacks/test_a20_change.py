"""A20 to A28: change and output deception. Each file is sound but for one lie, and only that check fails."""

from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import hash160
from custody.bitcoin.keys import KeyOrigin
from custody.bitcoin.psbt import KeyDerivation, Psbt
from custody.bitcoin.script import multisig_script, p2sh_script, p2wsh_script
from custody.vault.vault import Vault
from support.review_cases import (
    CHANGE_INDEX,
    COIN,
    FEE,
    PAID,
    assert_refused,
    assert_warned,
    change_to_script,
    foreign_key,
    labels,
    own_output,
    payment,
    run_review,
    simulated_vault,
    with_change,
    with_coin,
)

VAULT = simulated_vault()
CHANGE = VAULT.deriver.at(1, CHANGE_INDEX)


def _forged(count: int) -> tuple[bytes, tuple[KeyDerivation, ...]]:
    """Return a script in which `count` cosigners' keys are the attacker's, under true labels."""
    keys, forged = list(CHANGE.key_by_cosigner), []
    true = {label.public_key: label.origin for label in labels(VAULT, CHANGE)}
    for number in range(count):
        forged.append(KeyDerivation(foreign_key(number), true.pop(keys[number])))
        keys[number] = foreign_key(number)
    kept = [KeyDerivation(key, origin) for key, origin in true.items()]
    return multisig_script(2, sorted(keys)), (*forged, *kept)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a20_change_with_attackers_keys_under_true_labels(tmp_path: Path, count: int) -> None:
    script, forged = _forged(count)
    answer = assert_refused(
        tmp_path, change_to_script(payment(VAULT), script, forged), VAULT, {"CHANGE_NOT_OURS@output:1"}
    )
    assert answer["outputs"][1]["kind"] == "external"


def test_a20_attackers_key_without_a_label_of_its_own(tmp_path: Path) -> None:
    script = multisig_script(2, sorted([*CHANGE.key_by_cosigner[:2], foreign_key()]))
    kept = [label for label in labels(VAULT, CHANGE) if label.public_key in CHANGE.key_by_cosigner[:2]]
    assert_refused(tmp_path, change_to_script(payment(VAULT), script, kept), VAULT, {"CHANGE_NOT_OURS@output:1"})


@pytest.mark.parametrize("keep_script", [True, False])
def test_a20_payee_dressed_as_change(tmp_path: Path, keep_script: bool) -> None:
    psbt = payment(VAULT)
    change = psbt.outputs[1]
    dressed = replace(
        psbt.outputs[0],
        derivations=change.derivations,
        witness_script=change.witness_script if keep_script else None,
    )
    answer = assert_refused(
        tmp_path, psbt.with_output(0, dressed), VAULT, {"OUTPUT_METADATA_CONTRADICTS_SCRIPT@output:0"}
    )
    assert [output["kind"] for output in answer["outputs"]] == ["external", "change"]


def test_a20_own_output_with_a_false_witness_script(tmp_path: Path) -> None:
    psbt = with_change(payment(VAULT), witness_script=multisig_script(1, CHANGE.public_keys))
    assert_refused(tmp_path, psbt, VAULT, {"OUTPUT_METADATA_CONTRADICTS_SCRIPT@output:1"})


@pytest.mark.parametrize("with_labels", [True, False])
@pytest.mark.parametrize(("threshold", "keys"), [(1, 3), (2, 2)])
def test_a21_change_with_lowered_threshold_or_dropped_cosigner(
    tmp_path: Path, threshold: int, keys: int, with_labels: bool
) -> None:
    script = multisig_script(threshold, CHANGE.public_keys[:keys])
    derivations = labels(VAULT, CHANGE)[:keys] if with_labels else ()
    psbt = change_to_script(payment(VAULT), script, derivations)
    assert_refused(tmp_path, psbt, VAULT, {"CHANGE_SCRIPT_MISMATCH@output:1"})


def test_a21_lowered_threshold_without_its_witness_script(tmp_path: Path) -> None:
    psbt = change_to_script(payment(VAULT), multisig_script(1, CHANGE.public_keys), labels(VAULT, CHANGE))
    assert_refused(tmp_path, with_change(psbt, witness_script=None), VAULT, {"CHANGE_SCRIPT_MISMATCH@output:1"})


def test_a22_change_with_unsorted_keys(tmp_path: Path) -> None:
    script = multisig_script(2, tuple(reversed(CHANGE.public_keys)))
    psbt = change_to_script(payment(VAULT), script, labels(VAULT, CHANGE))
    assert_refused(tmp_path, psbt, VAULT, {"CHANGE_SCRIPT_MISMATCH@output:1"})


@pytest.mark.parametrize("index", [CHANGE_INDEX, 900])
def test_a23_change_without_metadata_is_found_and_shown_as_ours(tmp_path: Path, index: int) -> None:
    psbt = payment(VAULT).with_output(1, own_output(VAULT, 1, index, COIN - PAID - FEE))
    bare = with_change(psbt, derivations=(), witness_script=None)
    result = run_review(tmp_path, bare, VAULT, "--last-used-index", 880)
    assert result.exit_code == 0
    assert result.json["outputs"][1]["kind"] == "change"
    assert result.json["outputs"][1]["index"] == index
    assert "CHANGE_METADATA_MISSING" in result.stdout


def test_a23_receive_address_without_metadata_is_shown_as_self(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    own = own_output(VAULT, 0, 7, PAID)
    answer = assert_warned(
        tmp_path, psbt.with_output(0, replace(own, derivations=(), witness_script=None)), VAULT, set()
    )
    assert answer["outputs"][0] | {"address": ""} == {
        "address": "",
        "value_sats": PAID,
        "kind": "self",
        "branch": "receive",
        "index": 7,
    }


@pytest.mark.parametrize("kind", ["p2wpkh", "p2pkh", "p2sh-p2wpkh", "p2tr"])
def test_a24_change_to_one_cosigners_key(tmp_path: Path, kind: str) -> None:
    label = labels(VAULT, CHANGE)[0]
    key_hash = hash160(label.public_key)
    scripts = {
        "p2wpkh": b"\x00\x14" + key_hash,
        "p2pkh": b"\x76\xa9\x14" + key_hash + b"\x88\xac",
        "p2sh-p2wpkh": p2sh_script(b"\x00\x14" + key_hash),
        "p2tr": b"\x51\x20" + label.public_key[1:],
    }
    redeem = b"\x00\x14" + key_hash if kind == "p2sh-p2wpkh" else None
    psbt = with_change(
        payment(VAULT),
        script_pubkey=scripts[kind],
        witness_script=None,
        redeem_script=redeem,
        derivations=(label,),
    )
    assert_refused(tmp_path, psbt, VAULT, {"CHANGE_SCRIPT_MISMATCH@output:1"})


def test_a25_change_in_p2sh_of_the_same_witness_script(tmp_path: Path) -> None:
    program = p2wsh_script(CHANGE.witness_script)
    psbt = with_change(payment(VAULT), script_pubkey=p2sh_script(program), redeem_script=program)
    assert_refused(tmp_path, psbt, VAULT, {"CHANGE_SCRIPT_MISMATCH@output:1"})


def test_a25_change_of_a_nested_vault_without_p2sh(tmp_path: Path) -> None:
    nested = simulated_vault(script_type=ScriptType.SH_WSH_SORTEDMULTI)
    script = nested.deriver.at(1, CHANGE_INDEX)
    psbt = with_change(payment(nested), script_pubkey=p2wsh_script(script.witness_script), redeem_script=None)
    assert_refused(tmp_path, psbt, nested, {"CHANGE_SCRIPT_MISMATCH@output:1"})


def _change_at(index: int) -> Psbt:
    return payment(VAULT).with_output(1, own_output(VAULT, 1, index, COIN - PAID - FEE))


@pytest.mark.parametrize("index", [2_000_000_000, 2**31 - 1, 3 + 10_001])
def test_a26_change_index_beyond_the_limit(tmp_path: Path, index: int) -> None:
    answer = assert_refused(tmp_path, _change_at(index), VAULT, {"CHANGE_INDEX_BEYOND_LIMIT@output:1"})
    assert answer["outputs"][1]["kind"] == "change"


@pytest.mark.parametrize("index", [3 + 21, 1021, 3 + 10_000])
def test_a26_change_index_beyond_the_gap(tmp_path: Path, index: int) -> None:
    assert_warned(tmp_path, _change_at(index), VAULT, {"CHANGE_INDEX_BEYOND_GAP@output:1"})


@pytest.mark.parametrize(("index", "options"), [(3 + 20, ()), (1021, ("--last-used-index", "1020"))])
def test_a26_change_index_within_the_gap_is_clean(tmp_path: Path, index: int, options: tuple[str, ...]) -> None:
    assert_warned(tmp_path, _change_at(index), VAULT, set(), *options)


def _mixed(vault: Vault, places: list[tuple[int, ...]]) -> Psbt:
    """Return a payment whose change takes each cosigner's key from a place of its own."""
    derivations = []
    for cosigner, steps in zip(vault.cosigners, places, strict=True):
        key = cosigner.key.key
        for step in steps:
            key = key.child(step)
        origin = cosigner.key.origin
        derivations.append(KeyDerivation(key.public_key, KeyOrigin(origin.fingerprint, (*origin.path, *steps))))
    script = multisig_script(vault.threshold, sorted(label.public_key for label in derivations))
    return change_to_script(payment(vault), script, derivations)


@pytest.mark.parametrize("places", [[(1, 4), (1, 5), (1, 6)], [(1, 4), (0, 4), (1, 4)], [(1, 4), (1, 4), (7, 4)]])
@pytest.mark.parametrize("with_script", [True, False])
def test_a27_keys_at_different_places(tmp_path: Path, places: list[tuple[int, ...]], with_script: bool) -> None:
    psbt = _mixed(VAULT, places)
    if not with_script:
        psbt = with_change(psbt, witness_script=None)
    assert_refused(tmp_path, psbt, VAULT, {"CHANGE_MIXED_PATHS@output:1"})


@pytest.mark.parametrize("steps", [(7, 4), (4,), (1, 4, 0)])
def test_a27_unknown_chain(tmp_path: Path, steps: tuple[int, ...]) -> None:
    assert_refused(tmp_path, _mixed(VAULT, [steps] * 3), VAULT, {"CHANGE_UNKNOWN_CHAIN@output:1"})


def test_a27_change_on_the_receive_chain(tmp_path: Path) -> None:
    psbt = payment(VAULT).with_output(1, own_output(VAULT, 0, 5, COIN - PAID - FEE))
    answer = assert_warned(tmp_path, psbt, VAULT, {"CHANGE_ON_RECEIVE_CHAIN@output:1"})
    assert answer["outputs"][1]["kind"] == "self"


def _relabelled(number: int, **changes: object) -> tuple[KeyDerivation, ...]:
    made = list(labels(VAULT, CHANGE))
    made[number] = replace(made[number], **changes)
    return tuple(sorted(made, key=lambda label: label.public_key))


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("where", ["output:1", "input:0"])
def test_a28_wrong_fingerprint_for_a_right_key(tmp_path: Path, number: int, where: str) -> None:
    script = CHANGE if where == "output:1" else VAULT.deriver.at(0, 3)
    made = list(labels(VAULT, script))
    made[number] = replace(made[number], origin=KeyOrigin(b"\xde\xad\xbe\xef", made[number].origin.path))
    psbt = payment(VAULT)
    bend = with_change if where == "output:1" else with_coin
    assert_refused(tmp_path, bend(psbt, derivations=tuple(made)), VAULT, {f"DERIVATION_MISMATCH@{where}"})


def test_a28_wrong_path_for_a_right_key(tmp_path: Path) -> None:
    origin = labels(VAULT, CHANGE)[1].origin
    bent = _relabelled(1, origin=KeyOrigin(origin.fingerprint, (*origin.path[:-1], 5)))
    assert_refused(tmp_path, with_change(payment(VAULT), derivations=bent), VAULT, {"DERIVATION_MISMATCH@output:1"})


def test_a28_attackers_key_labelled_as_a_cosigner(tmp_path: Path) -> None:
    bent = _relabelled(2, public_key=foreign_key())
    assert_refused(tmp_path, with_change(payment(VAULT), derivations=bent), VAULT, {"DERIVATION_MISMATCH@output:1"})


@pytest.mark.parametrize("bend", [with_change, with_coin])
def test_a28_more_labels_than_keys(tmp_path: Path, bend: object) -> None:
    script, where = (CHANGE, "output:1") if bend is with_change else (VAULT.deriver.at(0, 3), "input:0")
    true = labels(VAULT, script)
    made = tuple(sorted((*true, replace(true[0], public_key=foreign_key())), key=lambda label: label.public_key))
    psbt = bend(payment(VAULT), derivations=made)  # type: ignore[operator]
    assert_refused(tmp_path, psbt, VAULT, {f"SURPLUS_DERIVATION@{where}"})


def test_labels_of_another_wallet_on_a_payment_warn(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    label = KeyDerivation(foreign_key(), KeyOrigin(b"\xde\xad\xbe\xef", (0, 1)))
    dressed = replace(psbt.outputs[0], derivations=(label,))
    assert_warned(tmp_path, psbt.with_output(0, dressed), VAULT, {"SURPLUS_DERIVATION@output:0"})
