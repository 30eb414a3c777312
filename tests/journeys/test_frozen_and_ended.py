"""A freeze after drafting stops the payment and not its cancel; what somebody ended is not bumped back to life."""

from pathlib import Path

import pytest

from support.rehearsal import Rehearsal, stranger


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    made = Rehearsal(tmp_path / "office")
    made.fund(1)
    return made


def test_a_freeze_stops_signing_and_lets_the_cancel_pass(office: Rehearsal) -> None:
    paid = office.draft("--to", f"{stranger(1)}=1btc")
    coin = f"{paid['inputs'][0]['txid']}:{paid['inputs'][0]['vout']}"
    office.json(["coins", "freeze", coin, "--reason", "under investigation"])
    sign = ["proposal", "sign", paid["proposal_id"], "--simulator", 1, "--confirm-sats", paid["confirm_sats"]]
    assert office.error(sign, exit_code=7)["error"] == "COIN_FROZEN"
    cancel = office.json(["proposal", "cancel", paid["proposal_id"], "--fee-rate", "20"])
    assert office.send(cancel, 1, 2)["state"] == "broadcast"


def test_a_withdrawn_payment_can_be_cancelled_and_not_bumped(office: Rehearsal) -> None:
    paid = office.draft("--to", f"{stranger(1)}=1btc")
    office.json(["proposal", "withdraw", paid["proposal_id"], "--reason", "invoice was wrong"])
    bump = ["proposal", "bump", paid["proposal_id"], "--fee-rate", "20"]
    assert office.error(bump, exit_code=7)["error"] == "NOT_BUMPABLE"
    assert office.json(["proposal", "cancel", paid["proposal_id"], "--fee-rate", "20"])["kind"] == "cancel"


def test_a_device_without_a_key_of_the_vault_is_exit_8(office: Rehearsal) -> None:
    paid = office.draft("--to", f"{stranger(1)}=1btc")
    sign = ["proposal", "sign", paid["proposal_id"], "--simulator", 9, "--confirm-sats", paid["confirm_sats"]]
    assert office.error(sign, exit_code=8)["error"] == "DEVICE_NO_SIGNATURE"


def test_reasons_of_a_payments_file_reach_those_who_approve(office: Rehearsal, tmp_path: Path) -> None:
    payments = tmp_path / "grants.csv"
    payments.write_text(f"address,amount,reason\n{stranger(1)},1btc,grant 17\n{stranger(2)},2btc,grant 18\n")
    assert office.draft("--payments", str(payments))["reason"] == "grant 17; grant 18"
