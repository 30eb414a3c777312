"""A payment over what the devices take is refused with the number; QR codes come in the dialect of the device."""

from pathlib import Path
from typing import Any

import pytest

from support.rehearsal import Rehearsal, stranger
from support.standin import Bench, StandinOffice

COINS = 21


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A 2-of-3 with 21 ripe coins; the tests change descriptions only, and hold their drafts back."""
    made = Rehearsal(tmp_path_factory.mktemp("limits") / "reserve")
    made.fund(COINS)
    return made


def describe(office: Rehearsal, **devices: str) -> None:
    """Describe every cosigner anew; whom `devices` doesn't name holds an unknown device."""
    for name in ("c1", "c2", "c3"):
        model, _at, firmware = devices.get(name, "other").partition("@")
        result = office.run(["cosigner", "describe", name, "--device", model, "--firmware", firmware, "--json"])
        assert result.exit_code == 0 or result.error["error"] == "NOTHING_TO_DO"


def everything(office: Rehearsal) -> list[str]:
    return ["proposal", "draft", "--fee-rate", "5", "--hold", "--to", f"{stranger(1)}=all"]


def withdrawn(office: Rehearsal, drafted: Any) -> None:
    office.json(["proposal", "withdraw", drafted["proposal_id"]])


def test_too_many_coins_for_two_of_three_devices_are_refused_with_the_number(office: Rehearsal) -> None:
    describe(office, c1="coldcard-mk3", c2="coldcard-mk3")
    error = office.error(everything(office), exit_code=7)
    assert error["error"] == "DEVICE_LIMIT"
    assert "c1 (coldcard-mk3): 21 inputs, at most 20" in error["message"]
    assert (error["details"]["inputs"], error["details"]["inputs_fit"]) == (21, 20)
    assert f"{20 * 5_000_000_000} sat" in error["advice"]
    assert office.json(["proposal", "list"])["proposals"] == []
    text = office.run(everything(office)).stderr
    assert "at most 20 coins at once" in text


def test_as_many_coins_as_it_says_are_drafted(office: Rehearsal) -> None:
    describe(office, c1="coldcard-mk3", c2="coldcard-mk3")
    coins = office.json(["coins", "list"])["coins"][:20]
    named = [word for one in coins for word in ("--coin", f"{one['txid']}:{one['vout']}")]
    drafted = office.json([*everything(office), *named])
    assert [one["fits"] for one in drafted["devices"]] == [True, True, True]
    withdrawn(office, drafted)


def test_one_of_three_that_can_not_is_shown_and_stops_nothing(office: Rehearsal) -> None:
    describe(office, c1="coldcard-mk3", c2="jade@1.0.40")
    drafted = office.json(everything(office))
    c1, c2, c3 = drafted["devices"]
    assert (c1["cosigner"], c1["fits"], c1["inputs_limit"], c1["will_fail"]) == (
        "c1",
        False,
        20,
        ["21 inputs, at most 20"],
    )
    assert (c2["device"], c2["fits"], c2["bytes_limit"]) == ("jade", True, 410_624)
    assert c2["qr_frames"] > 10
    assert (c3["device"], c3["fits"], c3["inputs_limit"]) == ("other", True, None)
    assert office.show(drafted)["devices"] == drafted["devices"]
    shown = office.run(["proposal", "show", drafted["proposal_id"]]).stdout
    assert "DEVICE c1 (coldcard-mk3): 21 of 20 inputs" in shown
    assert "can't sign it: 21 inputs, at most 20" in shown
    withdrawn(office, drafted)


def test_devices_described_after_the_draft_stop_its_export(office: Rehearsal) -> None:
    describe(office)
    drafted = office.json(everything(office))
    describe(office, c1="coldcard-mk3", c2="coldcard-mk3")
    target = office.folder / "outbox" / "held.psbt"
    error = office.error(["proposal", "export", drafted["proposal_id"], "-o", target], exit_code=7)
    assert error["error"] == "DEVICE_LIMIT"
    assert not target.exists()
    assert office.show(drafted)["has_left"] is False
    withdrawn(office, drafted)


