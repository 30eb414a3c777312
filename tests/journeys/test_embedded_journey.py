"""The officer's journey on the embedded chain, through the real command line, and where it must stop."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import Transaction
from custody.workflow.open_vault import open_vault
from custody.workspace.layout import Workspace
from support.cli import run_json
from support.rehearsal import Rehearsal, stranger

BTC = 100_000_000


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    made = Rehearsal(tmp_path / "office")
    made.fund(2)
    return made


@pytest.mark.parametrize(("script", "threshold", "keys"), [("wsh", 3, 5), ("sh-wsh", 2, 3)])
def test_a_payment_from_draft_to_confirmed(tmp_path: Path, script: str, threshold: int, keys: int) -> None:
    office = Rehearsal(tmp_path / "office", threshold=threshold, keys=keys, script=script)
    office.fund(1)
    drafted = office.draft("--to", f"{stranger(1)}=1.5btc", "--reason", "grant 17")
    assert drafted["state"] == "draft"
    assert drafted["destinations"] == [{"address": stranger(1), "value_sats": 150_000_000}]
    decision = drafted["decision"]
    assert (decision["allowed"], decision["reasons"], decision["missing"]) == (True, ["NO_POLICY_ADOPTED"], [])
    assert drafted["signing"] == {"threshold": threshold, "signed": [], "missing": threshold}
    (spent,) = drafted["inputs"]
    assert spent["ours"] is True
    assert spent["value_sats"] == 150_000_000 + drafted["change"][0]["value_sats"] + drafted["fee_sats"]

    devices = range(keys, keys - threshold, -1)
    sent = office.send(drafted, *devices)
    assert sent["state"] == "broadcast"
    assert Transaction.parse(bytes.fromhex(sent["transaction"])).txid == sent["txid"]
    assert (sent["txid"] == sent["unsigned_txid"]) is (script == "wsh")

    office.mine(1)
    assert office.json(["coins", "sync"])["complete"] is True
    assert office.show(drafted)["state"] == "mined"
    office.mine(5)
    listed = office.json(["coins", "sync"])
    assert office.show(drafted)["state"] == "confirmed"
    assert listed["total_sats"] == drafted["change"][0]["value_sats"]
    assert office.json(["status"])["unexplained_outflows"] == []


def test_two_drafts_never_share_a_coin(office: Rehearsal) -> None:
    first = office.draft("--to", f"{stranger(1)}=10btc")
    second = office.draft("--to", f"{stranger(2)}=10btc")
    assert {one["txid"] for one in first["inputs"]}.isdisjoint({one["txid"] for one in second["inputs"]})
    refused = office.error(["proposal", "draft", "--fee-rate", "5", "--to", f"{stranger(3)}=1btc"], exit_code=7)
    assert refused["error"] == "INSUFFICIENT_FUNDS"
    coin = f"{first['inputs'][0]['txid']}:{first['inputs'][0]['vout']}"
    by_name = ["proposal", "draft", "--fee-rate", "5", "--to", f"{stranger(3)}=1btc", "--coin", coin]
    assert office.error(by_name, exit_code=7)["error"] == "COIN_RESERVED"


def test_a_replacement_names_what_it_replaces_and_pays_the_same(office: Rehearsal) -> None:
    first = office.draft("--to", f"{stranger(1)}=60btc")
    other = ["proposal", "draft", "--fee-rate", "9", "--to", f"{stranger(2)}=60btc", "--replaces", first["proposal_id"]]
    assert office.error(other, exit_code=3)["error"] == "REPLACEMENT_CHANGES_PAYEE"
    same = ["proposal", "draft", "--fee-rate", "9", "--to", f"{stranger(1)}=60btc", "--replaces", first["proposal_id"]]
    assert office.json(same)["replaces"] == first["proposal_id"]


def test_a_held_draft_may_be_replaced_by_another_payee(office: Rehearsal) -> None:
    first = office.draft("--to", f"{stranger(1)}=60btc", "--hold")
    assert first["has_left"] is False
    other = office.draft("--to", f"{stranger(2)}=60btc", "--replaces", first["proposal_id"])
    assert office.show(first)["state"] == "replaced"
    assert other["state"] == "draft"


def test_an_expired_draft_that_was_held_gives_its_coins_back(office: Rehearsal) -> None:
    held = office.draft("--to", f"{stranger(1)}=90btc", "--hold")
    office.mine(6 * 24 * 15)
    office.json(["coins", "sync"])
    assert office.show(held)["state"] == "expired"
    sign = ["proposal", "sign", held["proposal_id"], "--simulator", 1, "--confirm-sats", 90 * BTC]
    assert office.error(sign, exit_code=7)["error"] == "PROPOSAL_EXPIRED"
    office.draft("--to", f"{stranger(2)}=90btc")


def test_an_exported_draft_stays_spendable_and_a_second_payment_must_be_said(office: Rehearsal) -> None:
    left = office.draft("--to", f"{stranger(1)}=10btc")
    assert office.json(["proposal", "withdraw", left["proposal_id"]])["state"] == "still-spendable"
    again = ["proposal", "draft", "--fee-rate", "5", "--to", f"{stranger(1)}=10btc"]
    assert office.error(again, exit_code=7)["error"] == "SECOND_PAYMENT"
    assert office.json([*again, "--second-payment"])["state"] == "draft"


def test_cancel_ends_a_proposal_that_left(office: Rehearsal) -> None:
    left = office.draft("--to", f"{stranger(1)}=10btc")
    cancel = office.json(["proposal", "cancel", left["proposal_id"], "--fee-rate", "20"])
    assert cancel["kind"] == "cancel"
    assert cancel["destinations"] == []
    assert len(cancel["change"]) == 1
    office.send(cancel, 1, 2)
    office.mine(6)
    office.json(["coins", "sync"])
    assert office.show(left)["state"] == "replaced"
    assert office.show(cancel)["state"] == "confirmed"


def test_bump_replaces_in_the_mempool_and_keeps_the_payees(office: Rehearsal) -> None:
    first = office.draft("--to", f"{stranger(1)}=10btc")
    office.send(first, 1, 2)
    bumped = office.json(["proposal", "bump", first["proposal_id"], "--fee-rate", "30"])
    assert bumped["destinations"] == first["destinations"]
    assert bumped["fee_sats"] > first["fee_sats"]
    sent = office.send(bumped, 2, 3)
    office.mine(6)
    office.json(["coins", "sync"])
    assert office.show(bumped)["state"] == "confirmed"
    assert office.show(first)["state"] == "replaced"
    assert sent["replaces"] == first["proposal_id"]


def test_a_reorganization_takes_a_confirmed_payment_back(office: Rehearsal) -> None:
    paid = office.draft("--to", f"{stranger(1)}=10btc")
    office.send(paid, 1, 3)
    office.mine(6)
    office.json(["coins", "sync"])
    assert office.show(paid)["state"] == "confirmed"
    with office.chain() as chain:
        chain.mine_fork(chain.tip().height - 6, 8, b"\x51")
    synced = office.json(["coins", "sync"])
    assert len(synced["vanished_blocks"]) == 1
    assert office.show(paid)["state"] == "broadcast"
    assert office.json(["status"])["taken_back"] == [paid["unsigned_txid"]]
    office.run(["journal", "export", "-o", office.folder / "export.jsonl"])
    audited = run_json(["audit", "journal", office.folder / "export.jsonl"])
    assert (audited["ok"], audited["findings"]) == (True, [])


def test_a_spend_made_outside_is_an_unexplained_outflow(office: Rehearsal) -> None:
    drafted = office.draft("--to", f"{stranger(1)}=10btc")
    raw = _signed_elsewhere(office, drafted["psbt"])
    with office.chain() as chain:
        chain.broadcast(raw)
        chain.mine(1, b"\x51")
    office.json(["coins", "sync"])
    assert office.show(drafted)["state"] == "mined"  # ours, seen on the chain, closes the proposal

    foreign = office.draft("--to", f"{stranger(2)}=10btc", "--hold")
    stranger_raw = _signed_elsewhere(office, foreign["psbt"], pay_more=True)
    with office.chain() as chain:
        chain.broadcast(stranger_raw)
        chain.mine(1, b"\x51")
    office.json(["coins", "sync"])
    status = office.json(["status"], exit_code=3)
    (outflow,) = status["unexplained_outflows"]
    txid = Transaction.parse(stranger_raw).txid
    assert (outflow["code"], outflow["txid"]) == ("UNEXPLAINED_OUTFLOW", txid)
    draft = ["proposal", "draft", "--fee-rate", "5", "--to", f"{stranger(3)}=1btc"]
    assert office.error(draft, exit_code=3)["error"] == "UNEXPLAINED_OUTFLOW"
    assert office.show(foreign)["state"] in ("void", "draft", "still-spendable")
    office.json(["coins", "accept", txid, "--reason", "paid by hand"])
    assert office.json(["status"])["unexplained_outflows"] == []


def test_what_comes_back_may_be_trimmed_final_or_raw(office: Rehearsal, tmp_path: Path) -> None:
    drafted = office.draft("--to", f"{stranger(1)}=10btc")
    raw = base64.b64decode(drafted["psbt"])
    signed = Psbt.parse(office.device(2).sign(raw))
    trimmed = replace(
        signed,
        global_xpubs=(),
        inputs=tuple(
            replace(one, non_witness_utxo=None, witness_utxo=None, witness_script=None, derivations=())
            for one in signed.inputs
        ),
    )
    unsigned, part = tmp_path / "unsigned.psbt", tmp_path / "part.psbt"
    unsigned.write_bytes(raw)
    part.write_bytes(trimmed.serialize())
    assert office.error(["proposal", "add", unsigned], exit_code=5)["error"] == "NO_SIGNATURES"
    assert office.json(["proposal", "add", part])["signing"]["signed"] == ["c2"]
    again = office.json(["proposal", "add", part])
    assert (again["new_signatures"], again["signing"]["signed"]) == (0, ["c2"])
    final = tmp_path / "final.txn"
    final.write_text(_signed_elsewhere(office, drafted["psbt"]).hex())
    added = office.json(["proposal", "add", final])
    assert added["state"] == "signed"
    assert set(added["signing"]["signed"]) >= {"c1", "c2"}


def test_warnings_are_acknowledged_by_their_exact_words(office: Rehearsal) -> None:
    drafted = office.draft("--to", f"{stranger(1)}=0.0001btc", "--max-fee-sats", "900000", "--coin", _coin(office))
    sign = ["proposal", "sign", drafted["proposal_id"], "--simulator", 1, "--confirm-sats", 10_000]
    assert office.error([*sign, "--ack", "NOT_A_WARNING@tx"], exit_code=2)["error"] == "ACK_UNKNOWN"
    assert office.json(sign)["signing"]["signed"] == ["c1"]


def test_an_empty_answer_signs_nothing(office: Rehearsal) -> None:
    drafted = office.draft("--to", f"{stranger(1)}=10btc")
    refused = office.run(["proposal", "sign", drafted["proposal_id"], "--simulator", 1, "--json"], stdin="\n")
    assert refused.exit_code == 5
    assert "CONFIRMATION_EMPTY" in refused.stderr
    wrong = office.run(["proposal", "sign", drafted["proposal_id"], "--simulator", 1, "--json"], stdin="7\n")
    assert (wrong.exit_code, "CONFIRMATION_MISMATCH" in wrong.stderr) == (5, True)
    assert office.show(drafted)["signing"]["signed"] == []


def test_broadcast_repeated_is_success_and_writes_nothing(office: Rehearsal) -> None:
    paid = office.draft("--to", f"{stranger(1)}=10btc")
    office.send(paid, 1, 2)
    before = office.json(["journal", "verify"])["head"]
    again = office.json(["proposal", "broadcast", paid["proposal_id"], "--confirm-sats", paid["confirm_sats"]])
    assert again["state"] == "broadcast"
    assert office.json(["journal", "verify"])["head"] == before


def test_broadcast_before_finalize_is_not_yet(office: Rehearsal) -> None:
    paid = office.draft("--to", f"{stranger(1)}=10btc")
    assert office.error(["proposal", "finalize", paid["proposal_id"]], exit_code=5)["error"] == "SIGNATURES_MISSING"
    assert office.error(["proposal", "broadcast", paid["proposal_id"], "--confirm-sats", 0], exit_code=5)


def test_a_payments_file_and_a_sweep(office: Rehearsal, tmp_path: Path) -> None:
    payments = tmp_path / "payroll.csv"
    payments.write_text(f"address,amount\n{stranger(1)},1btc\n{stranger(2)},25000000sat\n")
    drafted = office.draft("--payments", str(payments))
    assert [one["value_sats"] for one in drafted["destinations"]] == [BTC, 25_000_000]
    office.send(drafted, 1, 2)
    office.mine(6)
    office.json(["coins", "sync"])
    total = office.json(["coins", "list"])["spendable_sats"]
    swept = office.draft("--to", f"{stranger(3)}=all")
    assert swept["change"] == []
    assert swept["destinations"][0]["value_sats"] == total - swept["fee_sats"]


def test_without_an_estimate_nothing_is_guessed(office: Rehearsal) -> None:
    answer = office.error(["proposal", "draft", "--to", f"{stranger(1)}=1btc"], exit_code=9)
    assert answer["error"] == "NO_FEE_ESTIMATE"


def _coin(office: Rehearsal) -> str:
    coin = office.json(["coins", "list"])["coins"][0]
    return f"{coin['txid']}:{coin['vout']}"


def _signed_elsewhere(office: Rehearsal, psbt_base64: str, *, pay_more: bool = False) -> bytes:
    """Return the final transaction that the devices make without our journal, with another amount if asked."""
    from custody.bitcoin.psbt_roles import extract, finalize
    from custody.spend.review import review
    from custody.spend.review_inputs import spend_scripts
    from custody.spend.review_model import ReviewContext
    from custody.spend.review_places import VaultScripts

    psbt = Psbt.parse(base64.b64decode(psbt_base64))
    if pay_more:
        outputs = tuple(replace(one, value=one.value - 1_000) for one in psbt.outputs)
        psbt = replace(psbt, outputs=outputs)
    for number in (1, 2):
        psbt = Psbt.parse(office.device(number).sign(psbt.serialize()))
    vault = open_vault(Workspace(office.folder)).vault
    scripts = spend_scripts(review(psbt, vault, ReviewContext()).inputs, VaultScripts.of(vault))
    return extract(finalize(psbt, scripts)).serialize()
