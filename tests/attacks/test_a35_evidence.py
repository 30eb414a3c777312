"""A35: a chain that lies, in a file. Forged evidence is refused where the file is read, each forgery by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from custody.chain.snapshot import read_snapshot_file
from custody.documents.canonical_json import canonical, digest
from support.cli import run, run_json
from support.rehearsal import Rehearsal

Document = dict[str, Any]


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    """A vault with two coins, and what its node wrote with evidence."""
    made = Rehearsal(tmp_path_factory.mktemp("a35") / "reserve")
    made.fund(2)
    made.json(["coins", "sync", "--to", made.folder / "plain.json"])
    made.json(["coins", "sync", "--to", made.folder / "proven.json", "--evidence"])
    made.json(["coins", "sync", "--to", made.folder / "headers.json", "--evidence", "--headers"])
    return made


def read(office: Rehearsal, path: Path, *, exit_code: int = 0) -> Any:
    """Let an offline machine sync from a snapshot file."""
    settings = f"format: custody-settings/1\nchain:\n  backend: snapshot\n  snapshot: {path}\n"
    (office.folder / "custody.yaml").write_text(settings)
    try:
        if exit_code:
            return office.error(["coins", "sync", "--full"], exit_code=exit_code)
        return office.json(["coins", "sync", "--full"])
    finally:
        (office.folder / "custody.yaml").unlink()


def forged(office: Rehearsal, source: str, folder: Path, change: Callable[[Document], object]) -> Path:
    document = json.loads((office.folder / source).read_bytes())
    del document["digest"]
    change(document)
    path = folder / "forged.json"
    path.write_bytes(canonical({**document, "digest": digest(document)}) + b"\n")
    return path


def test_true_evidence_is_shown_for_what_it_is(office: Rehearsal) -> None:
    assert read(office, office.folder / "plain.json")["evidence"] is None
    shown = read(office, office.folder / "proven.json")
    assert shown["total_sats"] == 10_000_000_000
    assert shown["evidence"] == {
        "transactions": 2,
        "blocks": 2,
        "headers_to_tip": 0,
        "least_work_hashes": "2",
        "total_work_hashes": "4",
        "proves_work": False,
        "not_shown": "only a node can tell that the coins are still unspent, and that nothing was left out",
    }
    chained = read(office, office.folder / "headers.json")["evidence"]
    tip = read_snapshot_file(office.folder / "headers.json").tip.height
    assert (chained["transactions"], chained["headers_to_tip"]) == (2, tip)


def test_the_words_say_that_work_means_nothing_here_and_what_is_not_shown(office: Rehearsal) -> None:
    text = office.run(["coins", "sync", "--to", office.folder / "words.json", "--evidence", "--headers"]).stdout
    assert "2 transaction(s) stand in 2 block(s)" in text
    assert "headers lead without a gap to the tip" in text
    assert "proof of work means nothing on this network" in text
    assert "only a node can tell that the coins are still unspent" in text


def test_an_auditor_s_balance_from_a_file_says_what_the_evidence_shows(office: Rehearsal) -> None:
    asked = ["audit", "balance", "--vault-file", office.folder / "vault.yaml", "--snapshot"]
    shown = run_json([*asked, office.folder / "headers.json"])
    assert shown["total_sats"] == 10_000_000_000
    assert (shown["evidence"]["transactions"], shown["evidence"]["proves_work"]) == (2, False)
    assert "evidence" not in run_json([*asked, office.folder / "plain.json"])
    text = run([*asked, office.folder / "headers.json"]).stdout
    assert "2 transaction(s) stand in 2 block(s)" in text
    assert "only a node can tell that the coins are still unspent" in text


def test_a35_an_auditor_gets_no_balance_from_forged_evidence(office: Rehearsal, tmp_path: Path) -> None:
    forged_file = forged(office, "headers.json", tmp_path, _swap)
    shown = run(["audit", "balance", "--vault-file", office.folder / "vault.yaml", "--snapshot", forged_file, "--json"])
    assert (shown.exit_code, shown.stdout, shown.error["error"]) == (6, "", "EVIDENCE_INVALID")


def _swap(document: Document) -> None:
    first, second = (block["proofs"][0] for block in document["evidence"]["blocks"])
    for name in ("txid", "position", "branch"):
        first[name], second[name] = second[name], first[name]


def _other_header(document: Document) -> None:
    blocks = document["evidence"]["blocks"]
    blocks[0]["header"] = blocks[1]["header"]


def _no_work(document: Document) -> None:
    block = document["evidence"]["blocks"][0]
    block["header"] = block["header"][:-16] + "ffff001d" + block["header"][-8:]


def _another_block_named(document: Document) -> None:
    document["transactions"][0]["block_hash"] = "ab" * 32


def _leave_out(document: Document) -> None:
    del document["evidence"]["blocks"][0]


def _another_height(document: Document) -> None:
    ours = document["transactions"][0]
    for entry in (ours, document["evidence"]["blocks"][0], document["coins"][0]):
        entry["height"] -= 1


def _branch_added(document: Document) -> None:
    block = document["evidence"]["blocks"][0]
    block["proofs"][0]["branch"] = ["cd" * 32]


def _larger_tree(document: Document) -> None:
    block = document["evidence"]["blocks"][0]
    block["transactions"] = 2
    block["coinbase_branch"] = block["proofs"][0]["branch"] = ["cd" * 32]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_swap, "isn't there"),
        (_other_header, "is not at place"),
        (_no_work, "work that it claims"),
        (_another_block_named, "is not of the block"),
        (_leave_out, "nothing proves"),
        (_another_height, "names another height"),
        (_branch_added, "expected 0"),
        (_larger_tree, "is not at place"),
    ],
)
def test_a35_forged_evidence_is_refused(
    office: Rehearsal, tmp_path: Path, change: Callable[[Document], None], words: str
) -> None:
    error = read(office, forged(office, "proven.json", tmp_path, change), exit_code=6)
    assert error["error"] == "EVIDENCE_INVALID"
    assert words in error["message"]


def _cut(document: Document) -> None:
    document["evidence"]["headers"]["headers"] = document["evidence"]["headers"]["headers"][:-160]


def _turned(document: Document) -> None:
    chain = document["evidence"]["headers"]
    middle = 160 * 50
    text = chain["headers"]
    chain["headers"] = (
        text[:middle] + text[middle + 160 : middle + 320] + text[middle : middle + 160] + text[middle + 320 :]
    )


def _a_later_tip(document: Document) -> None:
    """Sell the balance of June as that of December: a date is answered once the tip's time lies after it."""
    document["tip"]["median_time_past"] += 86_400 * 200


