"""`custody audit addresses` through the real command line: every form, one digest, nothing that only looks complete."""

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from custody.bitcoin.network import Network
from custody.bitcoin.second_opinion import SecondOpinion
from custody_cli import audit_addresses
from support.cli import run, run_json
from support.psbt_builder import TestVault
from support.vaults import rechecksummed

CUSTODY = [sys.executable, "-c", "from custody_cli.app import main; main()"]
BRANCHES = ("receive", "change")
VAULT = TestVault()


@pytest.fixture
def source(tmp_path: Path) -> list[str | Path]:
    path = tmp_path / "descriptor.txt"
    path.write_text(VAULT.descriptor_text)
    return ["--descriptor", path, "--network", "regtest"]


def expected(start: int, count: int) -> list[tuple[str, int, str]]:
    """What libwally alone says."""
    second = SecondOpinion(VAULT.descriptor_text, Network.REGTEST)
    return [
        (name, start + offset, address)
        for position, name in enumerate(BRANCHES)
        for offset, address in enumerate(second.addresses(position, start, count))
    ]


def test_every_form_has_the_same_addresses_and_the_same_digest(source: list[str | Path], tmp_path: Path) -> None:
    asked = ["audit", "addresses", *source, "--start", 40, "--count", 3]
    told = expected(40, 3)
    document = run_json(asked)
    rows = [(one["branch"], one["index"], one["address"]) for one in document["addresses"]]
    assert rows == told
    assert (document["network"], document["count"], document["complete"]) == ("regtest", 6, True)

    table = run(asked).stdout.splitlines()
    assert [line.split()[:2] for line in table[:6]] == [[name, str(index)] for name, index, _ in told]
    assert ["".join(line.split()[2:]) for line in table[:6]] == [address for _, _, address in told]
    assert table[6].startswith("complete: 6 addresses")
    assert table[-1] == f"sha256 {document['sha256']}"

    lines = [json.loads(line) for line in run([*asked, "--format", "jsonl"]).stdout.splitlines()]
    assert lines[:-1] == document["addresses"]
    assert (lines[-1]["complete"], lines[-1]["sha256"]) == (True, document["sha256"])

    sheet = run([*asked, "--format", "csv"]).stdout.splitlines(keepends=True)
    assert hashlib.sha256("".join(sheet[1:-1]).encode()).hexdigest() == document["sha256"]
    assert sheet[-1] == f"complete,6,sha256,{document['sha256']}\n"

    for form in ("csv", "jsonl"):
        path = tmp_path / f"all.{form}"
        wrote = run_json([*asked, "-o", path])
        assert (wrote["format"], wrote["count"], wrote["sha256"]) == (form, 6, document["sha256"])
        assert path.read_text() == run([*asked, "--format", form]).stdout


def test_keys_are_those_of_address_list(source: list[str | Path], tmp_path: Path) -> None:
    run_json(["vault", "import", source[1], tmp_path / "v", "--name", "v", "--network", "regtest"])
    vault_file = tmp_path / "v" / "vault.yaml"
    listed = run_json(["address", "list", "--vault-file", vault_file, "--branch", "change", "--start", 7, "--count", 4])
    audited = run_json(
        ["audit", "addresses", "--vault-file", vault_file, "--branch", "change", "--start", 7, "--count", 4]
    )
    assert {name: audited[name] for name in listed} == listed


def test_a29_without_options_a_thousand_of_each_branch_are_rebuilt(source: list[str | Path]) -> None:
    document = run_json(["audit", "addresses", *source])
    assert document["count"] == 2_000
    assert [one["index"] for one in document["addresses"]] == [*range(1_000), *range(1_000)]


def test_a29_a_hint_behind_the_descriptor_is_said_and_narrows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hinted.txt"
    path.write_text(rechecksummed(VAULT.descriptor_text.partition("#")[0] + "?gl=1&bh=900000"))
    asked = ["audit", "addresses", "--descriptor", path, "--network", "regtest"]
    document = run_json([*asked, "--count", 30])
    assert [one["code"] for one in document["findings"]] == ["ANNOTATION_PRESENT"]
    assert document["count"] == 60
    assert "ANNOTATION_PRESENT" in run([*asked, "--count", 3]).stdout
    sheet = run([*asked, "--count", 3, "--format", "csv"])
    assert "ANNOTATION_PRESENT" in sheet.stderr
    assert sheet.stdout.startswith("branch,index,address,script_pubkey\n")


