"""A public page from a real vault, checked by the very command lines that it prints, with a real node on its chain."""

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from custody.audit.publish.commitments import parse_salts
from custody.audit.publish.facts import PageSources, open_facts
from custody.audit.reserves.statement import parse_statement
from custody.bitcoin.amount import sats
from custody_cli.demo_audit import sign_folder
from custody_cli.page_check import attached_files, generator
from custody_cli.page_render import render_site
from support.cli import Result, run, run_json
from support.node import Node, find_bitcoind, start, stop
from support.pages import sample_head
from support.rehearsal import Rehearsal

TOTAL = 150_00000000


@dataclass(frozen=True)
class Reserve:
    """A vault with three coins, its statement, and a real node that knows its chain."""

    office: Rehearsal
    folder: Path
    node: Node

    @property
    def statement(self) -> Path:
        """The custodian's statement."""
        return self.folder / "statement.json"

    @property
    def chain(self) -> list[str | Path]:
        """The options that name the real node."""
        cookie = self.node.login.cookie_file
        assert cookie is not None
        return ["--node", self.node.login.url, "--cookie", cookie]

    def publish(self, page: Path, *options: str | Path) -> Result:
        """Publish with the custodian's embedded chain."""
        return self.office.run(["audit", "publish", "--statement", self.statement, "-o", page, *options])


@pytest.fixture(scope="module")
def reserve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reserve]:
    program = find_bitcoind()
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("no bitcoind: run `make node`, or set BITCOIND")
        pytest.skip("no bitcoind: run `make node`, or set BITCOIND")
    folder = tmp_path_factory.mktemp("reserve")
    office = Rehearsal(folder / "office")
    office.fund(3)
    challenge = folder / "challenge.json"
    who = ["--network", "regtest", "--holder", "Republic of Tests", "--purpose", "audit 2026"]
    office.json(["audit", "reserves", "challenge", *who, "-o", challenge])
    prove = ["audit", "reserves", "prove", "--challenge", challenge]
    office.json([*prove, "-o", folder / "proofs"])
    assert sign_folder(office.vault, folder / "proofs", (1, 3)) == 3
    office.json([*prove, "--signed", folder / "proofs", "-o", folder / "statement.json", "--disclose", "descriptor"])
    answer = office.json(["regtest", "export", "-o", folder / "blocks.dat"])
    (folder / "node").mkdir()
    process, node = start(program, folder / "node", f"-loadblock={folder / 'blocks.dat'}", "-maxtipage=1000000000")
    try:
        while node.backend().tip().height < answer["height"]:
            node.rpc("waitforblockheight", answer["height"], 1_000)
        yield Reserve(office, folder, node)
    finally:
        stop(process)


@pytest.fixture
def page(reserve: Reserve, tmp_path: Path) -> Path:
    """Publish a page."""
    made = reserve.publish(tmp_path / "page")
    assert made.exit_code == 0, made.stderr
    return tmp_path / "page"


class _Commands(HTMLParser):
    """The command lines that a page prints."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre" and ("class", "cmd") in attrs:
            self._inside = True
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found[-1] += data


def _printed(page: Path) -> list[str]:
    parser = _Commands()
    parser.feed((page / "verify.html").read_text())
    return [command.replace("\\\n", " ") for command in parser.found]


def _run_printed(page: Path, reserve: Reserve, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Run the page's own verify command in its folder; only node and cookie are the reader's own, as the page asks."""
    (words,) = (shlex.split(one) for one in _printed(page) if one.startswith("custody audit reserves verify"))
    mine = dict(zip(("--node", "--cookie"), reserve.chain[1::2], strict=True))
    for option, value in mine.items():
        words[words.index(option) + 1] = str(value)
    monkeypatch.chdir(page)
    return run([*words[1:], "--json"])


@pytest.mark.node
def test_the_printed_command_verifies_the_page(reserve: Reserve, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = _run_printed(page, reserve, monkeypatch)
    assert result.exit_code == 0, (result.stdout, result.stderr)
    assert result.json["result"] == "valid"
    assert result.json["total_sats"] == TOTAL
    assert "150.00000000 <span>BTC" in (page / "index.html").read_text()


@pytest.mark.node
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("index.html", b"150.00000000 <span>", b"950.00000000 <span>"),
        ("index.html", b">50.00000000<", b">90.00000000<"),
        ("verify.html", b"must be 150.00000000", b"must be 950.00000000"),
        ("page.json", b'"total_sats":15000000000', b'"total_sats":95000000000'),
        ("page.json", b'"proved_sats":15000000000', b'"proved_sats":14000000000'),
    ],
)
def test_the_printed_command_catches_a_changed_number(
    reserve: Reserve, page: Path, monkeypatch: pytest.MonkeyPatch, name: str, old: bytes, new: bytes
) -> None:
    content = (page / name).read_bytes()
    assert old in content
    (page / name).write_bytes(content.replace(old, new, 1))
    result = _run_printed(page, reserve, monkeypatch)
    assert result.exit_code == 3, result.stdout
    if b'"total_sats"' in old:
        # Its own amounts contradict it: no more is read.
        assert result.error["error"] == "PAGE_DIFFERS"
        return
    assert result.json["result"] == "invalid"
    assert ("PAGE_DIFFERS", f"page:{name}") in {(one["code"], one["where"]) for one in result.json["findings"]}