def _begins_elsewhere(document: Document) -> None:
    document["evidence"]["headers"]["start"] += 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_cut, "end at the tip"),
        (_turned, "doesn't follow"),
        (_begins_elsewhere, "end at the tip"),
        (_a_later_tip, "by its headers it is"),
    ],
)
def test_a35_a_forged_chain_of_headers_is_refused(
    office: Rehearsal, tmp_path: Path, change: Callable[[Document], None], words: str
) -> None:
    error = read(office, forged(office, "headers.json", tmp_path, change), exit_code=6)
    assert error["error"] == "EVIDENCE_INVALID"
    assert words in error["message"]


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(evidence=[]),
        lambda document: document.pop("evidence"),
        lambda document: document.update(format="custody-snapshot/1"),
        lambda document: document["evidence"].update(more=1),
        lambda document: document["evidence"]["blocks"][0].update(header="00" * 79),
        lambda document: document["evidence"]["blocks"][0].update(coinbase="00"),
        lambda document: document["evidence"].update(headers={"start": 1, "headers": "00" * 81}),
        lambda document: document["evidence"]["blocks"][0]["proofs"].append(
            document["evidence"]["blocks"][0]["proofs"][0]
        ),
    ],
)
def test_evidence_of_another_form_is_refused(
    office: Rehearsal, tmp_path: Path, change: Callable[[Document], object]
) -> None:
    assert read(office, forged(office, "proven.json", tmp_path, change), exit_code=6)["error"] == "SNAPSHOT_INVALID"


@pytest.mark.parametrize("options", [["--evidence"], ["--headers"], ["--to", "x.json", "--headers"]])
def test_options_that_don_t_go_together_are_refused(office: Rehearsal, options: list[str]) -> None:
    assert office.run(["coins", "sync", *options]).exit_code == 2
