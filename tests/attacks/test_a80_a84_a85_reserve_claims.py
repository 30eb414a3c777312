"""A80, A84, A85: statements built to look proven: keyless scripts, locked coins, another vault, many payments."""

import base64
from dataclasses import replace

import pytest

from custody.audit.reserves.claims import scripts_to_ask
from custody.audit.reserves.descriptor import KnownVault
from custody.audit.reserves.payment import PaymentClaim
from custody.audit.reserves.statement import ClaimedAddress, ClaimedCoin, Proof, ProofKind, Statement, parse_statement
from custody.audit.reserves.verify import Reserve as Result
from custody.audit.reserves.verify import ReservesVerdict, verify_statements
from custody.audit.reserves.view import ReserveView, SeenPayment
from custody.bitcoin import kernel
from custody.bitcoin.address import address_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.bip322 import to_sign, verify_message
from custody.bitcoin.hashing import sha256
from custody.bitcoin.network import Network
from custody.bitcoin.script import p2wsh_script
from custody.bitcoin.second_opinion import SecondOpinion
from custody.bitcoin.transaction import TxOutput, serialize_witness
from custody.codes import Code
from custody.errors import InvalidInput, Severity
from support.reserves import CHALLENGE, FRESH, HEIGHT, PLACES, Reserve

RESERVE = Reserve()
DER = bytes.fromhex("300602010102010101")
"""A signature's form, by nobody, over nothing."""


def judge(statement: Statement, view: ReserveView, known: KnownVault | None = None) -> ReservesVerdict:
    return verify_statements([statement], [CHALLENGE], view, known=known)


def refused(verdict: ReservesVerdict) -> set[Code]:
    return {one.code for one in verdict.findings if one.severity is Severity.REFUSE}


def warned(verdict: ReservesVerdict) -> set[Code]:
    return {one.code for one in verdict.findings if one.severity is Severity.WARN}


@pytest.mark.skipif(not kernel.is_available(), reason="without the interpreter such scripts are not judged at all")
@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        (b"\x51", ()),  # true: anybody may spend it
        (b"\xa8\x20" + sha256(b"x" * 32) + b"\x87", (b"x" * 32,)),  # whoever knows a preimage, which the proof shows
        (b"\x75\x51", (DER,)),  # drops a signature that nobody checks
    ],
)
def test_a84_an_address_that_needs_no_key_proves_no_key(script: bytes, arguments: tuple[bytes, ...]) -> None:
    program = p2wsh_script(script)
    address = address_of(program, Network.REGTEST)
    assert address is not None
    text = "smp" + base64.b64encode(serialize_witness((*arguments, script))).decode()
    assert verify_message(CHALLENGE.message, program, text, outputs={}).is_valid  # so BIP 322 has it
    coin = replace(RESERVE.coins[0], script_pubkey=program)
    statement = Statement(
        CHALLENGE,
        None,
        None,
        (ClaimedAddress(address, None, None),),
        (ClaimedCoin(coin.outpoint, coin.value, address),),
        coin.value,
        (Proof(ProofKind.BIP322, (address,), text),),
    )
    verdict = judge(statement, RESERVE.view(coins=[coin]))
    assert (verdict.result, verdict.keys_proved, verdict.total) == (Result.INVALID, Result.INVALID, Sats(0))
    assert refused(verdict) == {Code.RESERVE_PROOF_INVALID, Code.RESERVE_PROOF_MISSING}
    assert any("without any signature" in one.message for one in verdict.findings)


def test_a85_a_lock_on_a_coin_alone_is_said() -> None:
    statement = RESERVE.statement(proofs=[RESERVE.bip127_proof(CHALLENGE)])
    assert Code.RESERVE_TIME_LOCKED not in warned(judge(statement, RESERVE.view()))  # RBF is no lock
    locked = RESERVE.statement(proofs=[RESERVE.bip127_proof(CHALLENGE, last_sequence=4_032)])
    verdict = judge(locked, RESERVE.view())
    assert (verdict.result, Code.RESERVE_TIME_LOCKED in warned(verdict)) == (Result.VALID, True)
    assert any("age 4032" in one.message for one in verdict.findings)


