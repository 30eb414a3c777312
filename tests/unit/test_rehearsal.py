"""A rehearsal is signed like a payment and can never be one: what it is, how a review knows it, what refuses it."""

import base64
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from custody.audit.signers import SignedRehearsal, SignerRecord, Signers
from custody.bitcoin import kernel
from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import PartialSignature, Psbt
from custody.bitcoin.psbt_roles import extract, finalize
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.chain.embedded import EmbeddedBackend
from custody.codes import Code
from custody.errors import CheckFailed, DeviceUnavailable, InvalidInput
from custody.ports import no_progress
from custody.spend.rehearsal import NULL_OUTPOINT, Rehearsal, is_impossible, rehearsal_number
from custody.spend.review_model import Purpose, ReviewContext, Verdict
from custody.vault.vault import Vault
from custody.workflow.device_check import rehearsal_of_file
from custody.workflow.psbt_files import finalize_file
from custody.workflow.recorded_rehearsals import rehearsal_findings
from custody.workflow.review_bundle import review_bare_psbt
from custody.workflow.review_psbt import review_psbt
from custody.workflow.verify_rehearsal import Signatures, rehearsal_scripts, signatures_of, verify_combinations
from custody_hardware.simulator import SimulatedDevice
from support.cli import run
from support.review_cases import own_input, own_output, payment, run_review, simulated_vault, with_coin, write_files

SCRIPTS = [ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI]


def signed_by(vault: Vault, rehearsal: Rehearsal, *numbers: int) -> dict[str, Signatures]:
    """Return the verified signatures of simulated devices, by cosigner."""
    scripts = rehearsal_scripts(vault, rehearsal)
    raw = rehearsal.psbt.serialize()
    made: dict[str, Signatures] = {}
    for number in numbers:
        name = vault.cosigners[number - 1].name
        returned = Psbt.parse(SimulatedDevice(number, vault).sign(raw))
        made[name] = signatures_of(vault, rehearsal, returned, cosigner=name, scripts=scripts)
    return made


@pytest.mark.parametrize("script_type", SCRIPTS)
def test_a_review_knows_a_rehearsal_by_the_vault_alone(script_type: ScriptType, tmp_path: Path) -> None:
    vault = simulated_vault(script_type=script_type)
    rehearsal = Rehearsal.of(vault, 3)
    answer = run_review(tmp_path, rehearsal.psbt, vault).json
    assert (answer["verdict"], answer["purpose"]) == ("clean", "rehearsal")
    assert [one["code"] for one in answer["findings"]] == ["REHEARSAL"]
    assert [one["kind"] for one in answer["outputs"]] == ["self", "change"]
    file, vault_file = write_files(tmp_path, rehearsal.psbt, vault)
    shown = run(["psbt", "review", file, "--vault-file", vault_file]).stdout
    assert shown.startswith("Rehearsal of vault reserve")
    assert "nothing can be spent by it" in shown


def test_each_vault_and_each_number_has_a_rehearsal_of_its_own() -> None:
    two, three = simulated_vault(2, 3), simulated_vault(3, 3)
    txids = {Rehearsal.of(vault, number).unsigned_txid for vault in (two, three) for number in (1, 2, 2**31 - 1)}
    assert len(txids) == 6
    assert Rehearsal.of(two, 1) == Rehearsal.of(two, 1)
    assert rehearsal_number(Rehearsal.of(two, 2).psbt, two) == 2
    assert rehearsal_number(Rehearsal.of(two, 2).psbt, three) is None
    for number in (0, -1, 2**31):
        with pytest.raises(InvalidInput) as refused:
            Rehearsal.of(two, number)
        assert refused.value.code is Code.INDEX_OUT_OF_RANGE


def test_no_chain_takes_the_previous_transaction_nor_the_rehearsal(tmp_path: Path) -> None:
    if not kernel.is_available():
        pytest.skip("libbitcoinkernel is missing on this Python: no embedded chain")
    vault = simulated_vault()
    rehearsal = Rehearsal.of(vault, 1)
    previous = rehearsal.psbt.inputs[0].non_witness_utxo
    assert previous is not None
    assert is_impossible(previous)
    with EmbeddedBackend(tmp_path / "chain", Network.REGTEST) as chain:
        chain.mine(1, b"\x51", first_time=1_767_225_600)
        for raw in (previous.serialize(), rehearsal.psbt.unsigned_transaction().serialize()):
            assert chain.test_accept(raw).allowed is False


@pytest.mark.parametrize(
    ("inputs", "impossible"),
    [
        ((NULL_OUTPOINT,), False),  # a coinbase
        ((OutPoint("11" * 32, 0),), False),
        ((OutPoint("11" * 32, 0), NULL_OUTPOINT), True),
        ((NULL_OUTPOINT, OutPoint("11" * 32, 0)), True),
        ((OutPoint("11" * 32, 0), OutPoint("00" * 32, 0)), False),
        ((OutPoint("11" * 32, 0), OutPoint("11" * 32, 0xFFFFFFFF)), False),
    ],
)
def test_impossible_is_a_null_outpoint_beside_another_input(inputs: tuple[OutPoint, ...], impossible: bool) -> None:
    made = Transaction(2, tuple(TxInput(one) for one in inputs), (TxOutput(Sats(1), b"\x51"),), 0)
    assert is_impossible(made) is impossible


