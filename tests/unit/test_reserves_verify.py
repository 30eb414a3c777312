"""Statements of reserves judged by pure code: what is proven, what is refused, what can't be said."""

from dataclasses import replace

import pytest

from custody.audit.reserves.challenge import Challenge, SeenBlock
from custody.audit.reserves.descriptor import KnownVault
from custody.audit.reserves.payment import PaymentClaim, payment_amount
from custody.audit.reserves.statement import ClaimedAddress, ClaimedCoin, Proof, ProofKind, Statement
from custody.audit.reserves.verify import Reserve as Result
from custody.audit.reserves.verify import ReservesVerdict, verify_statements
from custody.audit.reserves.view import ReserveView, SeenPayment
from custody.bitcoin.address import address_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import Transaction
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput, Severity
from support.reserves import CHALLENGE, FRESH, HEIGHT, PLACES, TIP, Reserve

RESERVE = Reserve()
STATEMENT = RESERVE.statement()
OTHER_NONCE = replace(CHALLENGE, nonce="60" * 32)


def judge(
    *statements: Statement,
    view: ReserveView | None = None,
    challenges: tuple[Challenge, ...] = (CHALLENGE,),
    known: KnownVault | None = None,
    max_age: int | None = None,
) -> ReservesVerdict:
    return verify_statements(statements, challenges, view or RESERVE.view(), known=known, max_age=max_age)


def refused(verdict: ReservesVerdict) -> set[Code]:
    return {one.code for one in verdict.findings if one.severity is Severity.REFUSE}


@pytest.mark.parametrize("script_type", list(ScriptType))
@pytest.mark.parametrize("disclose", [True, False])
def test_signed_messages_for_every_address_are_valid(script_type: ScriptType, disclose: bool) -> None:
    reserve = Reserve(script_type=script_type)
    verdict = judge(reserve.statement(disclose=disclose), view=reserve.view())
    assert (verdict.result, refused(verdict)) == (Result.VALID, set())
    assert (verdict.total, verdict.coins) == (reserve.total, 4)
    assert (verdict.keys_proved, verdict.coins_unspent) == (Result.VALID, Result.VALID)
    (one,) = verdict.statements
    assert one.public_keys == 2 * len(PLACES)  # two of three keys at each address
    fingerprints = [key.origin.fingerprint.hex() for key in reserve.vault.descriptor.keys]
    assert one.signers is None if not disclose else set(one.signers or ()) <= set(fingerprints)


def test_a_verifier_s_own_descriptor_names_the_keys_and_finds_the_places() -> None:
    known = KnownVault.parse(RESERVE.descriptor, Network.REGTEST)
    verdict = judge(RESERVE.statement(disclose=False), known=known)
    assert verdict.result is Result.VALID
    assert len(verdict.statements[0].signers or ()) >= 2
    stranger = Reserve(first_seed=9)
    claims_ours = replace(RESERVE.statement(disclose=False), vault_id=None)
    other = judge(claims_ours, known=KnownVault.parse(stranger.descriptor, Network.REGTEST))
    assert refused(other) == {Code.ADDRESS_NOT_OURS}


def test_a_bip127_proof_over_all_coins_is_valid_and_one_for_another_message_is_not() -> None:
    good = RESERVE.statement(proofs=[RESERVE.bip127_proof(CHALLENGE)])
    assert judge(good).result is Result.VALID
    replayed = RESERVE.statement(proofs=[RESERVE.bip127_proof(OTHER_NONCE)])
    assert refused(judge(replayed)) == {Code.RESERVE_PROOF_INVALID, Code.RESERVE_PROOF_MISSING}


@pytest.mark.parametrize("max_age", [None, 500])
def test_a_message_signed_for_another_challenge_is_no_proof(max_age: int | None) -> None:
    replayed = RESERVE.statement(proofs=[RESERVE.message_proof(OTHER_NONCE, place) for place in PLACES])
    verdict = judge(replayed, max_age=max_age)
    assert refused(verdict) == {Code.RESERVE_PROOF_INVALID, Code.RESERVE_PROOF_MISSING}
    assert (verdict.total, verdict.keys_proved, verdict.coins_unspent) == (Sats(0), Result.INVALID, Result.VALID)


