"""A41 to A48: fees, dust, amounts, odd outputs, times, versions, and replacements that divert."""

from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.amount import MAX_MONEY, Sats
from custody.bitcoin.psbt import Psbt, PsbtOutput
from custody.bitcoin.script import multisig_script
from custody.bitcoin.transaction import OutPoint
from support.review_cases import (
    BTC,
    COIN,
    FEE,
    OTHER_PAYEE,
    PAID,
    PAYEE,
    assert_refused,
    assert_warned,
    codes,
    foreign_key,
    funding,
    own_input,
    own_output,
    payment,
    run_review,
    simulated_vault,
    with_change,
    with_coin,
)
from support.review_cases import write_files as write_case

VAULT = simulated_vault()
VSIZE = 189
"""Of the sound payment with the largest signatures; asserted below."""


def _with_fee(fee: int) -> Psbt:
    return payment(VAULT, fee=fee)


def _large(coin: int, fee: int) -> Psbt:
    """Return a payment of one coin of any size."""
    return Psbt(
        0,
        2,
        0,
        (own_input(VAULT, 0, 3, coin),),
        (PsbtOutput(Sats(PAID), PAYEE), own_output(VAULT, 1, 4, coin - PAID - fee)),
        payment(VAULT).global_xpubs,
    )


def test_the_fee_rate_is_that_of_the_largest_signatures(tmp_path: Path) -> None:
    answer = assert_warned(tmp_path, payment(VAULT), VAULT, set())
    assert answer["fee_sats"] == FEE
    assert answer["fee_rate_sat_vb"] == FEE * 1000 // VSIZE / 1000


def test_a41_fee_of_20_percent(tmp_path: Path) -> None:
    small = Psbt(
        0,
        2,
        0,
        (own_input(VAULT, 0, 3, 500_000),),
        (PsbtOutput(Sats(200_000), PAYEE), own_output(VAULT, 1, 4, 200_000)),
        payment(VAULT).global_xpubs,
    )
    assert_refused(tmp_path, small, VAULT, {"FEE_ABOVE_LIMIT@tx"})


