"""Taking signatures, finalizing and extracting, for both scripts of a vault."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from custody.bitcoin import kernel
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.psbt import PartialSignature, Psbt, PsbtInput, RawField
from custody.bitcoin.psbt_roles import extract, finalize, take_signatures, verify_input_signatures
from custody.bitcoin.psbt_version import to_version
from custody.bitcoin.sighash import SegwitV0Hasher
from custody.bitcoin.signatures import InputSignatures, SpendScript
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput, NotYet
from support.psbt_builder import EXTERNAL_SCRIPT, Change, Coin, Pay, Payment, TestVault, high_s, sign_digest

COINS = [Coin(0, 7, 1_000_000), Coin(1, 3, 500_000, segwit_funding=True)]
OUTPUTS = [Pay(EXTERNAL_SCRIPT, 600_000), Change(3, 890_000)]
PAYMENT = TestVault().payment(COINS, OUTPUTS)
NESTED = TestVault(script_type=ScriptType.SH_WSH_SORTEDMULTI).payment(COINS, OUTPUTS)
BOTH = pytest.mark.parametrize("payment", [PAYMENT, NESTED], ids=["wsh", "sh-wsh"])


def judge(psbt: Psbt, index: int = 0, payment: Payment = PAYMENT) -> InputSignatures:
    """Judge one input with the vault's own script and value."""
    script = payment.scripts[index]
    hasher = SegwitV0Hasher(psbt.unsigned_transaction())
    return verify_input_signatures(
        psbt, index, script.witness_script, script.value, hasher, redeem_script=script.redeem_script
    )


def codes(psbt: Psbt, index: int = 0, payment: Payment = PAYMENT) -> list[Code]:
    """Return the codes of one input's findings."""
    return [finding.code for finding in judge(psbt, index, payment).findings]


def with_signature(bend: Callable[[bytes], bytes]) -> Psbt:
    """Return a PSBT whose only signature on input 0 was bent."""
    psbt = PAYMENT.signed(0, inputs=[0])
    entry = psbt.inputs[0].partial_signatures[0]
    return edit(psbt, partial_signatures=(replace(entry, signature=bend(entry.signature)),))


def edit(psbt: Psbt, **changes: object) -> Psbt:
    """Return the PSBT with other values in input 0."""
    return psbt.with_input(0, replace(psbt.inputs[0], **changes))  # type: ignore[arg-type]


@BOTH
def test_valid_signatures_are_counted_in_script_order(payment: Payment) -> None:
    judged = judge(payment.signed(4, 0, 2), 1, payment)
    assert judged.findings == ()
    assert list(judged.valid) == sorted(payment.public_key(1, number) for number in (0, 2, 4))


def test_unsigned_input_has_nothing_to_say() -> None:
    assert judge(PAYMENT.psbt) == InputSignatures(0, (), ())


@pytest.mark.parametrize("asked", [0, 2, 3, 0x81, 0x82, 0x83, 4, 0x101])
def test_a50_sighash_field_other_than_all(asked: int) -> None:
    assert codes(edit(PAYMENT.psbt, sighash_type=asked)) == [Code.SIGHASH_NOT_ALL]


@pytest.mark.parametrize("used", [0, 2, 3, 0x81, 0x82, 0x83])
@pytest.mark.parametrize("field", [None, 1])
def test_a51_valid_signature_of_another_type(used: int, field: int | None) -> None:
    signed = PAYMENT.signed(0, inputs=[0], sighash=used)
    assert codes(edit(signed, sighash_type=field)) == [Code.SIGHASH_MISMATCH]


def test_a52_every_flipped_bit_of_a_signature_is_noticed() -> None:
    length = len(PAYMENT.signature(0, 0))
    for place in range(length):
        bent = with_signature(lambda sig, at=place: sig[:at] + bytes((sig[at] ^ 1,)) + sig[at + 1 :])  # type: ignore[misc]
        assert judge(bent).valid == ()
        assert len(codes(bent)) == 1


def test_a52_signature_filed_under_another_cosigner() -> None:
    moved = PartialSignature(PAYMENT.public_key(0, 1), PAYMENT.signature(0, 0))
    assert codes(edit(PAYMENT.psbt, partial_signatures=(moved,))) == [Code.BAD_SIGNATURE]