@pytest.mark.parametrize("disclose", [True, False])
def test_a80_a_statement_of_another_vault_than_the_verifier_s_is_refused(disclose: bool) -> None:
    stranger = Reserve(first_seed=9)
    known = KnownVault.parse(RESERVE.descriptor, Network.REGTEST)
    verdict = judge(stranger.statement(disclose=disclose), stranger.view(), known)
    assert (verdict.result, refused(verdict)) == (Result.INVALID, {Code.VAULT_MISMATCH})
    invented = replace(RESERVE.statement(disclose=False), vault_id="ab" * 32)  # our own addresses under a made-up id
    assert refused(judge(invented, RESERVE.view(), known)) == {Code.VAULT_MISMATCH}


@pytest.mark.parametrize("height", [HEIGHT - 1, HEIGHT, CHALLENGE.expires_height + 1])
def test_a81_a_payment_mined_before_or_after_the_challenge_s_time_is_no_answer(height: int) -> None:
    payment = RESERVE.payment(CHALLENGE)
    proof = RESERVE.payment_proof(payment)
    moved = replace(proof, text=proof.text.replace(" 125 ", f" {height} "))
    seen = {payment.txid: SeenPayment(payment, height, "cd" * 32, is_active=True)}
    verdict = judge(RESERVE.statement(proofs=[moved]), replace(RESERVE.view(), payments=seen))
    assert (verdict.result, verdict.total) == (Result.INVALID, Sats(0))
    assert Code.RESERVE_PROOF_INVALID in refused(verdict)


def test_a81_more_payments_than_a_node_can_look_for_are_refused() -> None:
    claims = [PaymentClaim(f"{number:064x}", 125, "cd" * 32, RESERVE.address(PLACES[0])) for number in range(11)]
    proofs = [Proof(ProofKind.PAYMENT, (RESERVE.address(PLACES[0]),), claim.to_text()) for claim in claims]
    assert len(parse_statement(RESERVE.statement(proofs=proofs[:10]).to_bytes()).proofs) == 10
    with pytest.raises(InvalidInput) as caught:
        parse_statement(RESERVE.statement(proofs=proofs).to_bytes())
    assert caught.value.code is Code.MALFORMED_DOCUMENT