def test_a41_fee_above_the_absolute_limit(tmp_path: Path) -> None:
    answer = assert_refused(
        tmp_path, _large(100 * BTC, BTC // 10 + 1), VAULT, {"FEE_ABOVE_LIMIT@tx"}, "--max-fee-rate", "9999999"
    )
    assert "0.10000000 BTC" in answer["findings"][0]["message"]


def test_a41_fee_above_the_rate_limit(tmp_path: Path) -> None:
    fee = 1000 * VSIZE + 1
    answer = assert_refused(tmp_path, _large(100 * BTC, fee), VAULT, {"FEE_ABOVE_LIMIT@tx"})
    assert "1000 sat/vB" in answer["findings"][0]["message"]
    assert_warned(tmp_path, _large(100 * BTC, fee - 1), VAULT, set())


def test_a41_max_fee_sats_lifts_percent_and_amount_but_not_the_rate(tmp_path: Path) -> None:
    psbt = _large(700_000 + PAID, 150_000)
    assert_warned(tmp_path, psbt, VAULT, set())
    dear = _large(100 * BTC, BTC // 5)
    assert_refused(tmp_path, dear, VAULT, {"FEE_ABOVE_LIMIT@tx"}, "--max-fee-sats", str(BTC))
    answer = assert_warned(tmp_path, dear, VAULT, set(), "--max-fee-sats", str(BTC), "--max-fee-rate", "9999999")
    assert "FEE_LIMIT_LIFTED@tx" in codes(answer, "note")
    assert_refused(
        tmp_path, dear, VAULT, {"FEE_ABOVE_LIMIT@tx"}, "--max-fee-sats", str(BTC // 5 - 1), "--max-fee-rate", "9999999"
    )


@pytest.mark.parametrize(
    ("fee", "warned", "refused"), [(50_000, False, False), (50_001, True, False), (100_001, True, True)]
)
def test_a41_percent_limits_are_exact(tmp_path: Path, fee: int, warned: bool, refused: bool) -> None:
    psbt = Psbt(
        0,
        2,
        0,
        (own_input(VAULT, 0, 3, 1_000_000),),
        (PsbtOutput(Sats(100_000), PAYEE), own_output(VAULT, 1, 4, 900_000 - fee)),
        payment(VAULT).global_xpubs,
    )
    if refused:
        assert_refused(tmp_path, psbt, VAULT, {"FEE_ABOVE_LIMIT@tx"})
    else:
        assert_warned(tmp_path, psbt, VAULT, {"FEE_HIGH@tx"} if warned else set())


def test_a42_negative_fee(tmp_path: Path) -> None:
    answer = assert_refused(tmp_path, with_change(payment(VAULT), value=Sats(COIN)), VAULT, {"FEE_NEGATIVE@tx"})
    assert answer["fee_sats"] == -PAID


@pytest.mark.parametrize("fee", [0, 18])
def test_a42_fee_below_relay(tmp_path: Path, fee: int) -> None:
    assert_refused(tmp_path, _with_fee(fee), VAULT, {"FEE_BELOW_RELAY@tx"})


def test_a42_the_floor_is_a_setting(tmp_path: Path) -> None:
    assert_warned(tmp_path, _with_fee(19), VAULT, set())
    assert_refused(tmp_path, _with_fee(19), VAULT, {"FEE_BELOW_RELAY@tx"}, "--min-fee-rate", "1")


def test_a43_dust_output(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    dusty = replace(psbt, outputs=(*psbt.outputs, PsbtOutput(Sats(293), OTHER_PAYEE)))
    assert_refused(tmp_path, dusty, VAULT, {"DUST_OUTPUT@output:2"})
    enough = replace(psbt, outputs=(*psbt.outputs, PsbtOutput(Sats(294), OTHER_PAYEE)))
    assert_warned(tmp_path, enough, VAULT, set())


def test_a43_dust_inputs(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    dust = tuple(own_input(VAULT, 0, 5, 546, salt=salt) for salt in (11, 12))
    assert_warned(
        tmp_path,
        replace(psbt, inputs=(*psbt.inputs, *dust)),
        VAULT,
        {"DUST_INPUT@input:1", "DUST_INPUT@input:2"},
    )


def test_a44_sums_beyond_all_money(tmp_path: Path) -> None:
    whales = tuple(own_input(VAULT, 0, 3, MAX_MONEY, salt=salt) for salt in (21, 22))
    psbt = replace(payment(VAULT), inputs=whales)
    assert_refused(tmp_path, psbt, VAULT, {"AMOUNT_OUT_OF_RANGE@tx"})


@pytest.mark.parametrize("value", [-1, 2**63 - 1, MAX_MONEY + 1])
def test_a44_impossible_amount_has_no_verdict(tmp_path: Path, value: int) -> None:
    raw = payment(VAULT).serialize()
    changed = raw.replace(PAID.to_bytes(8, "little"), value.to_bytes(8, "little", signed=True), 1)
    result = run_review(tmp_path, changed, VAULT)
    assert result.exit_code == 6
    assert result.stdout == ""
    assert result.error["error"] == "AMOUNT_OUT_OF_RANGE"


@pytest.mark.parametrize(
    "script",
    [
        b"",
        b"\x52\x20" + bytes(32),
        b"\x51\x02\x4e\x73",
        b"\x00\x1f" + bytes(31),
        multisig_script(1, [foreign_key()]),
        b"\x21" + foreign_key() + b"\xac",
    ],
    ids=["empty", "witness-v2", "anchor", "odd-v0", "bare-multisig", "p2pk"],
)
def test_a45_unknown_output_type(tmp_path: Path, script: bytes) -> None:
    psbt = payment(VAULT).with_output(0, PsbtOutput(Sats(PAID), script))
    assert_refused(tmp_path, psbt, VAULT, {"UNKNOWN_OUTPUT_TYPE@output:0"})


def test_a45_op_return_with_value_shows_all_its_data(tmp_path: Path) -> None:
    script = b"\x6a\x04abcd\x51"
    psbt = payment(VAULT).with_output(0, PsbtOutput(Sats(PAID), script))
    answer = assert_warned(tmp_path, psbt, VAULT, {"UNSPENDABLE_OUTPUT_WITH_VALUE@output:0"})
    assert script[1:].hex() in answer["findings"][0]["message"]


def test_a45_op_return_without_value(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    data = replace(psbt, outputs=(*psbt.outputs, PsbtOutput(Sats(0), b"\x6a\x04abcd")))
    assert_warned(tmp_path, data, VAULT, {"DATA_OUTPUT@output:2"})


@pytest.mark.parametrize("locktime", [4_102_444_800, 2_556_144_000, 0xFFFFFFFF])
def test_a46_locktime_in_the_far_future(tmp_path: Path, locktime: int) -> None:
    assert_refused(tmp_path, replace(payment(VAULT), fallback_locktime=locktime), VAULT, {"LOCKTIME_FAR_FUTURE@tx"})


def test_a46_heights_and_times_in_words(tmp_path: Path) -> None:
    psbt = payment(VAULT)
    near = assert_warned(tmp_path, replace(psbt, fallback_locktime=976_000), VAULT, set())
    assert "LOCKTIME_IN_FORCE@tx" in codes(near, "note")
    assert_warned(tmp_path, replace(psbt, fallback_locktime=499_999_999), VAULT, {"LOCKTIME_AHEAD@tx"})
    assert_warned(tmp_path, replace(psbt, fallback_locktime=101), VAULT, {"LOCKTIME_AHEAD@tx"}, "--tip-height", "100")
    time = assert_warned(tmp_path, replace(psbt, fallback_locktime=2_000_000_000), VAULT, {"LOCKTIME_AHEAD@tx"})
    assert "2033-05-18" in time["findings"][0]["message"]


def test_a46_locktime_that_nothing_enforces(tmp_path: Path) -> None:
    psbt = replace(with_coin(payment(VAULT), stated_sequence=0xFFFFFFFF), fallback_locktime=500)
    assert_warned(tmp_path, psbt, VAULT, {"LOCKTIME_WITHOUT_FORCE@tx", "RBF_NOT_SIGNALLED@tx"})


@pytest.mark.parametrize(("sequence", "words"), [(144, "144 block"), (1 << 22 | 10, "5120 seconds")])
def test_a46_relative_lock(tmp_path: Path, sequence: int, words: str) -> None:
    psbt = with_coin(payment(VAULT), stated_sequence=sequence)
    answer = assert_warned(tmp_path, psbt, VAULT, {"RELATIVE_LOCK@input:0"})
    assert words in answer["findings"][0]["message"]


def test_a46_version_1_knows_no_relative_lock(tmp_path: Path) -> None:
    psbt = replace(with_coin(payment(VAULT), stated_sequence=144), tx_version=1)
    assert_warned(tmp_path, psbt, VAULT, set())


def test_a46_conflicting_locktimes_of_version_2(tmp_path: Path) -> None:
    psbt = replace(payment(VAULT, coins=2), version=2, fallback_locktime=None)
    psbt = with_coin(psbt, 0, required_height_locktime=500)
    psbt = with_coin(psbt, 1, required_time_locktime=1_700_000_000)
    result = run_review(tmp_path, psbt, VAULT)
    assert (result.exit_code, result.error["error"]) == (6, "LOCKTIME_CONFLICT")


def test_no_signal_that_the_fee_may_be_raised(tmp_path: Path) -> None:
    assert_warned(tmp_path, with_coin(payment(VAULT), stated_sequence=0xFFFFFFFE), VAULT, {"RBF_NOT_SIGNALLED@tx"})


def _earlier(folder: Path, psbt: Psbt) -> Path:
    place = folder / "earlier"
    place.mkdir(exist_ok=True)
    return write_case(place, psbt, VAULT)[0]


def test_a47_replacement_with_another_payee(tmp_path: Path) -> None:
    earlier = _earlier(tmp_path, payment(VAULT))
    psbt = payment(VAULT).with_output(0, PsbtOutput(Sats(PAID), OTHER_PAYEE))
    assert_refused(tmp_path, psbt, VAULT, {"REPLACEMENT_CHANGES_PAYEE@tx"}, "--earlier", earlier)


def test_a47_replacement_that_drops_or_shrinks_a_payment(tmp_path: Path) -> None:
    first = payment(VAULT)
    two = replace(
        first,
        outputs=(*first.outputs[:1], PsbtOutput(Sats(9_000_000), OTHER_PAYEE), own_output(VAULT, 1, 4, 50_000_000)),
    )
    earlier = _earlier(tmp_path, two)
    assert_refused(tmp_path, first, VAULT, {"REPLACEMENT_CHANGES_PAYEE@tx"}, "--earlier", earlier)
    shrunk = first.with_output(0, PsbtOutput(Sats(PAID - 1), PAYEE))
    assert_refused(tmp_path, shrunk, VAULT, {"REPLACEMENT_CHANGES_PAYEE@tx"}, "--earlier", _earlier(tmp_path, first))


def test_a47_same_payees_and_a_higher_fee_name_what_is_replaced(tmp_path: Path) -> None:
    first = payment(VAULT)
    answer = assert_warned(
        tmp_path,
        payment(VAULT, fee=9_000),
        VAULT,
        {"ALREADY_SIGNED_SAME_OUTPOINTS@tx"},
        "--earlier",
        _earlier(tmp_path, first),
    )
    assert first.unsigned_txid in answer["findings"][0]["message"]


def test_a47_earlier_change_without_labels_is_still_ours(tmp_path: Path) -> None:
    first = with_change(payment(VAULT), derivations=(), witness_script=None)
    options = ("--earlier", _earlier(tmp_path, first))
    assert_warned(tmp_path, payment(VAULT, fee=9_000), VAULT, {"ALREADY_SIGNED_SAME_OUTPOINTS@tx"}, *options)


def test_a47_cancellation_is_one_output_to_ourselves(tmp_path: Path) -> None:
    options = ("--earlier", _earlier(tmp_path, payment(VAULT)))
    cancel = replace(payment(VAULT), outputs=(own_output(VAULT, 1, 4, COIN - 9_000),))
    assert_warned(tmp_path, cancel, VAULT, {"ALREADY_SIGNED_SAME_OUTPOINTS@tx"}, *options)
    halves = (own_output(VAULT, 1, 4, COIN // 2), own_output(VAULT, 1, 5, COIN // 2 - 9_000))
    split = replace(payment(VAULT), outputs=halves)
    assert_refused(tmp_path, split, VAULT, {"REPLACEMENT_CHANGES_PAYEE@tx"}, *options)


def test_a47_payments_without_a_common_coin_do_not_conflict(tmp_path: Path) -> None:
    other = replace(payment(VAULT), inputs=(own_input(VAULT, 0, 3, salt=77),))
    assert_warned(tmp_path, payment(VAULT), VAULT, set(), "--earlier", _earlier(tmp_path, other))


@pytest.mark.parametrize("version", [0, -1, -(2**31)])
def test_a48_version_zero_or_negative(tmp_path: Path, version: int) -> None:
    assert_refused(tmp_path, replace(payment(VAULT), tx_version=version), VAULT, {"TX_VERSION_INVALID@tx"})


@pytest.mark.parametrize("version", [3, 2**31 - 1])
def test_a48_version_3(tmp_path: Path, version: int) -> None:
    assert_warned(tmp_path, replace(payment(VAULT), tx_version=version), VAULT, {"TX_VERSION_UNUSUAL@tx"})


def test_no_inputs_and_no_outputs(tmp_path: Path) -> None:
    assert_refused(tmp_path, replace(payment(VAULT), outputs=()), VAULT, {"NO_OUTPUTS@tx"})
    assert_refused(tmp_path, replace(payment(VAULT), inputs=()), VAULT, {"NO_INPUTS@tx"})


def test_coinbase_style_outpoint_is_an_unproven_input(tmp_path: Path) -> None:
    null = OutPoint("00" * 32, 0xFFFFFFFF)
    previous = funding(VAULT.deriver.at(0, 3).script_pubkey)
    psbt = with_coin(payment(VAULT), outpoint=null, non_witness_utxo=previous)
    assert_refused(tmp_path, psbt, VAULT, {"PREVTX_TXID_MISMATCH@input:0"})