def test_a_connected_device_over_its_limit_gets_nothing(office: Rehearsal, tmp_path: Path) -> None:
    describe(office, c1="coldcard-mk3")
    drafted = office.json(everything(office))
    table = StandinOffice.of(office.folder, Bench(tmp_path / "bench"))
    table.bench.connect(1, model="coldcard")
    acks = [word for code in ("REGISTERED", "PROVEN") for word in ("--ack", f"DEVICE_UN{code}@cosigner:c1")]
    sign = ["proposal", "sign", drafted["proposal_id"], "--device", "c1", *acks]
    confirmed = [*sign, "--confirm-sats", drafted["confirm_sats"]]
    refused = table.error(confirmed, exit_code=7)
    assert refused["error"] == "DEVICE_LIMIT"
    assert refused["message"].endswith("(coldcard-mk3) can't take this transaction: 21 inputs, at most 20")
    assert "signtx" not in [one["command"] for one in table.bench.requests]
    assert office.show(drafted)["has_left"] is False
    # As long as nobody said which Coldcard it is, the device decides: the amount is asked for.
    describe(office)
    asked = table.run(sign, stdin="\n")
    assert (asked.exit_code, "type the amount" in asked.stderr) == (5, True)
    (office.folder / "custody.yaml").unlink()
    withdrawn(office, drafted)


def test_codes_come_in_the_dialect_that_is_kept_for_the_signer(office: Rehearsal, tmp_path: Path) -> None:
    describe(office, c1="coldcard-q@1.5.1Q", c2="jade@1.0.40", c3="trezor-t")
    coin = office.json(["coins", "list"])["coins"][0]
    drafted = office.json([*everything(office), "--coin", f"{coin['txid']}:{coin['vout']}"])
    target = tmp_path / "payment.psbt"
    office.json(["proposal", "export", drafted["proposal_id"], "-o", target])

    def shown(name: str) -> Any:
        return office.json(["qr", "show", target, "--for", name])

    assert (shown("c1")["dialect"], shown("c2")["dialect"]) == ("bbqr", "ur")
    assert shown("c1")["frames"][0].startswith("B$")
    assert shown("c2")["frames"][0].startswith("UR:CRYPTO-PSBT/")
    frames = {one["cosigner"]: one["qr_frames"] for one in office.show(drafted)["devices"]}
    assert (frames["c1"], frames["c3"]) == (shown("c1")["frame_count"], None)
    assert office.error(["qr", "show", target, "--for", "c3"], exit_code=8)["error"] == "DEVICE_UNSUPPORTED"
    office.json(["cosigner", "describe", "c2", "--qr-dialect", "bbqr"])
    assert shown("c2")["dialect"] == "bbqr"
    assert ", bbqr" in office.run(["qr", "show", target, "--for", "c2"]).stdout
    describe(office, c3="seedsigner@0.8.0")
    slim, full = shown("c3"), office.json(["qr", "show", target])
    assert slim["bytes"] < full["bytes"]
    frames = {one["cosigner"]: (one["content"], one["qr_frames"]) for one in office.show(drafted)["devices"]}
    assert frames["c3"][0] == "slim"
    assert slim["frames"][0].startswith(f"UR:CRYPTO-PSBT/1-{frames['c3'][1]}/")
    describe(office)
    assert office.error(["qr", "show", target, "--for", "c1"], exit_code=2)["error"] == "USAGE"
    assert office.error(["qr", "show", target, "--for", "c9"], exit_code=6)["error"] == "COSIGNER_UNKNOWN"
    both = ["qr", "show", target, "--for", "c1", "--dialect", "ur"]
    assert office.error(both, exit_code=2)["error"] == "USAGE"