def test_a80_a_long_statement_is_not_walked_through_for_each_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash of a statement reads all of it: one for each address made 100,000 addresses a matter of an hour."""

    def walked(_statement: Statement) -> int:
        raise AssertionError("the whole statement was hashed")

    monkeypatch.setattr(Statement, "__hash__", walked)
    assert len(scripts_to_ask([RESERVE.statement()])) == len(PLACES)


def test_a84_an_empty_output_more_or_less_is_another_message() -> None:
    """What `unsigned_inputs` rests on: a signature over a proof is none over one with another output."""
    script = RESERVE.vault.script(*PLACES[0])
    proof = to_sign(CHALLENGE.message, script)
    assert replace(proof, outputs=(*proof.outputs, TxOutput(Sats(0), b"\x6a"))).txid != proof.txid


# Each of these rules was taken out by hand once, and no other test saw it.


def test_a80_a_coin_said_to_lie_at_another_claimed_address_is_refused() -> None:
    honest = RESERVE.statement()
    first, second, *rest = honest.coins
    swapped = (replace(first, address=second.address), replace(second, address=first.address), *rest)
    verdict = judge(replace(honest, coins=swapped), RESERVE.view())
    assert refused(verdict) == {Code.RESERVE_COIN_UNKNOWN}


def test_a80_a_coin_listed_twice_at_one_address_is_refused() -> None:
    honest = RESERVE.statement()
    coins = (*honest.coins, honest.coins[0])
    twice = replace(honest, coins=coins, total=Sats(sum(one.value for one in coins)))
    verdict = judge(twice, RESERVE.view())
    assert refused(verdict) == {Code.OUTPOINT_COUNTED_TWICE, Code.RESERVE_TOTAL_DIFFERS}
    assert verdict.total == RESERVE.total


def test_a80_a_proof_over_more_than_is_claimed_counts_what_is_claimed() -> None:
    """The view holds the rest because another statement claims it."""
    whole = RESERVE.statement(proofs=[RESERVE.bip127_proof(CHALLENGE)])
    address = RESERVE.address(PLACES[0])
    part = replace(
        whole,
        addresses=whole.addresses[:1],
        coins=tuple(one for one in whole.coins if one.address == address),
        total=RESERVE.coins[0].value,
        proofs=(replace(whole.proofs[0], addresses=(address,)),),
    )
    verdict = judge(part, RESERVE.view())
    assert (verdict.result, verdict.total) == (Result.VALID, RESERVE.coins[0].value)


def test_a84_a_proof_over_a_coin_that_is_spent_is_invalid_and_not_unjudged() -> None:
    statement = RESERVE.statement(proofs=[RESERVE.bip127_proof(CHALLENGE)])
    verdict = judge(statement, RESERVE.view(coins=RESERVE.coins[1:]))
    assert Code.RESERVE_PROOF_INVALID in refused(verdict)
    assert Code.RESERVE_UNJUDGED not in warned(verdict)


def test_a81_a_payment_to_an_address_of_nobody_s_vault_counts_nothing() -> None:
    payment = RESERVE.payment(CHALLENGE)
    proof = RESERVE.payment_proof(payment)
    stranger = Reserve(first_seed=9).address(PLACES[0])
    outputs = (replace(payment.outputs[0], script_pubkey=Reserve(first_seed=9).vault.script(*PLACES[0])),)
    elsewhere = replace(payment, outputs=(*outputs, *payment.outputs[1:]))
    named = PaymentClaim.parse(proof.text)
    claim = replace(named, txid=elsewhere.txid, address=stranger)
    again = RESERVE.vault.sign_inputs(elsewhere, {0: RESERVE.chain_coins()[0]})
    statement = RESERVE.statement(proofs=[replace(proof, text=claim.to_text())])
    verdict = judge(statement, RESERVE.view(again))
    assert (verdict.result, verdict.total) == (Result.INVALID, Sats(0))
    assert any("not the vault's" in one.message for one in verdict.findings)


def test_a81_a_payment_that_pays_the_amount_twice_or_to_a_used_address_is_refused() -> None:
    payment = RESERVE.payment(CHALLENGE)
    doubled = replace(payment, outputs=(*payment.outputs, payment.outputs[0]))
    statement = RESERVE.statement(proofs=[RESERVE.payment_proof(doubled)])
    verdict = judge(statement, RESERVE.view(doubled))
    assert any("exactly" in one.message and one.severity is Severity.REFUSE for one in verdict.findings)
    used = replace(RESERVE.coins[0], outpoint=replace(RESERVE.coins[0].outpoint, vout=9), script_pubkey=paid_script())
    statement = RESERVE.statement(proofs=[RESERVE.payment_proof(payment)])
    view = RESERVE.view(payment, coins=[*RESERVE.coins, used])
    assert any("had a coin" in one.message for one in judge(statement, view).findings)
    assert judge(statement, RESERVE.view(payment)).result is Result.VALID


def paid_script() -> bytes:
    return RESERVE.vault.script(*FRESH)


def test_a80_an_address_that_the_second_engine_derives_otherwise_is_not_the_vault_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SecondOpinion, "script_pubkey_at", lambda *_place: b"\x51")
    assert refused(judge(RESERVE.statement(), RESERVE.view())) == {Code.ADDRESS_NOT_OURS}
