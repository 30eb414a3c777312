"""A rehearsal bent in any byte is a rehearsal with the very same transaction, or refused, or no PSBT at all."""

from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.psbt import Psbt
from custody.errors import InvalidInput
from custody.spend.rehearsal import MAX_NUMBER, Rehearsal, rehearsal_number
from custody.spend.review_model import Purpose, ReviewContext, Verdict
from custody.workflow.review_psbt import review_psbt
from support.review_cases import simulated_vault

VAULT = simulated_vault()
GOOD = Rehearsal.of(VAULT, 1).psbt
RAW = GOOD.serialize()
UNSIGNED = GOOD.unsigned_transaction().serialize_without_witness()


@settings(max_examples=400)
@given(place=st.integers(min_value=0, max_value=len(RAW) - 1), flip=st.integers(min_value=1, max_value=255))
def test_no_byte_makes_a_payment_of_it(place: int, flip: int) -> None:
    bent = bytearray(RAW)
    bent[place] ^= flip
    try:
        psbt = Psbt.parse(bytes(bent))
    except InvalidInput:
        return
    answer = review_psbt(psbt, VAULT, ReviewContext())
    if answer.purpose is Purpose.REHEARSAL:
        assert psbt.unsigned_transaction().serialize_without_witness() == UNSIGNED
    else:
        assert answer.verdict is Verdict.REFUSED


@settings(max_examples=50)
@given(number=st.integers(min_value=1, max_value=MAX_NUMBER))
def test_every_number_is_found_again_and_is_no_other(number: int) -> None:
    rehearsal = Rehearsal.of(VAULT, number)
    again = Psbt.parse(rehearsal.psbt.serialize())
    assert rehearsal_number(again, VAULT) == number
    assert review_psbt(again, VAULT, ReviewContext()).verdict is Verdict.CLEAN
    assert (rehearsal.unsigned_txid == Rehearsal.of(VAULT, 1).unsigned_txid) is (number == 1)
