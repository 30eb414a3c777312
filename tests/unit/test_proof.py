"""Proofs as PSBTs: complete for devices, the same bytes each time, signed, finished and verified as a stranger does."""

import base64
from dataclasses import replace

import pytest
import wallycore  # type: ignore[import-untyped, unused-ignore]
from embit import ec

from custody.bitcoin.amount import Sats
from custody.bitcoin.bip127 import commitment_outpoint, verify_bip127
from custody.bitcoin.bip322 import MessageForm, MessageVerdict, verify_message
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.hashing import sha256
from custody.bitcoin.psbt import Psbt, PsbtInput
from custody.bitcoin.psbt_version import to_version
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, InvalidInput, NotYet, SecretRefused
from custody.spend.proof import bip127_proof, finish_bip127, finish_message, message_proof, take_signatures
from custody.spend.proof_model import NamedBlock, ProofKind
from custody.spend.review import review
from custody.spend.review_model import Place, Purpose, ReviewContext, Verdict
from custody.workflow.review_bundle import review_bare_psbt
from custody_hardware.simulator import SimulatedDevice
from support.proofs import KINDS, MESSAGE, PLACE, outputs_of, proof_coin, proof_of, signed_by, two_coins
from support.review_cases import payment, sign, simulated_vault

KEY_TEXT = str(ec.PrivateKey(bytes([7]) * 32).wif())
SCRIPTS = [ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI]
FORMS = {
    (ScriptType.WSH_SORTEDMULTI, "one address"): MessageForm.SIMPLE,
    (ScriptType.SH_WSH_SORTEDMULTI, "one address"): MessageForm.FULL,
    (ScriptType.WSH_SORTEDMULTI, "funds"): MessageForm.FUNDS,
    (ScriptType.SH_WSH_SORTEDMULTI, "funds"): MessageForm.FUNDS,
}