def test_a_whole_statement_for_another_challenge_is_a_mismatch() -> None:
    verdict = judge(RESERVE.statement(OTHER_NONCE))
    assert refused(verdict) == {Code.CHALLENGE_MISMATCH}


def test_without_a_challenge_the_answer_says_whose_word_it_is() -> None:
    verdict = judge(STATEMENT, challenges=())
    assert verdict.result is Result.VALID
    assert (Code.CHALLENGE_NOT_GIVEN, Severity.WARN) in {(one.code, one.severity) for one in verdict.findings}


def test_a_stale_shallow_or_orphaned_block_is_refused() -> None:
    view = RESERVE.view()
    assert refused(judge(STATEMENT, view=replace(view, block=SeenBlock(HEIGHT + 145, view.block.hash_at_height)))) == {
        Code.HEIGHT_STALE
    }
    assert refused(judge(STATEMENT, view=replace(view, block=SeenBlock(HEIGHT + 2, view.block.hash_at_height)))) == {
        Code.BLOCK_TOO_SHALLOW
    }
    assert Code.BLOCK_ORPHANED in refused(judge(STATEMENT, view=replace(view, block=SeenBlock(TIP, "ef" * 32))))


def test_a_missing_proof_is_named_and_its_coins_do_not_count() -> None:
    partly = RESERVE.statement(proofs=[RESERVE.message_proof(CHALLENGE, place) for place in PLACES[:2]])
    verdict = judge(partly)
    assert refused(verdict) == {Code.RESERVE_PROOF_MISSING}
    assert verdict.total == sum(coin.value for coin in RESERVE.coins[:2])


def test_a_proof_for_one_address_does_not_stand_for_another() -> None:
    proofs = [RESERVE.message_proof(CHALLENGE, place) for place in PLACES]
    swapped = [replace(proofs[0], addresses=proofs[1].addresses), *proofs[1:]]
    assert refused(judge(RESERVE.statement(proofs=swapped))) == {Code.RESERVE_PROOF_INVALID, Code.RESERVE_PROOF_MISSING}
    stretched = [replace(proofs[0], addresses=tuple(map(RESERVE.address, PLACES)))]
    assert refused(judge(RESERVE.statement(proofs=stretched))) == {
        Code.RESERVE_PROOF_INVALID,
        Code.RESERVE_PROOF_MISSING,
    }


def test_one_coin_in_two_statements_is_counted_once_and_refused() -> None:
    treasury = replace(CHALLENGE, holder="Treasury")
    verdict = judge(STATEMENT, RESERVE.statement(treasury), challenges=(CHALLENGE, treasury))
    assert refused(verdict) == {Code.OUTPOINT_COUNTED_TWICE}
    assert verdict.total == RESERVE.total


def test_two_vaults_add_up() -> None:
    other = Reserve(first_seed=9)
    treasury = replace(CHALLENGE, holder="Treasury")
    both = RESERVE.view(coins=[*RESERVE.coins, *other.coins])
    verdict = judge(STATEMENT, other.statement(treasury), view=both, challenges=(CHALLENGE, treasury))
    assert (verdict.result, verdict.total) == (Result.VALID, RESERVE.total + other.total)


def test_the_same_address_in_capitals_is_the_same_address() -> None:
    shouted = replace(
        STATEMENT,
        descriptor=None,
        addresses=(
            *RESERVE.statement(disclose=False).addresses,
            ClaimedAddress(RESERVE.address((0, 0)).upper(), None, None),
        ),
    )
    assert Code.OUTPOINT_COUNTED_TWICE in refused(judge(shouted))


def test_statements_for_two_blocks_are_not_added() -> None:
    later = replace(CHALLENGE, height=HEIGHT + 1, block_hash="ee" * 32)
    with pytest.raises(CheckFailed) as mismatch:
        judge(STATEMENT, RESERVE.statement(later))
    assert mismatch.value.code is Code.CHALLENGE_MISMATCH