def test_a52_signatures_of_two_inputs_swapped() -> None:
    swapped = PartialSignature(PAYMENT.public_key(0, 0), PAYMENT.signature(1, 0))
    assert codes(edit(PAYMENT.psbt, partial_signatures=(swapped,))) == [Code.BAD_SIGNATURE]


def test_a52_signature_over_another_amount() -> None:
    other = PartialSignature(PAYMENT.public_key(0, 0), PAYMENT.signature(0, 0, value=1_000_001))
    assert codes(edit(PAYMENT.psbt, partial_signatures=(other,))) == [Code.BAD_SIGNATURE]


def test_a53_valid_signature_by_a_stranger() -> None:
    stranger = TestVault(first_seed=50)
    script = PAYMENT.scripts[0]
    digest = SegwitV0Hasher(PAYMENT.psbt.unsigned_transaction()).digest(0, script.witness_script, script.value)
    entry = PartialSignature(stranger.at(0, 7).key_by_cosigner[0], sign_digest(stranger, 0, COINS[0], digest) + b"\x01")
    assert codes(edit(PAYMENT.psbt, partial_signatures=(entry,))) == [Code.SIGNER_NOT_MEMBER]


def test_a54_high_s() -> None:
    assert codes(with_signature(high_s)) == [Code.SIG_NOT_LOW_S]


@pytest.mark.parametrize(
    "bend",
    [
        lambda sig: sig[:-1] + b"\x00" + sig[-1:],
        lambda sig: sig[:1] + bytes((sig[1] + 1,)) + sig[2:-1] + b"\x00" + sig[-1:],
        lambda sig: sig[4:36] + b"\x01",
        lambda sig: b"\x01",
        lambda sig: b"",
    ],
    ids=["extra byte", "padded", "raw", "sighash alone", "empty"],
)
def test_a54_not_der(bend: Callable[[bytes], bytes]) -> None:
    assert codes(with_signature(bend)) == [Code.SIG_NOT_DER]


@BOTH
def test_a56_sound_final_witness_counts(payment: Payment) -> None:
    final = finalize(payment.signed(0, 2, 4), payment.scripts)
    assert list(judge(final, 0, payment).valid) == sorted(payment.public_key(0, number) for number in (0, 2, 4))


