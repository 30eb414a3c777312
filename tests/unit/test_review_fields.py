"""Every field that a device needs is deleted in turn, and the review names it; and what contradicts the vault."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyOrigin
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import SpendScript, finalize
from custody.vault.vault import Vault
from support.review_cases import (
    COIN,
    assert_refused,
    assert_warned,
    codes,
    payment,
    run_review,
    sign,
    simulated_vault,
    with_change,
    with_coin,
)
from support.vaults import make_vault

VAULT = simulated_vault(script_type=ScriptType.SH_WSH_SORTEDMULTI)


def _deletions(vault: Vault) -> Iterator[tuple[str, Psbt, str, str]]:
    """Yield name, PSBT without the field, the finding that must name it, and a word in its message."""
    psbt = payment(vault)
    names = {cosigner.fingerprint: cosigner.name for cosigner in vault.cosigners}
    for place, xpub in enumerate(psbt.global_xpubs):
        kept = (*psbt.global_xpubs[:place], *psbt.global_xpubs[place + 1 :])
        name = names[xpub.origin.fingerprint]
        yield f"xpub {name}", replace(psbt, global_xpubs=kept), "GLOBAL_XPUBS_MISSING@tx", name
    yield "all xpubs", replace(psbt, global_xpubs=()), "GLOBAL_XPUBS_MISSING@tx", "BitBox02"
    yield "witness utxo", with_coin(psbt, witness_utxo=None), "WITNESS_UTXO_MISSING@input:0", "Digital Bitbox"
    yield "witness script", with_coin(psbt, witness_script=None), "WITNESS_SCRIPT_MISSING@input:0", "Trezor"
    yield "redeem script", with_coin(psbt, redeem_script=None), "REDEEM_SCRIPT_MISSING@input:0", "Ledger"
    for place, label in enumerate(psbt.inputs[0].derivations):
        labels = psbt.inputs[0].derivations
        bare = with_coin(psbt, derivations=(*labels[:place], *labels[place + 1 :]))
        name = names[label.origin.fingerprint]
        yield f"derivation {name}", bare, "DERIVATIONS_MISSING@input:0", name
    for place, label in enumerate(psbt.outputs[1].derivations):
        labels = psbt.outputs[1].derivations
        bare = with_change(psbt, derivations=(*labels[:place], *labels[place + 1 :]))
        name = names[label.origin.fingerprint]
        yield f"change derivation {name}", bare, "CHANGE_METADATA_MISSING@output:1", name
    no_script = with_change(psbt, witness_script=None)
    yield "change witness script", no_script, "CHANGE_METADATA_MISSING@output:1", "witness script"
    no_redeem = with_change(psbt, redeem_script=None)
    yield "change redeem script", no_redeem, "CHANGE_METADATA_MISSING@output:1", "redeem script"


@pytest.mark.parametrize("deletion", list(_deletions(VAULT)), ids=lambda deletion: deletion[0])
def test_each_deleted_field_is_named(tmp_path: Path, deletion: tuple[str, Psbt, str, str]) -> None:
    _, psbt, finding, word = deletion
    answer = assert_warned(tmp_path, psbt, VAULT, {finding})
    assert word in answer["findings"][0]["message"]
    assert answer["fee_sats"] is not None


def test_the_full_previous_transaction_is_demanded(tmp_path: Path) -> None:
    assert_refused(
        tmp_path,
        with_coin(payment(VAULT), non_witness_utxo=None),
        VAULT,
        {"MISSING_NON_WITNESS_UTXO@input:0"},
    )


def test_complete_payments_are_clean(tmp_path: Path) -> None:
    for vault in (VAULT, simulated_vault(), simulated_vault(3, 5), simulated_vault(10, 15)):
        answer = assert_warned(tmp_path, payment(vault), vault, set())
        assert answer["verdict"] == "clean"
        assert codes(answer, "note") == {"UTXO_UNVERIFIED@tx"}


def test_a_finalized_input_misses_nothing(tmp_path: Path) -> None:
    vault = simulated_vault()
    script = vault.deriver.at(0, 3)
    signed = sign(sign(payment(vault), vault, 1), vault, 2)
    final = finalize(signed, [SpendScript(script.witness_script, Sats(COIN))])
    assert_warned(tmp_path, replace(final, global_xpubs=()), vault, set())


def test_a_global_xpub_of_a_stranger(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    stranger = make_vault(seed=99).cosigners[0]
    alien = replace(psbt.global_xpubs[0], key78=stranger.key.key.to_bytes78(VAULT.network), origin=stranger.key.origin)
    added = replace(psbt, global_xpubs=(*psbt.global_xpubs, alien))
    assert_refused(tmp_path, added, VAULT, {"GLOBAL_XPUB_MISMATCH@tx"})


def test_a_global_xpub_with_another_origin(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    first, *rest = psbt.global_xpubs
    moved = replace(first, origin=KeyOrigin(b"\xde\xad\xbe\xef", first.origin.path))
    assert_refused(tmp_path, replace(psbt, global_xpubs=(moved, *rest)), VAULT, {"GLOBAL_XPUB_MISMATCH@tx"})


def test_a_global_xpub_of_another_network(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    first, *rest = psbt.global_xpubs
    mainnet = replace(first, key78=bytes.fromhex("0488b21e") + first.key78[4:])
    assert_refused(tmp_path, replace(psbt, global_xpubs=(mainnet, *rest)), VAULT, {"GLOBAL_XPUB_MISMATCH@tx"})


def test_the_parents_fingerprint_of_a_global_xpub_enters_nothing(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    first, *rest = psbt.global_xpubs
    emptied = replace(first, key78=first.key78[:5] + bytes(4) + first.key78[9:])
    assert_warned(tmp_path, replace(psbt, global_xpubs=(emptied, *rest)), VAULT, set())


def test_the_wrong_vault_file_is_refused_for_its_inputs(tmp_path: Path) -> None:
    other = simulated_vault(3, 5, ScriptType.SH_WSH_SORTEDMULTI)
    result = run_review(tmp_path, payment(VAULT), other)
    assert result.exit_code == 3
    assert "FOREIGN_INPUT@input:0" in codes(result.json, "refuse")