@pytest.mark.node
def test_the_printed_command_catches_a_statement_and_a_page_changed_together(
    reserve: Reserve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A forger with our own renderer: a coin of 50 BTC is said to be of 500, and every file agrees with that.
    honest = parse_statement(reserve.statement.read_bytes())
    first, *rest = honest.coins
    richer = replace(honest, coins=(replace(first, value=sats(500_00000000)), *rest), total=sats(600_00000000))
    block = reserve.node.backend().block_at(honest.challenge.height)
    assert block is not None
    facts = open_facts(PageSources(generator(), (richer,), block.median_time_past, ()))
    page = tmp_path / "page"
    page.mkdir()
    for name, content in render_site(facts, attached_files((richer,), (), facts.disclosure)).items():
        (page / name).write_bytes(content)
    result = _run_printed(page, reserve, monkeypatch)
    assert result.exit_code == 3
    codes = {one["code"] for one in result.json["findings"] if one["severity"] == "refuse"}
    assert "PAGE_DIFFERS" not in codes
    assert "RESERVE_COIN_UNKNOWN" in codes


@pytest.mark.node
def test_bitcoin_core_alone_answers_what_the_page_says(reserve: Reserve, page: Path) -> None:
    client = shutil.which(str(reserve.node.program.parent / "bitcoin-cli")) or shutil.which("bitcoin-cli")
    if client is None:
        pytest.skip("no bitcoin-cli beside bitcoind")
    port = reserve.node.login.url.rsplit(":", 1)[1]
    answers = {}
    for line in (one for one in _printed(page) if one.startswith("bitcoin-cli")):
        named = f"{shlex.quote(client)} -datadir={shlex.quote(str(reserve.node.folder))} -rpcport={port}"
        command = line.replace("bitcoin-cli", named, 1)
        done = subprocess.run(["bash", "-c", command], cwd=page, capture_output=True, text=True, check=True)
        answers[re.findall(r"get\w+|scan\w+", line)[0]] = done.stdout
    facts = json.loads((page / "page.json").read_text())
    assert answers["getblockhash"].strip() == facts["block"]["hash"]
    assert json.loads(answers["getblockheader"])["mediantime"] == facts["block"]["median_time"]
    found = json.loads(answers["scantxoutset"], parse_float=Decimal)
    assert found["success"] is True
    assert int(found["total_amount"] * 100_000_000) == facts["total_sats"] == TOTAL


@pytest.mark.node
def test_the_sums_hold(page: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=page, capture_output=True, text=True, check=True)
    assert all(line.endswith(": OK") for line in done.stdout.splitlines())


@pytest.mark.node
def test_a_page_is_checked_by_a_real_node_as_by_the_custodian_and_old_age_is_no_fault(
    reserve: Reserve, page: Path
) -> None:
    # 200 blocks later the challenge is stale for an auditor; the page still says its own block, and holds.
    height = reserve.node.backend().tip().height
    if height < 400:
        reserve.node.rpc("generatetodescriptor", 400 - height, "raw(51)")
    stale = run(["audit", "reserves", "verify", reserve.statement, *reserve.chain, "--json"])
    assert stale.exit_code == 3
    assert "HEIGHT_STALE" in {one["code"] for one in stale.json["findings"]}
    answer = run_json(["audit", "reserves", "verify", "--page", page, *reserve.chain])
    assert (answer["result"], answer["total_sats"]) == ("valid", TOTAL)


@pytest.mark.node
def test_equal_input_gives_equal_bytes(reserve: Reserve, page: Path, tmp_path: Path) -> None:
    assert reserve.publish(tmp_path / "again", *reserve.chain).exit_code == 0
    first, second = ({one.name: one.read_bytes() for one in folder.iterdir()} for folder in (page, tmp_path / "again"))
    assert first == second


@pytest.mark.node
def test_it_says_where_the_whole_vault_becomes_public(reserve: Reserve, tmp_path: Path) -> None:
    assert "everybody sees all its addresses" in reserve.publish(tmp_path / "disclosed").stdout
    hidden = reserve.publish(tmp_path / "hidden", "--commitments", "--salts", tmp_path / "salts.json")
    assert "everybody sees" not in hidden.stdout


@pytest.mark.node
def test_nothing_is_written_without_a_clean_yes(reserve: Reserve, tmp_path: Path) -> None:
    changed = tmp_path / "changed.json"
    honest = reserve.statement.read_bytes()
    assert b'"total_sats":15000000000' in honest
    changed.write_bytes(honest.replace(b'"total_sats":15000000000', b'"total_sats":16000000000'))
    refused = reserve.office.run(["audit", "publish", "--statement", changed, "-o", tmp_path / "page"])
    assert refused.exit_code == 3
    assert "RESERVE_TOTAL_DIFFERS" in refused.stdout
    assert not (tmp_path / "page").exists()


@pytest.mark.node
def test_a_snapshot_is_not_enough_for_a_public_total(reserve: Reserve, tmp_path: Path) -> None:
    reserve.office.json(["coins", "sync", "--to", tmp_path / "snapshot.json"])
    page = tmp_path / "page"
    error = reserve.office.error(
        ["audit", "publish", "--statement", reserve.statement, "-o", page, "--snapshot", tmp_path / "snapshot.json"],
        exit_code=9,
    )
    assert error["error"] == "UTXO_UNVERIFIED"
    assert not page.exists()


@pytest.mark.node
def test_an_older_page_is_replaced_and_anything_else_is_not(reserve: Reserve, page: Path, tmp_path: Path) -> None:
    assert reserve.publish(page).exit_code == 7
    (page / "index.html").write_text("an older page")
    assert reserve.publish(page, "--replace").exit_code == 0
    assert "150.00000000" in (page / "index.html").read_text()
    (page / "CNAME").write_text("reserve.example.org\n")
    refused = reserve.publish(page, "--replace")
    assert refused.exit_code == 7
    assert "CNAME" in refused.stderr
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("mine")
    assert reserve.publish(mine, "--replace").exit_code == 6
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]