def test_a_rehearsal_bent_in_any_part_is_refused() -> None:
    vault = simulated_vault()
    good = Rehearsal.of(vault, 1).psbt
    first, second = good.outputs
    bent = [
        replace(good, tx_version=1),
        replace(good, fallback_locktime=7),
        replace(good, inputs=good.inputs[:1], outputs=good.outputs[1:]),
        replace(good, inputs=good.inputs[::-1]),
        replace(good, inputs=(replace(good.inputs[0], stated_sequence=0xFFFFFFFE), good.inputs[1])),
        replace(good, outputs=(replace(first, value=Sats(first.value - 1)), second)),
        replace(good, outputs=(replace(first, script_pubkey=b"\x00\x14" + b"\x07" * 20), second)),
    ]
    for psbt in bent:
        answer = review_psbt(Psbt.parse(psbt.serialize()), vault, ReviewContext())
        assert (answer.verdict, answer.purpose) == (Verdict.REFUSED, Purpose.PAYMENT)
        assert Code.REHEARSAL_ALTERED in {finding.code for finding in answer.findings}


def test_a_payment_with_a_coin_that_cannot_exist_is_refused() -> None:
    vault = simulated_vault()
    unreal = Rehearsal.of(vault, 1).psbt.inputs[0]
    real = payment(vault)
    mixed = replace(real, inputs=(*real.inputs, unreal))
    answer = review_psbt(mixed, vault, ReviewContext())
    (finding,) = [one for one in answer.findings if one.code is Code.REHEARSAL_ALTERED]
    assert (finding.where, answer.purpose) == ("input:1", Purpose.PAYMENT)


def test_another_vaults_rehearsal_is_refused() -> None:
    vault, other = simulated_vault(), simulated_vault(3, 5)
    answer = review_psbt(Rehearsal.of(other, 1).psbt, vault, ReviewContext())
    assert answer.verdict is Verdict.REFUSED
    assert {Code.FOREIGN_INPUT, Code.REHEARSAL_ALTERED} <= {one.code for one in answer.findings}


def test_a_payment_never_counts_as_a_rehearsal() -> None:
    vault = simulated_vault()
    answer = review_psbt(payment(vault), vault, ReviewContext())
    assert answer.purpose is Purpose.PAYMENT
    false_previous = with_coin(Rehearsal.of(vault, 1).psbt, non_witness_utxo=own_input(vault, 0, 0).non_witness_utxo)
    unproven = review_psbt(false_previous, vault, ReviewContext())
    assert (unproven.purpose, unproven.verdict) == (Purpose.PAYMENT, Verdict.REFUSED)


def test_a_signed_rehearsal_is_never_finalized(tmp_path: Path) -> None:
    vault = simulated_vault()
    signed = Rehearsal.of(vault, 1).psbt.serialize()
    for number in (1, 2):
        signed = SimulatedDevice(number, vault).sign(signed)
    with pytest.raises(InvalidInput) as refused:
        finalize_file(Psbt.parse(signed), vault, ReviewContext())
    assert refused.value.code is Code.REHEARSAL
    file, vault_file = write_files(tmp_path, signed, vault)
    out = tmp_path / "out.txn"
    result = run(["psbt", "finalize", file, "--vault-file", vault_file, "-o", out, "--json"])
    assert (result.exit_code, result.error["error"], out.exists()) == (6, "REHEARSAL", False)


@pytest.mark.parametrize("script_type", SCRIPTS)
@pytest.mark.parametrize(("threshold", "count"), [(1, 1), (2, 3), (3, 5)])
def test_every_combination_of_keys_is_verified(threshold: int, count: int, script_type: ScriptType) -> None:
    vault = simulated_vault(threshold, count, script_type)
    rehearsal = Rehearsal.of(vault, 1)
    made = signed_by(vault, rehearsal, *range(1, count + 1))
    found = verify_combinations(vault, rehearsal, made, rehearsal_scripts(vault, rehearsal), no_progress)
    assert found.verified == len(list(combinations(range(count), threshold))) == found.of_vault
    assert found.is_complete
    assert found.kernel_verified is kernel.is_available()


def test_some_keys_are_no_complete_set() -> None:
    vault = simulated_vault(2, 3)
    rehearsal = Rehearsal.of(vault, 1)
    scripts = rehearsal_scripts(vault, rehearsal)
    one = verify_combinations(vault, rehearsal, signed_by(vault, rehearsal, 1), scripts, no_progress)
    two = verify_combinations(vault, rehearsal, signed_by(vault, rehearsal, 1, 3), scripts, no_progress)
    assert [(found.verified, found.of_vault, found.is_complete) for found in (one, two)] == [
        (0, 3, False),
        (1, 3, False),
    ]