def test_a_coin_that_the_node_does_not_have_or_has_otherwise_is_refused() -> None:
    gone = RESERVE.view(coins=RESERVE.coins[1:])
    verdict = judge(STATEMENT, view=gone)
    assert refused(verdict) == {Code.RESERVE_COIN_UNKNOWN, Code.RESERVE_TOTAL_DIFFERS}
    assert (verdict.keys_proved, verdict.coins_unspent) == (Result.VALID, Result.INVALID)
    smaller = RESERVE.view(coins=[replace(RESERVE.coins[0], value=Sats(5)), *RESERVE.coins[1:]])
    assert refused(judge(STATEMENT, view=smaller)) == {Code.RESERVE_COIN_UNKNOWN, Code.RESERVE_TOTAL_DIFFERS}


def test_a_sum_that_is_not_the_coins_is_refused() -> None:
    boasting = replace(STATEMENT, total=Sats(STATEMENT.total + 1))
    verdict = judge(boasting)
    assert refused(verdict) == {Code.RESERVE_TOTAL_DIFFERS}
    assert verdict.total == RESERVE.total


def test_an_address_of_another_vault_under_the_descriptor_is_refused() -> None:
    other = Reserve(first_seed=9)
    foreign = replace(other.statement(), descriptor=RESERVE.descriptor, vault_id=None)
    assert Code.ADDRESS_NOT_OURS in refused(judge(foreign, view=other.view()))
    mislabelled = replace(other.statement(), vault_id=RESERVE.vault_id)
    assert Code.VAULT_MISMATCH in refused(judge(mislabelled, view=other.view()))


def test_a_statement_that_claims_nothing_proves_nothing() -> None:
    empty = replace(STATEMENT, addresses=(), coins=(), total=Sats(0), proofs=())
    assert refused(judge(empty)) == {Code.RESERVE_EMPTY}


def test_a_script_that_nobody_here_knows_makes_the_whole_inconclusive() -> None:
    script = b"\x60\x02\x75\x1e"
    future = address_of(script, Network.REGTEST)
    assert future is not None
    coin = replace(RESERVE.coins[0], script_pubkey=script)
    statement = replace(
        STATEMENT,
        descriptor=None,
        vault_id=None,
        addresses=(ClaimedAddress(future, None, None),),
        coins=(ClaimedCoin(coin.outpoint, coin.value, future),),
        total=coin.value,
        proofs=(Proof(ProofKind.BIP322, (future,), "smpAQA="),),
    )
    verdict = judge(statement, view=RESERVE.view(coins=[coin]))
    assert (verdict.result, verdict.keys_proved) == (Result.INCONCLUSIVE, Result.INCONCLUSIVE)
    assert (verdict.coins_unspent, verdict.total, refused(verdict)) == (Result.VALID, Sats(0), set())


def test_young_coins_and_coins_that_left_are_said() -> None:
    view = replace(RESERVE.view(), still_unspent=frozenset(one.outpoint for one in RESERVE.coins[:-1]))
    verdict = judge(STATEMENT, view=view)
    warned = {one.code for one in verdict.findings if one.severity is Severity.WARN}
    assert warned == {Code.RESERVE_RECENT_INFLOW, Code.RESERVE_MOVED_SINCE}
    assert verdict.age.moved_since == RESERVE.coins[-1].value
    assert (verdict.age.oldest, verdict.age.youngest) == (60, 0)
    assert [(one.blocks, one.coins) for one in verdict.age.inflows] == [(144, 4), (1_008, 4), (4_320, 4)]


def test_a_snapshot_leaves_unspentness_to_its_writer() -> None:
    verdict = judge(STATEMENT, view=replace(RESERVE.view(), is_word_of_writer=True))
    assert (verdict.result, verdict.coins_unspent) == (Result.INCONCLUSIVE, Result.INCONCLUSIVE)
    assert Code.UTXO_UNVERIFIED in {one.code for one in verdict.findings}


# The payment


def paid(
    reserve: Reserve = RESERVE, *, disclose: bool = True, amount: int | None = None
) -> tuple[Statement, Transaction]:
    payment = reserve.payment(CHALLENGE, amount=amount)
    return reserve.statement(disclose=disclose, proofs=[reserve.payment_proof(payment)]), payment


def test_the_amount_of_a_payment_follows_from_the_challenge_alone() -> None:
    assert payment_amount(CHALLENGE) == 10_000 + (int(CHALLENGE.digest[:5], 16) >> 3)
    assert payment_amount(CHALLENGE) != payment_amount(OTHER_NONCE)