@pytest.mark.parametrize(
    "bend",
    [
        lambda items: (),
        lambda items: items[:-1],
        lambda items: (b"\x00", *items[1:]),
        lambda items: items[1:],
        lambda items: (*items[:2], b"", *items[3:]),
        lambda items: (items[0], items[2], items[1], *items[3:]),
        lambda items: (items[0], items[1], items[1], *items[3:]),
        lambda items: (*items[:-1], items[-1] + b"\x61"),
        lambda items: (*items[:-1], TestVault().at(0, 8).witness_script),
        lambda items: (*items, b""),
        lambda items: (b"", b"", *items[1:]),
    ],
)
def test_a56_junk_final_witness(bend: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> None:
    items = bend(PAYMENT.final_witness(0, 0, 2, 4))
    judged = judge(edit(PAYMENT.psbt, final_script_witness=items))
    assert judged.valid == ()
    assert [finding.code for finding in judged.findings] in ([Code.BAD_FINAL_WITNESS], [Code.SIG_NOT_DER])


@pytest.mark.parametrize("script_sig", [b"\x00", b"\x22" + NESTED.scripts[0].witness_script[:34]])
def test_a56_final_scriptsig_of_another_script(script_sig: bytes) -> None:
    final = finalize(NESTED.signed(0, 2, 4), NESTED.scripts)
    assert codes(edit(final, final_script_sig=script_sig), 0, NESTED) == [Code.BAD_FINAL_WITNESS]
    assert codes(edit(final, final_script_sig=None), 0, NESTED) == [Code.BAD_FINAL_WITNESS]
    native = finalize(PAYMENT.signed(0, 2, 4), PAYMENT.scripts)
    assert codes(edit(native, final_script_sig=script_sig)) == [Code.BAD_FINAL_WITNESS]


def test_a51_final_witness_with_a_signature_of_another_type() -> None:
    items = list(PAYMENT.final_witness(0, 0, 2, 4))
    cosigner = next(number for number in (0, 2, 4) if PAYMENT.signature(0, number) == items[1])
    items[1] = PAYMENT.signature(0, cosigner, sighash=0x83)
    assert codes(edit(PAYMENT.psbt, final_script_witness=tuple(items))) == [Code.SIGHASH_MISMATCH]


def test_script_that_is_no_multisig_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        SpendScript(b"\x51", PAYMENT.scripts[0].value)
    assert refused.value.code is Code.SCRIPT_INVALID


def sources(payment: Payment) -> list[Psbt | Transaction]:
    """Return the forms in which the signatures of cosigners 0, 2 and 4 can come back."""
    signed = payment.signed(0, 2, 4)
    return [signed, to_version(signed, 2), finalize(signed, payment.scripts), payment.finalized(0, 2, 4)]


@BOTH
@pytest.mark.parametrize("form", range(4), ids=["psbt", "psbt-2", "final-psbt", "raw"])
@pytest.mark.parametrize("version", [0, 2])
def test_signatures_are_taken_from_every_form(payment: Payment, form: int, version: int) -> None:
    master = to_version(payment.psbt, version)
    taken, notes = take_signatures(master, sources(payment)[form], payment.scripts)
    assert notes == ()
    assert taken == to_version(payment.signed(0, 2, 4), version)


def test_signatures_of_several_files_add_up() -> None:
    first, _ = take_signatures(PAYMENT.psbt, PAYMENT.signed(3), PAYMENT.scripts)
    second, _ = take_signatures(first, PAYMENT.signed(0, 3), PAYMENT.scripts)
    third, _ = take_signatures(second, PAYMENT.signed(1, inputs=[1]), PAYMENT.scripts)
    assert [len(one.partial_signatures) for one in third.inputs] == [2, 3]
    assert Psbt.parse(third.serialize()) == third


def test_raw_transaction_with_fewer_signatures_than_the_threshold_gives_those() -> None:
    raw = PAYMENT.finalized(0, 2, 4)
    partly = replace(raw.inputs[0], witness=(b"", raw.inputs[0].witness[1], b"", b"", raw.inputs[0].witness[-1]))
    bare = replace(raw.inputs[1], witness=())
    taken, _ = take_signatures(PAYMENT.psbt, replace(raw, inputs=(partly, bare)), PAYMENT.scripts)
    assert [len(one.partial_signatures) for one in taken.inputs] == [1, 0]


def test_second_valid_signature_of_a_key_changes_nothing() -> None:
    master = PAYMENT.signed(0, 1, 2, 3, 4, inputs=[0])
    ours = master.inputs[0].partial_signatures
    theirs = tuple(
        PartialSignature(PAYMENT.public_key(0, number), PAYMENT.signature(0, number, grind=True)) for number in range(5)
    )
    assert set(theirs) - set(ours)
    taken, _ = take_signatures(master, edit(master, partial_signatures=theirs), PAYMENT.scripts)
    assert taken == master


def test_trimmed_file_is_enough() -> None:
    signed = PAYMENT.signed(1)
    trimmed = replace(
        signed,
        global_xpubs=(),
        inputs=tuple(
            PsbtInput(one.outpoint, one.stated_sequence, partial_signatures=one.partial_signatures)
            for one in signed.inputs
        ),
        outputs=tuple(replace(one, witness_script=None, derivations=()) for one in signed.outputs),
    )
    taken, notes = take_signatures(PAYMENT.psbt, trimmed, PAYMENT.scripts)
    assert (taken, notes) == (signed, ())


def test_a58_added_fields_are_ignored_and_noted() -> None:
    signed = PAYMENT.signed(1)
    fuller = edit(signed, sighash_type=1, unknown=(RawField(b"\xfc\x03abc\x00", b"x"),))
    fuller = replace(fuller, unknown=(RawField(b"\xf0", b"y"),))
    taken, notes = take_signatures(PAYMENT.psbt, fuller, PAYMENT.scripts)
    assert taken == signed
    assert [note.code for note in notes] == [Code.COMBINE_FIELDS_IGNORED]
    assert notes[0].message.startswith("3 field(s)")


OTHER = PAYMENT.vault.at(0, 99)


@pytest.mark.parametrize(
    "changes",
    [
        {"witness_script": OTHER.witness_script},
        {"witness_utxo": PAYMENT.psbt.inputs[1].witness_utxo},
        {"non_witness_utxo": PAYMENT.psbt.inputs[1].non_witness_utxo},
        {
            "derivations": (
                replace(PAYMENT.psbt.inputs[0].derivations[0], origin=PAYMENT.psbt.inputs[1].derivations[0].origin),
            )
        },
        {"sighash_type": 3},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a58_changed_input_fields_refuse_the_file(changes: dict[str, object]) -> None:
    master = edit(PAYMENT.psbt, sighash_type=1)
    refused = _refused(master, edit(edit(PAYMENT.signed(1), sighash_type=1), **changes))
    assert refused.code is Code.COMBINE_NON_SIGNATURE_CHANGE


def test_a58_changed_output_and_global_fields_refuse_the_file() -> None:
    signed = PAYMENT.signed(1)
    output = replace(signed.outputs[1], witness_script=OTHER.witness_script)
    assert _refused(PAYMENT.psbt, signed.with_output(1, output)).code is Code.COMBINE_NON_SIGNATURE_CHANGE
    first, *rest = signed.global_xpubs
    lie = replace(first, origin=replace(first.origin, fingerprint=b"\x01\x02\x03\x04"))
    assert _refused(PAYMENT.psbt, replace(signed, global_xpubs=(lie, *rest))).code is Code.COMBINE_NON_SIGNATURE_CHANGE
    master = replace(PAYMENT.psbt, unknown=(RawField(b"\xf0", b"ours"),))
    theirs = replace(signed, unknown=(RawField(b"\xf0", b"theirs"),))
    assert _refused(master, theirs).code is Code.COMBINE_NON_SIGNATURE_CHANGE


def test_signer_may_clear_modifiable_flags_and_set_none() -> None:
    master = replace(to_version(PAYMENT.psbt, 2), tx_modifiable=3)
    returned = to_version(PAYMENT.signed(1), 2)
    taken, _ = take_signatures(master, replace(returned, tx_modifiable=0), PAYMENT.scripts)
    assert taken.tx_modifiable == 3
    assert _refused(master, replace(returned, tx_modifiable=7)).code is Code.COMBINE_NON_SIGNATURE_CHANGE


@pytest.mark.parametrize("what", ["payee", "sequence", "locktime", "version", "order"])
def test_a57_different_transaction(what: str) -> None:
    psbt = PAYMENT.psbt
    other = {
        "payee": psbt.with_output(0, replace(psbt.outputs[0], script_pubkey=OTHER.script_pubkey)),
        "sequence": edit(psbt, stated_sequence=0),
        "locktime": replace(psbt, fallback_locktime=1),
        "version": replace(psbt, tx_version=1),
        "order": replace(psbt, outputs=psbt.outputs[::-1]),
    }[what]
    assert _refused(psbt, PAYMENT.with_psbt(other).signed(0)).code is Code.DIFFERENT_TRANSACTION
    assert _refused(psbt, PAYMENT.with_psbt(other).finalized(0, 1, 2)).code is Code.DIFFERENT_TRANSACTION


def _refused(master: Psbt, returned: Psbt | Transaction, payment: Payment = PAYMENT) -> CheckFailed:
    with pytest.raises(CheckFailed) as refused:
        take_signatures(master, returned, payment.scripts)
    return refused.value


def test_one_invalid_signature_refuses_the_whole_file() -> None:
    bad = PAYMENT.signed(0, 1, 2)
    entry = bad.inputs[1].partial_signatures[2]
    lie = replace(entry, signature=PAYMENT.signature(0, 0))
    entries = (*bad.inputs[1].partial_signatures[:2], lie)
    refused = _refused(PAYMENT.psbt, bad.with_input(1, replace(bad.inputs[1], partial_signatures=entries)))
    assert refused.code is Code.BAD_SIGNATURE
    assert "input:1" in refused.message


def test_invalid_signature_in_the_master_is_noticed() -> None:
    entry = PartialSignature(PAYMENT.public_key(0, 1), PAYMENT.signature(0, 0))
    assert _refused(edit(PAYMENT.psbt, partial_signatures=(entry,)), PAYMENT.signed(2)).code is Code.BAD_SIGNATURE


@pytest.mark.parametrize("returned", [PAYMENT.psbt, PAYMENT.psbt.unsigned_transaction()], ids=["psbt", "raw"])
def test_file_without_signatures_is_an_error(returned: Psbt | Transaction) -> None:
    with pytest.raises(NotYet) as refused:
        take_signatures(PAYMENT.psbt, returned, PAYMENT.scripts)
    assert refused.value.code is Code.NO_SIGNATURES


@BOTH
def test_finalizing_gives_the_transaction_that_the_vault_would_build(payment: Payment) -> None:
    transaction = extract(finalize(payment.signed(4, 2, 0), payment.scripts))
    assert transaction == payment.finalized(0, 2, 4)
    assert Transaction.parse(transaction.serialize()) == transaction


@BOTH
def test_of_more_signatures_than_needed_the_first_in_script_order_are_used(payment: Payment) -> None:
    final = finalize(payment.signed(0, 1, 2, 3, 4), payment.scripts)
    for index, one in enumerate(final.inputs):
        chosen = sorted(range(5), key=lambda number, at=index: payment.public_key(at, number))[:3]  # type: ignore[misc]
        assert one.final_script_witness == payment.final_witness(index, *chosen)


def test_finalizing_keeps_unknown_fields_and_utxos_and_clears_the_rest() -> None:
    signed = edit(PAYMENT.signed(0, 1, 2), unknown=(RawField(b"\xf0", b"kept"),), sighash_type=1)
    final = finalize(signed, PAYMENT.scripts).inputs[0]
    assert final.unknown == (RawField(b"\xf0", b"kept"),)
    assert final.non_witness_utxo == PAYMENT.psbt.inputs[0].non_witness_utxo
    assert (final.derivations, final.partial_signatures, final.witness_script, final.sighash_type) == (
        (),
        (),
        None,
        None,
    )


def test_finalizing_twice_changes_nothing() -> None:
    once = finalize(PAYMENT.signed(0, 1, 2), PAYMENT.scripts)
    assert finalize(once, PAYMENT.scripts) == once


def test_finalizing_demands_the_threshold_on_every_input() -> None:
    two = PAYMENT.signed(0, 1)
    third = PAYMENT.with_psbt(two).signed(2, inputs=[0])
    with pytest.raises(NotYet) as refused:
        finalize(third, PAYMENT.scripts)
    assert refused.value.code is Code.SIGNATURES_MISSING
    assert "input 1 lacks 1" in refused.value.message


def test_finalizing_refuses_an_invalid_signature_among_enough_valid_ones() -> None:
    psbt = PAYMENT.signed(0, 1, 2)
    bad = PartialSignature(PAYMENT.public_key(0, 3), PAYMENT.signature(0, 0))
    with pytest.raises(CheckFailed) as refused:
        finalize(edit(psbt, partial_signatures=(*psbt.inputs[0].partial_signatures, bad)), PAYMENT.scripts)
    assert refused.value.code is Code.BAD_SIGNATURE


def test_extracting_demands_final_inputs() -> None:
    final = finalize(PAYMENT.signed(0, 1, 2), PAYMENT.scripts)
    with pytest.raises(NotYet):
        extract(edit(final, final_script_witness=None))
    with pytest.raises(InvalidInput):
        extract(replace(final, inputs=()))


@pytest.mark.skipif(not kernel.is_available(), reason="libbitcoinkernel has no build for this Python")
@BOTH
def test_bitcoin_cores_interpreter_agrees(payment: Payment) -> None:
    transaction = extract(finalize(payment.signed(0, 2, 4), payment.scripts))
    kernel.verify_scripts(transaction.serialize(), payment.spent_outputs)
    first, *rest = transaction.inputs
    lie = replace(transaction, inputs=(replace(first, witness=(b"", *first.witness[:0:-1])), *rest))
    with pytest.raises(CheckFailed) as refused:
        kernel.verify_scripts(lie.serialize(), payment.spent_outputs)
    assert refused.value.code is Code.BAD_FINAL_WITNESS
    with pytest.raises(CheckFailed):
        kernel.verify_scripts(transaction.serialize(), payment.spent_outputs[::-1])


@pytest.mark.skipif(not kernel.is_available(), reason="libbitcoinkernel has no build for this Python")
def test_bitcoin_cores_interpreter_is_asked_about_transactions_only() -> None:
    with pytest.raises(InvalidInput):
        kernel.verify_scripts(b"junk", [])
    with pytest.raises(InvalidInput):
        kernel.verify_scripts(PAYMENT.finalized(0, 1, 2).serialize(), PAYMENT.spent_outputs[:1])