def test_a_signature_that_does_not_hold_fails_whatever_the_combination() -> None:
    vault = simulated_vault(2, 3)
    rehearsal = Rehearsal.of(vault, 1)
    made = signed_by(vault, rehearsal, 1, 2, 3)
    first, second = made["bo"]
    made["bo"] = (PartialSignature(first.public_key, second.signature), second)
    with pytest.raises(CheckFailed) as refused:
        verify_combinations(vault, rehearsal, made, rehearsal_scripts(vault, rehearsal), no_progress)
    assert (refused.value.code, "`bo` on input 0" in refused.value.message) == (Code.BAD_SIGNATURE, True)


def test_what_comes_back_unsigned_or_signed_by_somebody_else_is_no_proof() -> None:
    vault = simulated_vault(2, 3)
    rehearsal = Rehearsal.of(vault, 1)
    scripts = rehearsal_scripts(vault, rehearsal)
    by_bo = Psbt.parse(SimulatedDevice(2, vault).sign(rehearsal.psbt.serialize()))
    half = replace(by_bo, inputs=(by_bo.inputs[0], rehearsal.psbt.inputs[1]))
    for returned, cosigner, place in ((rehearsal.psbt, "ann", 0), (by_bo, "ann", 0), (half, "bo", 1)):
        with pytest.raises(DeviceUnavailable) as refused:
            signatures_of(vault, rehearsal, returned, cosigner=cosigner, scripts=scripts)
        assert refused.value.code is Code.DEVICE_NO_SIGNATURE
        assert f"input {place}" in refused.value.message
    other = Psbt.parse(SimulatedDevice(1, vault).sign(Rehearsal.of(vault, 2).psbt.serialize()))
    with pytest.raises(CheckFailed) as different:
        signatures_of(vault, rehearsal, other, cosigner="ann", scripts=scripts)
    assert different.value.code is Code.DIFFERENT_TRANSACTION


def test_a_rehearsal_is_complete_for_every_device() -> None:
    vault = simulated_vault(2, 3)
    psbt = Psbt.parse(base64.b64decode(Rehearsal.of(vault, 1).psbt.to_base64()))
    assert psbt.version == 0
    assert {len(one.derivations) for one in psbt.inputs} == {3}
    assert all(one.non_witness_utxo and one.witness_utxo and one.witness_script for one in psbt.inputs)
    assert len(psbt.global_xpubs) == 3
    change = own_output(vault, 1, 1, 398_000)
    assert psbt.outputs[1].script_pubkey == change.script_pubkey
    assert psbt.outputs[1].derivations == change.derivations
    assert psbt.outputs[0].derivations == ()


def recorded(*entries: tuple[str, SignedRehearsal]) -> Signers:
    """Return what a journal with these entries says."""
    return Signers({name: SignerRecord(rehearsals=(signed,)) for name, signed in entries})


def test_recorded_rehearsals_are_verified_again() -> None:
    vault = simulated_vault(2, 3)
    rehearsal = Rehearsal.of(vault, 1)
    made = signed_by(vault, rehearsal, 1, 2)
    ann, bo = (
        SignedRehearsal(1, rehearsal.unsigned_txid, tuple((one.public_key, one.signature) for one in made[name]), seq)
        for seq, name in enumerate(("ann", "bo"), 5)
    )
    assert rehearsal_findings(vault, recorded(("ann", ann), ("bo", bo))) == ()
    (key, signature), second = ann.signatures
    for wrong, words in (
        (bo, "not by the cosigner's keys"),
        (replace(ann, signatures=((key, second[1]), second)), "the signature on input 0 does not hold"),
        (replace(ann, signatures=((key, signature),)), "not by the cosigner's keys"),
        (replace(ann, number=2), "it names transaction"),
        (replace(ann, unsigned_txid="00" * 32), "it names transaction"),
        (replace(ann, number=2**31), "no such rehearsal"),
    ):
        (finding,) = rehearsal_findings(vault, recorded(("ann", wrong)))
        assert (finding.code, finding.where, words in finding.message) == (Code.BAD_SIGNATURE, "cosigner:ann", True)


def test_a_single_key_may_give_back_a_finished_transaction() -> None:
    vault = simulated_vault(1, 1)
    rehearsal = Rehearsal.of(vault, 1)
    scripts = rehearsal_scripts(vault, rehearsal)
    signed = Psbt.parse(SimulatedDevice(1, vault).sign(rehearsal.psbt.serialize()))
    raw = Transaction.parse(extract(finalize(signed, scripts)).serialize())
    assert rehearsal_of_file(vault, Signers(), "ann", raw) == rehearsal
    assert len(signatures_of(vault, rehearsal, raw, cosigner="ann", scripts=scripts)) == 2


def test_a_signer_with_a_pin_may_review_a_rehearsal_without_approvals() -> None:
    vault = simulated_vault()
    clean = review_bare_psbt(Rehearsal.of(vault, 1).psbt, vault, ReviewContext())
    assert (clean.purpose, clean.verdict) == (Purpose.REHEARSAL, Verdict.CLEAN)
    refused = review_bare_psbt(payment(vault), vault, ReviewContext())
    assert Code.APPROVALS_MISSING in {one.code for one in refused.findings}
