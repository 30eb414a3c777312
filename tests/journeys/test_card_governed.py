"""A governed payment by SD card: nothing leaves and nothing comes in before the approvals; the bundle goes along."""

from pathlib import Path

import pytest

from custody.bitcoin.psbt import psbt_from_text_or_bytes
from custody.vault.formats import vault_file
from support.cards import ANSWERS, sign_card
from support.cli import run_json
from support.governed import ROLES, policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import stranger
from support.review_cases import sign
from support.ssh import SshKeygen


@pytest.fixture
def office(tmp_path: Path, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A founded 2-of-3 reserve with funds."""
    made = GovernedOffice(tmp_path / "office", ROLES, ssh_keygen)
    made.fund()
    made.found(policy_text(unlisted="routine"), tmp_path)
    return made


def test_a_governed_card_carries_the_bundle_and_waits_for_the_approvals(office: GovernedOffice, tmp_path: Path) -> None:
    payment, card = office.draft_as("dora", "--to", f"{stranger(1)}=1btc"), tmp_path / "card"
    card.mkdir()
    export = ["proposal", "export", payment["proposal_id"], "--to", card]
    assert office.error(export, exit_code=5)["error"] == "APPROVALS_MISSING"
    assert not list(card.iterdir())

    early = tmp_path / "early"
    early.mkdir()
    psbt = psbt_from_text_or_bytes(payment["psbt"].encode())
    (early / "signed.psbt").write_bytes(sign(psbt, office.vault, 1).serialize())
    head = office.json(["journal", "verify"])["head"]
    answer = office.json(["proposal", "add", early], exit_code=5)
    assert [one["code"] for one in answer["refused"]] == ["APPROVALS_MISSING"]
    assert answer["new_signatures"] == 0
    assert office.json(["journal", "verify"])["head"] == head

    office.approve("ann", payment)
    office.approve("bo", payment)
    written = office.json(export)["files"]
    assert [one["kind"] for one in written] == ["psbt", "bundle", "page"] * 3 + ["checksums"] * 3
    (page,) = card.glob("*-1-c1-read-me.txt")
    assert "approved by           ann, bo" in page.read_text()
    (bundle,) = card.glob("*-1-c1.bundle")
    assert bundle.name in page.read_text()

    mine, pin = tmp_path / "vault.yaml", tmp_path / "trust.yaml"
    mine.write_text(vault_file.write(office.vault))
    digest = office.json(["change", "list"])["newest"]["digest"]
    told = ["--vault-file", mine, "--pin", pin]
    run_json(["pin", "create", bundle, *told, "--confirm-digest", digest])
    review = run_json(["psbt", "review", bundle, *told, "--expect-txid", payment["unsigned_txid"]])
    assert review["verdict"] in ("clean", "warned")

    sign_card(office, card, 1, ANSWERS["passport"])
    sign_card(office, card, 2, ANSWERS["keystone"])
    added = office.json(["proposal", "add", card, early])
    assert added["signing"]["signed"] == ["c1", "c2"]
    messages = {one["file"]: one["message"] for one in added["files"]}
    assert messages[str(bundle)] == "written by the export"
    assert messages[str(early / "signed.psbt")] == "every signature in it is in another file of the card too"
    assert office.send(payment)["state"] == "broadcast"


def test_the_books_say_who_was_paid_why_and_who_agreed(office: GovernedOffice) -> None:
    change = office.as_("ann", ["allowlist", "add", "exchange", "--address", stranger(7), "--note", "desk of bank X"])
    office.carry(change, "ann", "bo")
    office.wait(25)
    payment = office.draft_as("dora", "--to", "exchange=2btc", "--reason", "settlement 4")
    for name in ("ann", "bo"):
        office.approve(name, payment)
    office.send(payment, 1, 3)
    office.mine(6)
    office.json(["coins", "sync"])
    told = office.json(["coins", "history"])
    (paid,) = [row for row in told["rows"] if row["kind"] == "paid"]
    assert (paid["payee"], paid["reason"], paid["approved_by"]) == ("exchange", "settlement 4", ["ann", "bo"])
    assert (paid["address"], paid["amount_sats"]) == (stranger(7), -200_000_000)
    assert sum(row["amount_sats"] for row in told["rows"]) == office.json(["coins", "list"])["total_sats"]
    content = office.run(["coins", "history", "-o", "-"]).stdout
    assert f',exchange,settlement 4,{payment["proposal_id"]},"ann, bo",' in content
