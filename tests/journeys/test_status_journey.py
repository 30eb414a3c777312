"""`custody status` through the real command line: what a tired officer has to know first."""

from pathlib import Path

import pytest

from custody.bitcoin.network import Network
from support.rehearsal import NOBODY, Rehearsal, stranger


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    """A vault with two ripe coins of 50 BTC."""
    made = Rehearsal(tmp_path / "reserve")
    made.fund(2)
    return made


def test_status_before_any_sync_is_incomplete(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "reserve")
    said = office.json(["status"], exit_code=9)
    assert (said["complete"], said["total_sats"], said["governance"]) == (False, None, "none")
    assert office.run(["status"]).stderr == ""


def test_status_names_who_signed_who_is_awaited_and_what_to_run(office: Rehearsal) -> None:
    drafted = office.draft("--to", f"{stranger(1)}=10btc", "--hold")
    (held,) = office.json(["status"])["proposals"]
    assert held["state"] == "draft"
    assert held["next"].startswith("custody proposal export ")
    office.json(["proposal", "export", drafted["proposal_id"], "-o", office.folder / "outbox" / "p.psbt"])
    office.sign(drafted, 1)
    (one,) = office.json(["status"])["proposals"]
    assert (one["state"], one["signing"]["signed"], one["signing"]["missing"]) == ("signing", ["c1"], 1)
    assert one["awaited"] == ["c2", "c3"]
    assert one["next"] == "custody proposal add FILE"
    office.sign(drafted, 2)
    (signed,) = office.json(["status"])["proposals"]
    assert signed["next"] == f"custody proposal finalize {drafted['proposal_id'][:16]}"
    text = office.run(["status"]).stdout
    assert "signed: c1, c2" in text
    assert "custody proposal finalize" in text


def test_status_shows_what_is_still_spendable(office: Rehearsal) -> None:
    drafted = office.draft("--to", f"{stranger(1)}=10btc")
    office.json(["proposal", "withdraw", drafted["proposal_id"]])
    (left,) = office.json(["status"])["proposals"]
    assert (left["state"], left["still_spendable"]) == ("still-spendable", True)
    assert left["next"].startswith("custody proposal cancel ")


def test_a_payment_that_a_reorganization_took_back_is_shown(office: Rehearsal) -> None:
    drafted = office.draft("--to", f"{stranger(1)}=10btc")
    sent = office.send(drafted, 1, 2)
    office.mine(1)
    office.json(["coins", "sync"])
    assert office.json(["status"])["taken_back"] == []
    with office.chain() as chain:
        height = chain.tip().height
        chain.mine_fork(height - 1, 2, NOBODY)
    assert office.json(["coins", "sync"])["vanished_blocks"]
    assert office.json(["status"])["taken_back"] == [sent["txid"]]
    assert f"REORGANIZED {sent['txid']}" in office.run(["status"]).stdout


def test_an_outflow_that_another_office_made_is_an_alarm_until_it_is_accepted(tmp_path: Path) -> None:
    first, second = Rehearsal(tmp_path / "first"), Rehearsal(tmp_path / "second")
    first.fund(2)
    paid = first.send(first.draft("--to", f"{stranger(1)}=10btc"), 1, 2)
    first.mine(1)
    first.json(["coins", "sync"])
    assert first.json(["status"])["unexplained_outflows"] == []
    # The second office knows nothing of it: it reads the first one's chain, and sees money leave.
    (first.folder / "chain" / "embedded").rename(second.folder / "chain" / "embedded")
    synced = second.json(["coins", "sync"])
    assert synced["complete"] is True
    alarm = second.json(["status"], exit_code=3)
    (outflow,) = alarm["unexplained_outflows"]
    assert (outflow["code"], outflow["txid"]) == ("UNEXPLAINED_OUTFLOW", paid["txid"])
    assert outflow["addresses"] == [stranger(1)]
    assert outflow["left_us_sats"] == 1_000_000_000 + paid["fee_sats"]
    assert outflow["height"] == synced["height"]
    assert alarm["prior_history"] == {"count": 1, "sum_sats": outflow["left_us_sats"]}
    text = second.run(["status"])
    assert (text.exit_code, text.stderr) == (3, "")
    assert paid["txid"] in text.stdout
    accepted = second.json(["coins", "accept", "--prior-history", "--reason", "before our time"])
    assert accepted["prior_history"] == alarm["prior_history"]
    assert second.json(["status"])["unexplained_outflows"] == []
    again = second.error(["coins", "accept", "--prior-history"], exit_code=7)
    assert again["error"] == "NOTHING_TO_DO"


def test_regtest_mining_pays_an_address_or_nobody(office: Rehearsal) -> None:
    height = office.json(["coins", "list"])["height"]
    given = office.json(["address", "next"])["address"]
    assert office.json(["regtest", "mine", "--to", given])["height"] == height + 1
    assert office.json(["regtest", "mine", "--blocks", 3])["height"] == height + 4
    synced = office.json(["coins", "sync"])
    assert (synced["height"], len(office.json(["coins", "list"])["coins"])) == (height + 4, 3)
    assert office.vault.network is Network.REGTEST
