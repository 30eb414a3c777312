"""Whether a PSBT fits the devices that sign it: counted in inputs, outputs, bytes and QR codes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.psbt import PartialSignature, Psbt
from custody.bitcoin.qr_payload import PayloadKind, QrPayload, ShowAs, frame_count
from custody.codes import Code
from custody.errors import Conflict
from custody.spend.device_fit import (
    SIGNATURE_BYTES,
    DeviceFit,
    SignerDevice,
    device_fits,
    fit_by_cable,
    psbt_for,
    require_enough_fit,
    require_fits,
)
from custody.vault.device_checks import DescribedSigner
from custody.vault.device_firmware import FirmwareRange
from custody.vault.device_profile import DeviceProfile, PsbtContent, QrDialect
from custody_hardware.device_profiles import load_profiles
from custody_hardware.qr_matrix import room_of
from support.ledger import OUTSIDE, Ledger
from support.vaults import make_vault

PROFILES = load_profiles()
ROOM = room_of(12)


def payment(coins: int, threshold: int = 2, count: int = 3) -> tuple[Ledger, Psbt]:
    """Return a ledger and the PSBT that spends `coins` coins of 1,000,000 sat and more."""
    ledger = Ledger(make_vault(threshold, count))
    ledger.issue(0)
    ledger.receive(*(1_000_000 + number for number in range(coins)))
    return ledger, ledger.psbt_of(ledger.draft((OUTSIDE, coins * 1_000_000 - 200_000)))


def device(model: str, firmware: str | None = None, dialect: QrDialect | None = None) -> SignerDevice:
    return SignerDevice(DescribedSigner(PROFILES[model], firmware), dialect)


def small(model: str = "jade", **limits: int) -> SignerDevice:
    """Return a device with one made-up limit."""
    profile = PROFILES[model]
    return SignerDevice(DescribedSigner(replace(profile, limits=(replace(profile.limits[0], **limits),)), "1.0.40"))


def fits(ledger: Ledger, psbt: Psbt, **devices: SignerDevice) -> dict[str, DeviceFit]:
    return {one.cosigner: one for one in device_fits(psbt, ledger.vault, devices, qr_room=ROOM)}


def test_an_old_coldcard_takes_twenty_inputs_and_not_one_more() -> None:
    ledger, twenty = payment(20)
    assert len(twenty.inputs) == 20
    assert fits(ledger, twenty, ann=device("coldcard-mk3"))["ann"].fits is True
    ledger, more = payment(21)
    ann = fits(ledger, more, ann=device("coldcard-mk3"))["ann"]
    assert (ann.fits, ann.inputs, ann.inputs_limit, ann.most_inputs) == (False, 21, 20, 20)
    assert ann.will_fail == ("21 inputs, at most 20",)


def test_whom_nobody_described_is_listed_and_neither_fits_nor_fails() -> None:
    ledger, psbt = payment(21)
    listed = fits(ledger, psbt, ann=device("coldcard-mk3"))
    assert list(listed) == ["ann", "bo", "cy"]
    assert (listed["bo"].device, listed["bo"].fits, listed["bo"].will_fail) == (None, None, ())
    assert (listed["bo"].inputs_limit, listed["bo"].bytes_limit) == (None, None)


def test_a_limit_that_nobody_read_never_fails() -> None:
    ledger, psbt = payment(21)
    for model in ("other", "trezor-t", "bitbox02"):
        one = fits(ledger, psbt, ann=device(model, "9.25.0"))["ann"]
        assert (one.fits, one.inputs_limit, one.most_inputs) == (True, None, None)


def test_a_limit_of_some_firmware_is_a_doubt_and_of_all_a_failure() -> None:
    ledger, psbt = payment(3)
    profile = PROFILES["ledger"]
    old, new = (
        replace(profile.limits[-1], firmware=range_, inputs=inputs)
        for range_, inputs in ((FirmwareRange(None, "2.0"), 2), (FirmwareRange("2.0", None), 3))
    )
    ranged = replace(profile, limits=(old, new))

    def fit(firmware: str | None) -> DeviceFit:
        return fits(ledger, psbt, ann=SignerDevice(DescribedSigner(ranged, firmware)))["ann"]

    assert (fit("1.9").fits, fit("2.0").fits, fit(None).fits) == (False, True, None)
    assert (fit(None).will_fail, fit(None).may_fail) == ((), ("3 inputs, at most 2",))


def test_bytes_leave_room_for_the_signatures_before_it() -> None:
    ledger, psbt = payment(3, threshold=3, count=4)
    one = fits(ledger, psbt, ann=device("jade"))["ann"]
    assert one.bytes == len(psbt.serialize()) + 2 * 3 * SIGNATURE_BYTES
    signed = replace(
        psbt,
        inputs=tuple(
            replace(one, partial_signatures=(PartialSignature(one.derivations[0].public_key, b"\x30" * 72),))
            for one in psbt.inputs
        ),
    )
    assert len(signed.serialize()) - len(psbt.serialize()) == 3 * SIGNATURE_BYTES
    assert fits(ledger, signed, ann=device("jade"))["ann"].bytes == one.bytes


def test_over_its_bytes_a_device_that_may_gets_it_without_previous_transactions() -> None:
    ledger, psbt = payment(3)
    full = len(psbt.serialize()) + 3 * SIGNATURE_BYTES
    content, given = psbt_for(psbt, small(psbt_bytes=full).signer.profile, "1.0.40", earlier=1)
    assert (content, given) == (PsbtContent.FULL, psbt)
    content, given = psbt_for(psbt, small(psbt_bytes=full - 1).signer.profile, "1.0.40", earlier=1)
    assert content is PsbtContent.SLIM
    assert [one.non_witness_utxo for one in given.inputs] == [None] * 3
    assert given.unsigned_txid == psbt.unsigned_txid
    strict = small("bitbox02", psbt_bytes=full - 1)
    refused = fits(ledger, psbt, ann=SignerDevice(replace(strict.signer, firmware="9.25.0")))["ann"]
    assert (refused.content, refused.fits) == (PsbtContent.FULL, False)
    assert refused.will_fail == (f"{full} bytes, at most {full - 1}",)


def test_a_file_keeps_previous_transactions_even_for_a_device_that_signs_without() -> None:
    ledger, psbt = payment(3)
    limit = len(psbt.serialize())
    one = fits(ledger, psbt, ann=small("coldcard-mk3", psbt_bytes=limit))["ann"]
    assert (one.content, one.fits) == (PsbtContent.FULL, False)


def test_a_profile_may_ask_for_slim_always() -> None:
    _ledger, psbt = payment(1)
    assert psbt_for(psbt, PROFILES["seedsigner"], None, earlier=1)[0] is PsbtContent.SLIM
    bare = replace(psbt, inputs=tuple(replace(one, witness_utxo=None) for one in psbt.inputs))
    assert psbt_for(bare, PROFILES["seedsigner"], None, earlier=1) == (PsbtContent.FULL, bare)


TWELVE = payment(12)


@given(limit=st.integers(1, len(TWELVE[1].serialize()) + 12 * SIGNATURE_BYTES - 1))
def test_the_number_of_inputs_that_fit_by_bytes_does_fit(limit: int) -> None:
    ledger, psbt = TWELVE
    strict = PROFILES["trezor-t"]
    profile: DeviceProfile = replace(strict, limits=(replace(strict.limits[0], psbt_bytes=limit),))
    tight = SignerDevice(DescribedSigner(profile))
    most = fits(ledger, psbt, ann=tight)["ann"].most_inputs
    assert most is not None
    assert 0 <= most < 12
    if most:
        assert fits(ledger, replace(psbt, inputs=psbt.inputs[:most]), ann=tight)["ann"].fits is True
    if most < 10:
        assert fits(ledger, replace(psbt, inputs=psbt.inputs[: most + 2]), ann=tight)["ann"].fits is False


def test_outputs_are_counted() -> None:
    ledger, psbt = payment(1)
    one = fits(ledger, psbt, ann=small(outputs=1))["ann"]
    assert one.will_fail == (f"{len(psbt.outputs)} outputs, at most 1",)


@pytest.mark.parametrize(
    ("model", "dialect", "show_as"),
    [
        ("jade", None, ShowAs.UR),
        ("coldcard-q", None, ShowAs.BBQR),
        ("coldcard-q", QrDialect.UR, ShowAs.UR),
        ("jade", QrDialect.BBQR, ShowAs.BBQR),
    ],
)
def test_qr_codes_are_counted_in_the_dialect_that_is_kept(
    model: str, dialect: QrDialect | None, show_as: ShowAs
) -> None:
    ledger, psbt = payment(4)
    counted = fits(ledger, psbt, ann=device(model, None, dialect))["ann"].qr_frames
    assert counted == frame_count(QrPayload(PayloadKind.PSBT, psbt.serialize()), show_as, ROOM)
    assert counted is not None and counted > 1


def test_no_codes_are_counted_for_a_device_without_a_camera_or_without_room() -> None:
    ledger, psbt = payment(1)
    assert fits(ledger, psbt, ann=device("trezor-t"))["ann"].qr_frames is None
    (one, *_rest) = device_fits(psbt, ledger.vault, {"ann": device("jade")}, qr_room=None)
    assert one.qr_frames is None


# Enough of them


def limit_error(ledger: Ledger, psbt: Psbt, **devices: SignerDevice) -> Conflict:
    with pytest.raises(Conflict) as caught:
        require_enough_fit(device_fits(psbt, ledger.vault, devices, qr_room=None), psbt, ledger.vault)
    return caught.value


def test_too_few_able_signers_refuse_with_the_number_that_fits() -> None:
    ledger, psbt = payment(21)
    error = limit_error(ledger, psbt, ann=device("coldcard-mk3"), bo=device("coldcard-mk3"))
    assert error.code is Code.DEVICE_LIMIT
    assert "only 1 of the 2 signers" in error.message
    assert "ann (coldcard-mk3): 21 inputs, at most 20" in error.message
    # The twenty largest of 1,000,000 to 1,000,020 sat.
    assert (error.details["inputs"], error.details["inputs_fit"]) == (21, 20)
    assert error.details["largest_coins_sats"] == sum(range(1_000_001, 1_000_021))
    assert "at most 20 coins" in error.advice
    assert str(sum(range(1_000_001, 1_000_021))) in error.advice


def test_as_many_able_signers_as_the_quorum_needs_are_enough() -> None:
    ledger, psbt = payment(21)
    devices = {"ann": device("coldcard-mk3"), "bo": device("coldcard-mk4"), "cy": device("jade")}
    require_enough_fit(device_fits(psbt, ledger.vault, devices, qr_room=None), psbt, ledger.vault)


def test_the_number_is_that_of_the_best_quorum() -> None:
    ledger, psbt = payment(21)
    devices = {"ann": small(inputs=5), "bo": small(inputs=12), "cy": small(inputs=9)}
    assert limit_error(ledger, psbt, **devices).details["inputs_fit"] == 9


def test_where_outputs_are_the_trouble_no_number_of_coins_is_named() -> None:
    ledger, psbt = payment(1)
    error = limit_error(ledger, psbt, ann=small(outputs=1), bo=small(outputs=1))
    assert error.details["inputs_fit"] is None
    assert "fewer people" in error.advice


def test_one_device_that_can_not_is_refused_by_name() -> None:
    ledger, psbt = payment(21)
    listed = fits(ledger, psbt, ann=device("coldcard-mk3"), bo=device("jade"))
    with pytest.raises(Conflict, match="the device of `ann`"):
        require_fits(listed["ann"])
    require_fits(listed["bo"])
    require_fits(listed["cy"])


def test_the_answer_has_every_key() -> None:
    ledger, psbt = payment(1)
    assert fits(ledger, psbt, ann=device("jade", "1.0.40"))["ann"].to_json() == {
        "cosigner": "ann",
        "device": "jade",
        "content": "full",
        "inputs": 1,
        "inputs_limit": None,
        "outputs": len(psbt.outputs),
        "outputs_limit": None,
        "bytes": len(psbt.serialize()) + SIGNATURE_BYTES,
        "bytes_limit": 410_624,
        "qr_frames": frame_count(QrPayload(PayloadKind.PSBT, psbt.serialize()), ShowAs.UR, ROOM),
        "fits": True,
        "will_fail": [],
        "may_fail": [],
    }


def test_by_cable_a_device_gets_all_of_it_as_it_is_now() -> None:
    _ledger, psbt = payment(3)
    size = len(psbt.serialize())
    exact, short = (small(psbt_bytes=limit).signer for limit in (size, size - 1))
    fit = fit_by_cable(psbt, "ann", exact)
    assert (fit.content, fit.bytes, fit.fits) == (PsbtContent.FULL, size, True)
    assert fit_by_cable(psbt, "ann", short).will_fail == (f"{size} bytes, at most {size - 1}",)