@pytest.mark.parametrize("script_type", SCRIPTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_is_complete_and_clean_and_its_bytes_follow_from_the_vault(kind: str, script_type: ScriptType) -> None:
    vault = simulated_vault(script_type=script_type)
    proof = proof_of(kind, vault)
    again = Psbt.parse(proof.serialize())
    answer = review(again, vault, ReviewContext())
    assert (answer.verdict, answer.purpose) == (Verdict.CLEAN, Purpose.PROOF)
    assert [finding.code for finding in answer.findings] == [Code.MESSAGE_PROOF]
    assert len(proof.global_xpubs) == 3
    for one in proof.inputs[1 if kind == "bip127" else 0 :]:
        assert one.non_witness_utxo is not None and one.witness_script is not None and len(one.derivations) == 3
    assert answer.proof is not None
    assert (answer.proof.message, answer.proof.coins) == (MESSAGE, 0 if kind == "one address" else 2)
    assert answer.proof.block == NamedBlock(900_001, "0f" * 32)
    if kind == "funds":
        assert message_proof(vault, PLACE, MESSAGE, two_coins(vault)[::-1]).serialize() == proof.serialize()
    assert proof_of(kind, vault).serialize() == proof.serialize()
    assert to_version(to_version(again, 2), 0).serialize() == proof.serialize()
    second = Psbt.parse(to_version(again, 2).serialize())
    assert (second.signed_message, second.inputs[0].por_commitment) == (
        proof.signed_message,
        proof.inputs[0].por_commitment,
    )


@pytest.mark.parametrize("script_type", SCRIPTS)
@pytest.mark.parametrize("kind", ["one address", "funds"])
def test_a_signed_message_verifies_by_address_alone_and_by_nothing_else(kind: str, script_type: ScriptType) -> None:
    vault = simulated_vault(script_type=script_type)
    proof = proof_of(kind, vault)
    script = vault.deriver.at(0, 3).script_pubkey
    coins = outputs_of(vault, two_coins(vault)) if kind == "funds" else {}
    with pytest.raises(NotYet) as missing:
        finish_message(vault, signed_by(vault, proof, 2))
    assert missing.value.code is Code.SIGNATURES_MISSING
    for pair in ((1, 2), (1, 3), (2, 3)):
        text = finish_message(vault, signed_by(vault, proof, *pair))
        result = verify_message(MESSAGE, script, text, outputs=coins)
        assert (result.verdict, result.form, set(result.funds)) == (
            MessageVerdict.VALID,
            FORMS[script_type, kind],
            set(coins),
        )
        assert not verify_message(MESSAGE + b".", script, text, outputs=coins).is_valid
        assert not verify_message(MESSAGE, vault.deriver.at(0, 4).script_pubkey, text, outputs=coins).is_valid
        other = simulated_vault(3, 5, script_type)
        assert not verify_message(MESSAGE, other.deriver.at(0, 3).script_pubkey, text, outputs=coins).is_valid


def test_the_text_of_a_proof_of_funds_tells_nothing_else_of_the_vault() -> None:
    vault = simulated_vault()
    text = finish_message(vault, signed_by(vault, proof_of("funds", vault), 1, 2))
    published = Psbt.parse(base64.b64decode(text.removeprefix("pof")))
    assert published.global_xpubs == ()
    assert all(one.non_witness_utxo is None and not one.derivations for one in published.inputs)


@pytest.mark.parametrize("script_type", SCRIPTS)
def test_a_bip127_proof_verifies_against_the_verifiers_own_coins(script_type: ScriptType) -> None:
    vault = simulated_vault(script_type=script_type)
    coins = two_coins(vault)
    known = outputs_of(vault, coins)
    made = finish_bip127(vault, signed_by(vault, proof_of("bip127", vault), 1, 3))
    assert made.inputs[0].outpoint.to_bytes()[:32] == sha256(b"Proof-of-Reserves: " + MESSAGE)
    assert [output.value for output in made.outputs] == [sum(coin.value for coin in coins)]
    assert verify_bip127(MESSAGE, made, outputs=known).verdict is MessageVerdict.VALID
    assert verify_bip127(MESSAGE + b"!", made, outputs=known).verdict is MessageVerdict.INVALID
    assert verify_bip127(MESSAGE, made, outputs={}).verdict is MessageVerdict.INCONCLUSIVE
    first = coins[0].outpoint
    lied = {**known, first: TxOutput(Sats(known[first].value + 1), known[first].script_pubkey)}
    assert verify_bip127(MESSAGE, made, outputs=lied).verdict is MessageVerdict.INVALID
    for broken in (
        replace(made, outputs=(*made.outputs, TxOutput(Sats(0), b"\x6a"))),
        replace(made, inputs=made.inputs[:1]),
        replace(made, inputs=(*made.inputs, made.inputs[1])),
        replace(made, inputs=(replace(made.inputs[0], script_sig=b"\x51"), *made.inputs[1:])),
        replace(made, inputs=(made.inputs[0], replace(made.inputs[1], witness=()), made.inputs[2])),
        replace(made, locktime=1),
    ):
        assert verify_bip127(MESSAGE, broken, outputs=known).verdict is MessageVerdict.INVALID


def test_a_bip127_commitment_is_read_in_either_byte_order() -> None:
    vault = simulated_vault()
    proof = proof_of("bip127", vault)
    turned = OutPoint(sha256(b"Proof-of-Reserves: " + MESSAGE).hex(), 0)
    assert turned != commitment_outpoint(MESSAGE)
    signed = signed_with_our_hasher(proof.with_input(0, replace(proof.inputs[0], outpoint=turned)), vault)
    assert verify_bip127(MESSAGE, finish_bip127(vault, signed), outputs=outputs_of(vault, two_coins(vault))).is_valid


def signed_with_our_hasher(proof: Psbt, vault: object) -> Psbt:
    simulated = simulated_vault()
    assert vault is simulated
    return sign(sign(proof, simulated, 1, inputs=(1, 2)), simulated, 2, inputs=(1, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_only_verified_signatures_of_this_proof_are_taken(kind: str) -> None:
    vault = simulated_vault()
    proof = proof_of(kind, vault)
    number = len(proof.inputs) - 1
    ours = sign(proof, vault, 1, inputs=[number])
    good = ours.inputs[number].partial_signatures[0]
    for wrong in (
        replace(good, signature=good.signature[:-1] + b"\x02"),
        replace(good, signature=good.signature[:-2] + bytes([good.signature[-2] ^ 1]) + b"\x01"),
        replace(good, public_key=vault.deriver.at(0, 9).public_keys[0]),
    ):
        bad = ours.with_input(number, replace(ours.inputs[number], partial_signatures=(wrong,)))
        with pytest.raises(CheckFailed):
            take_signatures(vault, proof, [bad.serialize()])
    other = proof_of(kind, vault, MESSAGE + b"?")
    with pytest.raises(CheckFailed) as refused:
        take_signatures(vault, proof, [SimulatedDevice(1, vault).sign(other.serialize())])
    assert refused.value.code is Code.DIFFERENT_TRANSACTION
    with pytest.raises(NotYet):
        take_signatures(vault, proof, [proof.serialize()])
    with pytest.raises(CheckFailed) as changed:
        relabelled = (
            replace(ours, signed_message=b"Something else")
            if kind != "bip127"
            else ours.with_input(0, replace(ours.inputs[0], por_commitment=b"Something else"))
        )
        take_signatures(vault, proof, [relabelled.serialize()])
    assert changed.value.code is Code.COMBINE_NON_SIGNATURE_CHANGE


@pytest.mark.parametrize("sighash_type", [0x02, 0x03, 0x81, 0x82, 0x83])
def test_a_proof_signed_with_another_type_than_all_is_none(sighash_type: int) -> None:
    vault = simulated_vault()
    proof = proof_of("one address", vault)
    half = sign(proof, vault, 1)
    both = sign(half, vault, 2, sighash_type=sighash_type)
    with pytest.raises(CheckFailed) as refused:
        finish_message(vault, both)
    assert refused.value.code is Code.SIGHASH_MISMATCH
    script = vault.deriver.at(0, 3)
    by_key = {entry.public_key: entry.signature for entry in both.inputs[0].partial_signatures}
    stack = (b"", *(by_key[key] for key in script.public_keys if key in by_key), script.witness_script)
    body = b"".join(bytes([len(item)]) + item for item in stack)
    text = "smp" + base64.b64encode(bytes([len(stack)]) + body).decode()
    result = verify_message(MESSAGE, script.script_pubkey, text, outputs={})
    assert (result.verdict, f"0x{sighash_type:02x}" in result.reason) == (MessageVerdict.INVALID, True)


@pytest.mark.parametrize("message", [b"", b"x" * 4_097, b"\xff\xfe"])
def test_what_is_no_message_is_not_signed(message: bytes) -> None:
    vault = simulated_vault()
    for build in (
        lambda: message_proof(vault, PLACE, message),
        lambda: bip127_proof(vault, message, two_coins(vault)),
    ):
        with pytest.raises(InvalidInput) as refused:
            build()
        assert refused.value.code is Code.MESSAGE_INVALID


def test_a_coin_that_is_not_what_its_transaction_says_is_refused() -> None:
    vault = simulated_vault()
    coin = proof_coin(vault, 0, 3)
    stranger = Transaction(2, (TxInput(OutPoint("11" * 32, 0)),), coin.previous.outputs, 0)
    for wrong, code in (
        (replace(coin, value=Sats(coin.value + 1)), Code.UTXO_MISMATCH),
        (replace(coin, place=Place(0, 4)), Code.UTXO_MISMATCH),
        (replace(coin, previous=stranger), Code.PREVTX_TXID_MISMATCH),
        (replace(coin, outpoint=OutPoint(coin.outpoint.txid, 9)), Code.UTXO_MISMATCH),
    ):
        with pytest.raises(CheckFailed) as refused:
            message_proof(vault, PLACE, MESSAGE, [wrong])
        assert refused.value.code is code
        with pytest.raises(CheckFailed):
            bip127_proof(vault, MESSAGE, [wrong])
    for build in (lambda: message_proof(vault, PLACE, MESSAGE, [coin, coin]), lambda: bip127_proof(vault, MESSAGE, ())):
        with pytest.raises(CustodyError):
            build()


def test_a_payment_is_not_finished_as_a_proof() -> None:
    vault = simulated_vault()
    paid = sign(sign(payment(vault), vault, 1), vault, 2)
    for finish in (finish_message, finish_bip127):
        with pytest.raises(CheckFailed) as refused:
            finish(vault, paid)
        assert refused.value.code is Code.POR_NOT_UNSPENDABLE
    signed = signed_by(vault, proof_of("bip127", vault), 1, 2)
    with pytest.raises(CheckFailed):
        finish_message(vault, signed)


def test_a_message_whose_parent_other_software_left_out_is_computed_again() -> None:
    vault = simulated_vault()
    proof = proof_of("one address", vault)
    bare: PsbtInput = replace(proof.inputs[0], non_witness_utxo=None)
    answer = review(proof.with_input(0, bare), vault, ReviewContext())
    assert (answer.verdict, answer.purpose) == (Verdict.CLEAN, Purpose.PROOF)
    assert answer.proof is not None and answer.proof.kind is ProofKind.BIP322
    lied = replace(proof, signed_message=b"Something else").with_input(0, bare)
    assert Code.POR_NOT_UNSPENDABLE in {one.code for one in review(lied, vault, ReviewContext()).findings}


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("block: 900000\nblock hash: " + "ab" * 32, NamedBlock(900_000, "ab" * 32)),
        ("Block height 12", NamedBlock(12, None)),
        ("at block " + "AB" * 32, NamedBlock(None, "ab" * 32)),
        ("nonce: " + "ab" * 32, None),
        ("a blockade 900000", None),
    ],
)
def test_the_block_that_a_message_names(text: str, block: NamedBlock | None) -> None:
    assert NamedBlock.in_text(text) == block


@pytest.mark.parametrize("kind", KINDS)
def test_a_signer_with_a_pin_may_sign_a_proof_without_approvals(kind: str) -> None:
    vault = simulated_vault()
    assert review_bare_psbt(proof_of(kind, vault), vault, ReviewContext()).verdict is Verdict.CLEAN
    lie = replace(payment(vault), signed_message=MESSAGE)
    codes = {one.code for one in review_bare_psbt(lie, vault, ReviewContext()).findings}
    assert {Code.APPROVALS_MISSING, Code.POR_NOT_UNSPENDABLE} <= codes


def test_a_secret_in_a_message_is_refused_and_never_shown() -> None:
    vault = simulated_vault()
    secret = KEY_TEXT.encode()
    for build in (
        lambda: message_proof(vault, PLACE, b"my key is " + secret),
        lambda: bip127_proof(vault, b"my key is " + secret, two_coins(vault)),
    ):
        with pytest.raises(SecretRefused) as refused:
            build()
        assert KEY_TEXT not in str(refused.value)


def test_a_simulated_device_shows_the_message_and_signs_no_commitment() -> None:
    vault = simulated_vault()
    device = SimulatedDevice(1, vault)
    for kind in KINDS:
        proof = proof_of(kind, vault)
        shown = device.display(proof.serialize()).lines
        assert shown == tuple(f"sign message: {line}" for line in MESSAGE.decode().split("\n"))
        signed = Psbt.parse(device.sign(proof.serialize()))
        first = 1 if kind == "bip127" else 0
        assert [len(one.partial_signatures) for one in signed.inputs] == [0] * first + [1] * (len(proof.inputs) - first)


@pytest.mark.parametrize("script_type", SCRIPTS)
@pytest.mark.parametrize("kind", KINDS)
def test_other_software_carries_a_proof_unchanged(kind: str, script_type: ScriptType) -> None:
    text = proof_of(kind, simulated_vault(script_type=script_type)).to_base64()
    assert wallycore.psbt_to_base64(wallycore.psbt_from_base64(text, 0), 0) == text
    psbt = pytest.importorskip("hwilib.psbt", reason="HWI is not installed (make hwi)")
    theirs = psbt.PSBT()
    theirs.deserialize(text)
    assert theirs.serialize() == text


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (b"ok", True),
        (b"tab\tand\nline", True),
        (b"x" * 330, True),
        (b"x" * 331, False),
        (b"x", False),
        ("caf\u00e9".encode(), False),
        (b"bell\x07", False),
        (b" left", False),
        (b"right ", False),
        (b"a   b", False),
    ],
)
def test_a_message_that_devices_refuse_to_show_is_noted(message: bytes, shown: bool) -> None:
    vault = simulated_vault()
    answer = review(message_proof(vault, PLACE, message), vault, ReviewContext())
    codes = [one.code for one in answer.findings]
    assert codes == [Code.MESSAGE_PROOF, *([] if shown else [Code.MESSAGE_NOT_SHOWN])]
    assert answer.verdict is Verdict.CLEAN


def test_a_message_field_has_a_limit_of_its_own() -> None:
    proof = proof_of("one address", simulated_vault())
    assert Psbt.parse(replace(proof, signed_message=b"x" * 65_536).serialize()).signed_message == b"x" * 65_536
    with pytest.raises(InvalidInput) as refused:
        Psbt.parse(replace(proof, signed_message=b"x" * 65_537).serialize())
    assert refused.value.code is Code.PSBT_TOO_LARGE