@pytest.mark.node
def test_a_signed_head_of_the_journal_is_published_and_must_be_of_this_vault(reserve: Reserve, tmp_path: Path) -> None:
    mine = sample_head(vault_id=reserve.office.vault.vault_id)
    for name, head in (("mine.json", mine), ("other.json", sample_head())):
        (tmp_path / name).write_bytes(head.to_bytes())
    page = tmp_path / "page"
    assert reserve.publish(page, "--journal-checkpoint", tmp_path / "other.json").exit_code == 3
    assert not page.exists()
    assert reserve.publish(page, "--journal-checkpoint", tmp_path / "mine.json").exit_code == 0
    assert mine.head in (page / "index.html").read_text()
    verify = ["audit", "reserves", "verify", "--page", page, *reserve.chain]
    assert run_json(verify)["result"] == "valid"
    content = (page / "checkpoint-1.json").read_bytes()
    (page / "checkpoint-1.json").write_bytes(content.replace(mine.head.encode(), b"00" * 32))
    assert run_json(verify, exit_code=3)["result"] == "invalid"


@pytest.mark.node
def test_a_page_of_commitments(reserve: Reserve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, salts = tmp_path / "page", tmp_path / "salts.json"
    assert reserve.publish(page, "--commitments").exit_code == 2
    made = reserve.publish(page, "--commitments", "--salts", salts)
    assert made.exit_code == 0, made.stderr
    assert stat.S_IMODE(salts.stat().st_mode) == 0o600
    opened = parse_salts(salts.read_bytes())
    everything = b"".join(path.read_bytes() for path in page.iterdir()).decode()
    for one in opened.salted:
        assert one.address not in everything
        assert one.salt not in everything
        assert one.commitment(opened.network) in everything
    again = tmp_path / "again"
    assert reserve.publish(again, "--commitments", "--salts", salts).exit_code == 0
    assert (again / "index.html").read_bytes() == (page / "index.html").read_bytes()

    # The public can't count it, and is told so; whoever holds the statement can.
    verify = ["audit", "reserves", "verify", "--page", page, *reserve.chain]
    answer = run_json(verify, exit_code=9)
    assert answer["result"] == "inconclusive"
    assert "total_sats" not in answer
    assert run_json([*verify, reserve.statement])["total_sats"] == TOTAL
    changed = (page / "index.html").read_bytes().replace(b"150.00000000 <span>", b"950.00000000 <span>")
    (page / "index.html").write_bytes(changed)
    assert run_json(verify, exit_code=3)["result"] == "invalid"
    assert run_json([*verify, reserve.statement], exit_code=3)["result"] == "invalid"
