"""Published PSBT vectors: BIP 174, 370, 371, 373 and Bitcoin Core's list; and the roles of BIP 174's example."""

from dataclasses import replace
from typing import Any

import pytest

from custody.bitcoin.amount import Sats
from custody.bitcoin.psbt import Psbt, PsbtInput, psbt_from_text_or_bytes
from custody.bitcoin.psbt_checks import inspect_inputs
from custody.bitcoin.psbt_input import input_fields
from custody.bitcoin.psbt_roles import SpendScript, extract, finalize_input
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import InputSignatures, judge_input
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.codes import Code
from support.vector_verdicts_psbt import CHECKS, Verdicts
from support.vectors import load_vectors

EXPECTED: dict[str, Verdicts] = {
    "bip174.json": {"accepted": 10, "refused_unsupported": 0, "refused_invalid": 24, "wrong": 0},
    "bip370_psbtv2.json": {"accepted": 22, "refused_unsupported": 0, "refused_invalid": 25, "wrong": 0},
    "bip371_taproot_psbt.json": {"accepted": 0, "refused_unsupported": 17, "refused_invalid": 0, "wrong": 0},
    "bip373_musig2_psbt.json": {"accepted": 0, "refused_unsupported": 24, "refused_invalid": 0, "wrong": 0},
    "core_rpc_psbt.json": {"accepted": 24, "refused_unsupported": 54, "refused_invalid": 56, "wrong": 0},
}
SEGWIT_INPUT = 1
"""Input 0 of BIP 174's example is legacy P2SH, which is not built; input 1 is sh(wsh(multi(2,…)))."""


@pytest.mark.parametrize("name", list(CHECKS))
def test_every_published_psbt_gets_the_right_verdict(name: str) -> None:
    verdicts = CHECKS[name]()
    assert verdicts["wrong"] == 0
    assert verdicts == EXPECTED[name]


def _step(name: str) -> dict[str, Any]:
    steps: list[dict[str, Any]] = load_vectors("bip174.json")["workflow"]
    return next(step for step in steps if step["step"] == name)


def _psbt(name: str) -> Psbt:
    return psbt_from_text_or_bytes(_step(name)["base64"].encode())


def _script() -> SpendScript:
    """Return the script of the segwit input, as an updater gave it to the example."""
    updated = _psbt("update").inputs[SEGWIT_INPUT]
    assert updated.witness_script is not None and updated.witness_utxo is not None
    return SpendScript(updated.witness_script, Sats(updated.witness_utxo.value), updated.redeem_script)


def _judge(psbt: Psbt, psbt_input: PsbtInput) -> InputSignatures:
    return judge_input(psbt_input, SEGWIT_INPUT, _script(), SegwitV0Hasher(psbt.unsigned_transaction()))


def test_bip174_creator_makes_the_published_psbt() -> None:
    creator = load_vectors("core_rpc_psbt.json")["roles"]["creator"][0]
    inputs = tuple(TxInput(OutPoint(one["txid"], one["vout"])) for one in creator["inputs"])
    outputs = (
        TxOutput(Sats(149_990_000), bytes.fromhex("0014d85c2b71d0060b09c9886aeb815e50991dda124d")),
        TxOutput(Sats(100_000_000), bytes.fromhex("001400aea9a2e5f0f876a588df5546e8742d1d87008f")),
    )
    made = Psbt.create(Transaction(2, inputs, outputs, 0))
    assert made.to_base64() == creator["result"]
    assert made == _psbt("create")


@pytest.mark.parametrize("step", ["sign_a", "sign_b"])
def test_bip174_each_signers_signature_is_valid(step: str) -> None:
    signed = _psbt(step)
    judged = _judge(signed, signed.inputs[SEGWIT_INPUT])
    assert judged.findings == ()
    assert len(judged.valid) == 1


def test_bip174_combining_gives_both_signatures() -> None:
    first, second, combined = _psbt("sign_a"), _psbt("sign_b"), _psbt("combine")
    entries = (
        *first.inputs[SEGWIT_INPUT].partial_signatures,
        *second.inputs[SEGWIT_INPUT].partial_signatures,
    )
    mine = replace(first.inputs[SEGWIT_INPUT], partial_signatures=entries)
    assert len(_judge(combined, mine).valid) == 2
    legacy = replace(first.inputs[0], partial_signatures=combined.inputs[0].partial_signatures)
    # The example writes signatures in the order of their keys' hashes; the order of fields means nothing.
    assert [input_fields(one, 0) for one in (legacy, mine)] == [input_fields(one, 0) for one in combined.inputs]
    assert first.outputs == combined.outputs


def test_bip174_finalizer_makes_the_published_input() -> None:
    combined, final = _psbt("combine"), _psbt("finalize")
    own = combined.inputs[SEGWIT_INPUT]
    made = finalize_input(own, _judge(combined, own), _script())
    assert combined.with_input(0, final.inputs[0]).with_input(SEGWIT_INPUT, made).serialize() == final.serialize()
    assert _judge(final, made).findings == ()


def test_bip174_extractor_makes_the_published_transaction() -> None:
    assert extract(_psbt("finalize")).serialize().hex() == _step("extract_tx")["hex"]


def test_bip174_unknown_fields_are_kept_to_the_byte() -> None:
    combined = _psbt("unknown_combined")
    assert [len(part.unknown) for part in (combined, *combined.inputs, *combined.outputs)] == [2, 2, 2]
    assert combined.serialize().hex() == _step("unknown_combined")["hex"]


def test_bip174_signer_refuses_a_witness_script_that_is_not_the_redeem_scripts() -> None:
    # The file's own fourth row of `signer_must_fail` repeats the PSBT of unknown fields; this is the case it names.
    updated = _psbt("update")
    own = updated.inputs[SEGWIT_INPUT]
    assert inspect_inputs(updated) == ()
    lie = updated.with_input(SEGWIT_INPUT, replace(own, witness_script=(own.witness_script or b"") + b"\x61"))
    assert [finding.code for finding in inspect_inputs(lie)] == [Code.WITNESS_SCRIPT_MISMATCH]


def test_core_signer_results_parse_and_their_segwit_signatures_are_valid() -> None:
    rows = load_vectors("core_rpc_psbt.json")["roles"]["signer"][:2]
    for row in rows:
        result = psbt_from_text_or_bytes(row["result"].encode())
        before = psbt_from_text_or_bytes(row["psbt"].encode())
        assert result.unsigned_txid == before.unsigned_txid
        assert len(_judge(result, result.inputs[SEGWIT_INPUT]).valid) == 1


def test_core_extractor_makes_the_published_transaction() -> None:
    row = load_vectors("core_rpc_psbt.json")["roles"]["extractor"][0]
    assert extract(psbt_from_text_or_bytes(row["extract"].encode())).serialize().hex() == row["result"]


def test_final_transactions_parse_and_come_back() -> None:
    raw = bytes.fromhex(_step("extract_tx")["hex"])
    parsed = Transaction.parse(raw)
    rebuilt = replace(parsed, locktime=parsed.locktime)
    assert rebuilt.serialize() == raw
    assert rebuilt.serialize_without_witness() == parsed.serialize_without_witness()