def test_a_person_at_a_terminal_sees_how_far_it_is_without_asking(source: list[str | Path], tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    asked = [*CUSTODY, "audit", "addresses", *map(str, source), "--count", "4000", "-o", str(tmp_path / "all.csv")]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=theirs) as work:
        os.close(theirs)
        seen = b""
        while b" a second" not in seen:
            seen += os.read(ours, 1000)
        work.kill()
    os.close(ours)
    assert b"rebuilding addresses by two engines: " in seen
    assert b" of 8,000 (" in seen


def test_a96_no_cell_can_become_a_formula(source: list[str | Path]) -> None:
    shown = run(["audit", "addresses", *source, "--count", 2, "--format", "csv"]).stdout
    cells = [cell for row in csv.reader(io.StringIO(shown)) for cell in row]
    assert len(cells) == 4 * 6
    assert all(cell.isalnum() or cell == "script_pubkey" for cell in cells)


def test_a_difference_between_the_engines_is_exit_3_and_no_file(
    source: list[str | Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = SecondOpinion.addresses

    def lying(self: SecondOpinion, branch: int, start: int, count: int) -> list[str]:
        true = whole(self, branch, start, count)
        return [*true[:-1], true[0]] if branch == 1 else true

    monkeypatch.setattr(SecondOpinion, "addresses", lying)
    asked = ["audit", "addresses", *source, "--count", 3]
    for form in ("table", "csv", "jsonl"):
        path = tmp_path / form
        shown = run([*asked, "--format", form, "-o", path])
        assert (shown.exit_code, shown.stdout) == (3, "")
        assert "ENGINES_DISAGREE" in shown.stderr
        assert "change 2" in shown.stderr
        assert not path.exists()
        streamed = run([*asked, "--format", form])
        assert streamed.exit_code == 3
        assert "complete" not in streamed.stdout
    document = run([*asked, "--json"])
    assert document.exit_code == 3
    assert document.error["error"] == "ENGINES_DISAGREE"
    with pytest.raises(json.JSONDecodeError):
        json.loads(document.stdout)


def test_a_killed_command_leaves_no_file_and_nothing_that_says_complete(
    source: list[str | Path], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    asked = [*CUSTODY, "audit", "addresses", *map(str, source), "--count", "1000000", "--format", "jsonl"]
    with subprocess.Popen([*asked, "-o", str(folder / "all.jsonl")], stderr=subprocess.DEVNULL) as writing:
        while not any(one.stat().st_size for one in folder.iterdir()):
            assert writing.poll() is None
            os.sched_yield()
        writing.send_signal(signal.SIGKILL)
    assert not (folder / "all.jsonl").exists()
    with subprocess.Popen(asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as streaming:
        assert streaming.stdout is not None
        seen = os.read(streaming.stdout.fileno(), 1000)
        streaming.send_signal(signal.SIGKILL)
        seen += streaming.stdout.read()
    assert seen
    assert b"complete" not in seen


def test_a_file_is_never_overwritten_and_said_so_before_the_work(source: list[str | Path], tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("mine")
    shown = run(["audit", "addresses", *source, "--count", 10_000_000, "-o", path])
    assert (shown.exit_code, shown.stdout) == (7, "")
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--json", "--format", "csv"], 2),
        (["--branch", "both", "--start", 2**31 - 1, "--count", 2], 6),
        (["--count", 0], 2),
        (["--processes", 0], 2),
    ],
)
def test_what_makes_no_sense_is_refused(source: list[str | Path], options: list[str | int], code: int) -> None:
    shown = run(["audit", "addresses", *source, *options])
    assert (shown.exit_code, shown.stdout) == (code, "")


def test_the_last_index_of_all_is_rebuilt(source: list[str | Path]) -> None:
    document = run_json(["audit", "addresses", *source, "--start", 2**31 - 1, "--count", 1])
    assert [one["index"] for one in document["addresses"]] == [2**31 - 1] * 2


def test_forms_by_the_ending_of_the_file() -> None:
    assert [audit_addresses._form_of(name) for name in ("a.CSV", "a.jsonl", "a.txt", "a", None)] == [
        "csv",
        "jsonl",
        "table",
        "table",
        "table",
    ]
