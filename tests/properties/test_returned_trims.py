"""Pain 15: whatever a device leaves out of its answer, its signatures count; whatever it bends, none does."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.amount import Sats
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import take_signatures
from custody.bitcoin.psbt_version import to_version
from custody.codes import Code
from custody.errors import CheckFailed
from custody.spend.review import review
from custody.spend.review_inputs import spend_scripts
from custody.spend.review_model import ReviewContext
from custody.spend.review_places import VaultScripts
from support.review_cases import payment, sign, simulated_vault

VAULT = simulated_vault()
MASTER = payment(VAULT, coins=3)
SIGNED = sign(MASTER, VAULT, 2)
SCRIPTS = spend_scripts(review(MASTER, VAULT, ReviewContext()).inputs, VaultScripts.of(VAULT))

_INPUT = ("non_witness_utxo", "witness_utxo", "redeem_script", "witness_script", "sighash_type")
_OUTPUT = ("redeem_script", "witness_script")


@st.composite
def trims(draw: st.DrawFn) -> Psbt:
    """Draw the signed PSBT with any part of everything but the signatures left out."""
    inputs = []
    for one in SIGNED.inputs:
        gone = dict.fromkeys(draw(st.sets(st.sampled_from(_INPUT))))
        kept = tuple(label for label in one.derivations if draw(st.booleans()))
        inputs.append(replace(one, derivations=kept, **gone))
    outputs = []
    for output in SIGNED.outputs:
        gone = dict.fromkeys(draw(st.sets(st.sampled_from(_OUTPUT))))
        kept = tuple(label for label in output.derivations if draw(st.booleans()))
        outputs.append(replace(output, derivations=kept, **gone))
    xpubs = tuple(one for one in SIGNED.global_xpubs if draw(st.booleans()))
    return replace(SIGNED, inputs=tuple(inputs), outputs=tuple(outputs), global_xpubs=xpubs)


@settings(deadline=None)
@given(trimmed=trims(), version=st.sampled_from([0, 2]))
def test_signatures_count_whatever_else_was_left_out(trimmed: Psbt, version: int) -> None:
    returned = Psbt.parse(to_version(trimmed, version).serialize())
    merged, notes = take_signatures(MASTER, returned, SCRIPTS)
    assert merged == SIGNED
    assert notes == ()


@settings(deadline=None)
@given(trimmed=trims(), number=st.integers(0, 2), delta=st.sampled_from([-1, 1, 1_000]))
def test_a_field_that_says_something_else_refuses_the_file(trimmed: Psbt, number: int, delta: int) -> None:
    one = MASTER.inputs[number]
    assert one.witness_utxo is not None
    lie = replace(one.witness_utxo, value=Sats(one.witness_utxo.value + delta))
    bent = trimmed.with_input(number, replace(trimmed.inputs[number], witness_utxo=lie, non_witness_utxo=None))
    with pytest.raises(CheckFailed) as caught:
        take_signatures(MASTER, bent, SCRIPTS)
    assert caught.value.code is Code.COMBINE_NON_SIGNATURE_CHANGE