@pytest.mark.parametrize("script_type", list(ScriptType))
def test_a_payment_proves_the_vault_s_keys_with_its_descriptor(script_type: ScriptType) -> None:
    reserve = Reserve(script_type=script_type)
    statement, payment = paid(reserve)
    verdict = judge(statement, view=reserve.view(payment))
    assert (verdict.result, verdict.total, refused(verdict)) == (Result.VALID, reserve.total, set())
    assert len(verdict.statements[0].signers or ()) == 2
    assert any("every coin" in text for text in verdict.not_proven)


def test_a_payment_without_the_descriptor_is_not_judged() -> None:
    statement, payment = paid(disclose=False)
    verdict = judge(replace(statement, vault_id=None), view=RESERVE.view(payment))
    assert (verdict.result, verdict.keys_proved, verdict.total) == (Result.INCONCLUSIVE, Result.INCONCLUSIVE, Sats(0))


def test_a_payment_that_the_node_does_not_have_is_not_judged() -> None:
    statement, _payment = paid()
    assert judge(statement, view=RESERVE.view()).result is Result.INCONCLUSIVE


@pytest.mark.parametrize(
    ("height", "is_active"), [(HEIGHT, True), (HEIGHT - 1, True), (HEIGHT + 145, True), (125, False)]
)
def test_a_payment_outside_the_challenge_s_time_or_chain_is_refused(height: int, is_active: bool) -> None:
    statement, payment = paid()
    view = replace(RESERVE.view(), payments={payment.txid: SeenPayment(payment, height, "cd" * 32, is_active)})
    assert Code.RESERVE_PROOF_INVALID in refused(judge(statement, view=view))


@pytest.mark.parametrize("block", ["125 " + "ce" * 32, "124 " + "cd" * 32])
def test_a_payment_said_to_be_in_another_block_is_refused(block: str) -> None:
    statement, payment = paid()
    (proof,) = statement.proofs
    moved = replace(proof, text=proof.text.replace("125 " + "cd" * 32, block))
    verdict = judge(replace(statement, proofs=(moved,)), view=RESERVE.view(payment))
    assert refused(verdict) == {Code.RESERVE_PROOF_INVALID, Code.RESERVE_PROOF_MISSING}


def test_a_payment_of_another_amount_is_refused() -> None:
    statement, payment = paid(amount=payment_amount(CHALLENGE) + 1)
    assert Code.RESERVE_PROOF_INVALID in refused(judge(statement, view=RESERVE.view(payment)))


def test_a_payment_to_a_stranger_s_or_a_used_address_is_refused() -> None:
    _statement, payment = paid()
    claim = PaymentClaim(payment.txid, 125, "cd" * 32, RESERVE.address((1, 4)))
    change = Proof(ProofKind.PAYMENT, (RESERVE.address((0, 0)),), claim.to_text())
    assert Code.RESERVE_PROOF_INVALID in refused(judge(RESERVE.statement(proofs=[change]), view=RESERVE.view(payment)))
    used = replace(RESERVE.coins[0], script_pubkey=RESERVE.vault.script(*FRESH))
    view = RESERVE.view(payment, coins=[*RESERVE.coins, used])
    assert Code.RESERVE_PROOF_INVALID in refused(judge(paid()[0], view=view))


def test_a_stranger_s_payment_named_as_ours_is_refused() -> None:
    """Somebody always pays that amount: spender and payee must be the vault's."""
    other = Reserve(first_seed=9)
    theirs, payment = paid(other)
    view = RESERVE.view(payment, coins=[*RESERVE.coins, *other.coins])
    ours = RESERVE.statement(proofs=[other.payment_proof(payment)])
    assert judge(ours, view=view).result is not Result.VALID
    assert judge(replace(theirs, descriptor=RESERVE.descriptor, vault_id=None), view=view).result is Result.INVALID


def test_a_claim_of_a_payment_is_four_words() -> None:
    claim = PaymentClaim("12" * 32, 125, "cd" * 32, RESERVE.address(FRESH))
    assert PaymentClaim.parse(claim.to_text()) == claim
    for text in ("", claim.to_text() + " x", claim.to_text().replace(" ", "  ", 1), claim.to_text().upper()):
        with pytest.raises(InvalidInput):
            PaymentClaim.parse(text)
