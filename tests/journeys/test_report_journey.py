"""The report of a period by the command line: a governed payment on the embedded chain, then the auditor's machine."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from support.cli import run, run_json
from support.governed import policy_text
from support.governed_office import GovernedOffice
from support.rehearsal import Rehearsal, stranger
from support.ssh import SshKeygen

PEOPLE = {
    "dora": ("drafter", "signer"),
    "ann": ("administrator", "approver"),
    "bo": ("administrator", "approver"),
    "cy": ("board", "signer"),
    "audrey": ("auditor", "signer"),
}
DAYS = ("--from", "2026-01-01", "--to", "2026-01-31")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory, ssh_keygen: SshKeygen) -> GovernedOffice:
    """A 2-of-3 vault that was founded, mined to, and paid 60 BTC to somebody on its allowlist."""
    folder = tmp_path_factory.mktemp("report")
    made = GovernedOffice(folder / "office", PEOPLE, ssh_keygen)
    policy = policy_text(unlisted="routine", routine="100btc").replace("address_cap: unlimited", "address_cap: 45btc")
    made.found(policy, folder)
    made.mine_to([made.json(["address", "next", "--label", f"pool {number}"])["address"] for number in range(3)])
    change = made.as_("ann", ["allowlist", "add", "supplier", "--address", stranger(1), "--note", "energy"])
    made.carry(change, "ann", "bo")
    made.wait(30)
    payment = made.draft_as("dora", "--to", "supplier=60btc", "--reason", "invoice 17")
    for name in ("ann", "bo"):
        made.approve(name, payment)
    made.send(made.show(payment), 1, 3)
    made.wait(24)
    return made


@pytest.fixture(scope="module")
def told(office: GovernedOffice) -> Any:
    """The report of the month, as JSON."""
    return office.json(["audit", "report", *DAYS])


def test_the_month_is_reconciled_and_names_everybody(office: GovernedOffice, told: Any) -> None:
    balance = told["balance"]
    assert balance["opening_sats"] == 0
    assert balance["mined_sats"] == 150 * 100_000_000
    assert balance["paid_sats"] == 60 * 100_000_000
    assert balance["closing_sats"] == balance["coins_at_closing_sats"] == office.json(["coins", "list"])["total_sats"]
    assert balance["closing_sats"] == balance["mined_sats"] - balance["paid_sats"] - balance["fees_sats"]
    (payment,) = told["outflows"]
    people = payment["people"]
    assert people["drafted_by"] == "dora"
    assert [one["officer"] for one in people["approved_by"]] == ["ann", "bo"]
    assert people["signing"] == {"threshold": 2, "signed": ["c1", "c3"], "missing": 0}
    assert payment["reason"] == "invoice 17"
    assert [(one["payee"], one["value_sats"]) for one in payment["payments"]] == [("supplier", 60 * 100_000_000)]
    assert {one["label"] for one in told["inflows"]} == {"pool 0", "pool 1", "pool 2"}
    assert told["address_cap_sats"] == 45 * 100_000_000
    assert [one["code"] for one in told["findings"]].count("ADDRESS_ABOVE_CAP") == 1
    assert told["journal"]["head"] == office.json(["journal", "verify"])["head"]


def test_blocks_and_days_say_the_same(office: GovernedOffice, told: Any) -> None:
    closing = told["period"]["closing_height"]
    by_height = office.json(["audit", "report", "--from-height", 0, "--to-height", closing])
    assert by_height["balance"] == told["balance"]
    mined = office.json(["audit", "report", "--from-height", 0, "--to-height", told["outflows"][0]["height"] - 1])
    assert mined["balance"]["closing_sats"] == 150 * 100_000_000
    after = office.json(["audit", "report", "--from-height", told["outflows"][0]["height"], "--to-height", closing])
    assert after["balance"]["opening_sats"] == mined["balance"]["closing_sats"]
    assert after["balance"]["closing_sats"] == told["balance"]["closing_sats"]


def test_the_auditor_has_the_same_from_the_export_alone(office: GovernedOffice, told: Any, tmp_path: Path) -> None:
    export, vault = tmp_path / "export.jsonl", office.folder / "vault.yaml"
    head = office.json(["journal", "export", "-o", export])["head"]
    asked = ["audit", "report", "--journal", export, *DAYS, "--expect-head", head]
    theirs = run_json([*asked, "--vault-file", vault])
    assert theirs["journal"]["source"] == "export.jsonl"
    for key in ("balance", "rows", "outflows", "inflows", "coins", "addresses", "period", "vault_id"):
        assert theirs[key] == told[key], key

    other = Rehearsal(tmp_path / "other", threshold=2, keys=2).folder / "vault.yaml"
    refused = run([*asked, "--vault-file", other, "--json"])
    assert (refused.exit_code, refused.error["error"]) == (3, "VAULT_MISMATCH")
    line = export.read_bytes().replace(b"invoice 17", b"invoice 71", 1)
    export.write_bytes(line)
    assert run([*asked, "--json"]).exit_code == 10


def test_a_folder_gets_every_form_and_nothing_is_overwritten(office: GovernedOffice, told: Any, tmp_path: Path) -> None:
    folder = tmp_path / "january"
    written = office.json(["audit", "report", *DAYS, "-o", f"{folder}/"])
    assert written["files"] == [str(folder / name) for name in ("report.html", "report.json", "report.csv")]
    assert json.loads((folder / "report.json").read_bytes()) == told
    rows = list(csv.DictReader(io.StringIO((folder / "report.csv").read_text(), newline="")))
    assert sum(int(row["amount_sats"]) for row in rows) == told["balance"]["closing_sats"]
    page = (folder / "report.html").read_text()
    assert "invoice 17" in page and told["journal"]["head"] in page
    assert office.error(["audit", "report", *DAYS, "-o", folder], exit_code=7)["error"] == "VAULT_EXISTS"
    html = tmp_path / "january.html"
    office.json(["audit", "report", *DAYS, "-o", html])
    assert html.read_text() == page
    assert office.run(["audit", "report", *DAYS, "--format", "html"]).stdout == page
    assert office.error(["audit", "report", *DAYS, "-o", html], exit_code=7)["error"] == "FILE_EXISTS"


def test_fiat_comes_from_the_file_alone(office: GovernedOffice, told: Any, tmp_path: Path) -> None:
    assert told["fiat"] is None
    prices = tmp_path / "prices.csv"
    days = {told["period"]["asked"][-10:], "2025-12-31", *(row["day"] for row in told["rows"])}
    prices.write_text("date,currency,price\n" + "".join(f"{day},USD,50000.5\n" for day in sorted(days)))
    valued = office.json(["audit", "report", *DAYS, "--prices", prices])
    assert valued["fiat"]["outflows"] == "3000030.00"
    assert valued["fiat"]["missing_days"] == []
    prices.write_text("date,currency,price\n2026-01-31,USD,50000.5\n")
    poor = office.json(["audit", "report", *DAYS, "--prices", prices])
    assert poor["fiat"]["outflows"] is None and poor["fiat"]["closing"] is not None
    assert "PRICE_MISSING" in [one["code"] for one in poor["findings"]]
    prices.write_text("date,currency,price\n2026-01-31,USD,many\n")
    refused = office.error(["audit", "report", *DAYS, "--prices", prices], exit_code=6)
    assert refused["error"] == "PRICES_INVALID"


def test_the_screen_says_who_and_what_is_not_proven(office: GovernedOffice) -> None:
    text = office.run(["audit", "report", *DAYS]).stdout
    for words in (
        "reconciled to the satoshi",
        "approved by ann, bo (signatures verified)",
        "signed by c1, c3 (on every input, verified)",
        "drafted by dora",
        "liabilities",
        "what is somebody's word",
        "cap 45.00000000 BTC",
    ):
        assert words in text


@pytest.mark.parametrize(
    "words",
    [
        ["--from", "2026-01-01"],
        ["--from", "2026-01-01", "--to-height", "5"],
        [*DAYS, "--from-height", "1", "--to-height", "5"],
        [*DAYS, "--expect-head", "00" * 32],
        [*DAYS, "-o", "report.pdf"],
    ],
)
def test_a_command_line_that_makes_no_sense_is_exit_2(office: GovernedOffice, words: list[str]) -> None:
    assert office.error(["audit", "report", *words], exit_code=2)["error"] == "USAGE"


def test_a_period_that_was_not_observed_is_refused(office: GovernedOffice) -> None:
    refused = office.error(["audit", "report", "--from-height", 0, "--to-height", 99_999], exit_code=6)
    assert refused["error"] == "REPORT_PERIOD"


def test_an_office_that_never_looked_has_no_report(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    assert office.error(["audit", "report", *DAYS], exit_code=9)["error"] == "SYNC_INCOMPLETE"
