"""A29: funds parked beyond a scan window, hints that would blind an auditor, and a birth height that is too late."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.descriptor import Branch
from custody.bitcoin.descriptor_checksum import add_checksum
from support.cli import run, run_json
from support.node import Node, start, stop
from support.node_office import NodeOffice
from support.rehearsal import Rehearsal

SUBSIDY = 5_000_000_000


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    return Rehearsal(tmp_path / "office")


def park(office: Rehearsal, *places: tuple[Branch, int]) -> None:
    """Mine one coin to each place, past everything that a wallet would hand out."""
    with office.chain() as chain:
        for branch, index in places:
            chain.mine(1, office.vault.deriver.at(branch, index).script_pubkey)


def test_a29_the_window_is_a_thousand_and_moves_on_with_what_is_found(office: Rehearsal) -> None:
    park(office, (Branch.RECEIVE, 999), (Branch.RECEIVE, 1_199), (Branch.RECEIVE, 1_399), (Branch.CHANGE, 5))
    answer = office.json(["audit", "balance"])
    assert (answer["total_sats"], answer["coins"], answer["addresses"]) == (4 * SUBSIDY, 4, 4)
    assert answer["window"] == {"receive": 1_600, "change": 1_000}
    assert answer["immature_sats"] == 4 * SUBSIDY


def test_a29_what_lies_beyond_is_found_by_a_wider_window_and_the_window_is_said(office: Rehearsal) -> None:
    park(office, (Branch.RECEIVE, 0), (Branch.RECEIVE, 1_000))
    narrow = office.run(["audit", "balance"])
    assert narrow.exit_code == 0
    assert "searched 1000 receive and 1000 change scripts, each derived by two engines" in narrow.stdout
    assert office.json(["audit", "balance"])["total_sats"] == SUBSIDY
    wide = office.json(["audit", "balance", "--window", 2_000])
    assert (wide["total_sats"], wide["window"]) == (2 * SUBSIDY, {"receive": 2_000, "change": 2_000})
    too_low = office.run(["audit", "balance", "--window", 10])
    assert too_low.exit_code == 2


@pytest.mark.parametrize("hint", ["gl=1", "bh=800000&gl=5", "xx=7"])
def test_a29_an_annotation_narrows_nothing_and_is_said(office: Rehearsal, tmp_path: Path, hint: str) -> None:
    park(office, (Branch.RECEIVE, 700))
    plain = office.vault.descriptor_text.partition("#")[0]
    file = tmp_path / "hinted.txt"
    file.write_text(add_checksum(f"{plain}?{hint}") + "\n")
    answer = office.json(["audit", "balance", "--descriptor", file, "--network", "regtest"])
    assert answer["total_sats"] == SUBSIDY
    assert answer["window"]["receive"] == 1_000
    [warning] = answer["findings"]
    assert (warning["code"], warning["severity"]) == ("ANNOTATION_PRESENT", "warn")
    assert f"`{hint}`" in warning["message"]


@pytest.mark.parametrize("hint", ["gl=", "gl=-1", "gl=01", "=1", "GL=1", "gl=1&", "gl=1&gl=2", "gl=1?bh=2", ""])
def test_a29_an_annotation_of_another_form_is_refused(office: Rehearsal, tmp_path: Path, hint: str) -> None:
    file = tmp_path / "hinted.txt"
    file.write_text(add_checksum(office.vault.descriptor_text.partition("#")[0] + f"?{hint}"))
    error = office.error(["audit", "balance", "--descriptor", file, "--network", "regtest"], exit_code=6)
    assert error["error"] == "DESCRIPTOR_INVALID"


def test_a29_an_annotation_outside_the_checksum_is_refused(office: Rehearsal, tmp_path: Path) -> None:
    file = tmp_path / "hinted.txt"
    body, _, checksum = office.vault.descriptor_text.partition("#")
    file.write_text(f"{body}?gl=1#{checksum}")
    error = office.error(["audit", "balance", "--descriptor", file, "--network", "regtest"], exit_code=6)
    assert error["error"] == "CHECKSUM_MISMATCH"


@pytest.fixture
def aged(node: Node, tmp_path: Path) -> Iterator[tuple[NodeOffice, Node]]:
    """A vault that holds coins from block 1 on, on a chain of 400 blocks: the wallet's margin is far exceeded."""
    folder = tmp_path / "node"
    folder.mkdir()
    process, own = start(node.program, folder)
    try:
        office = NodeOffice(tmp_path / "office", own, (5, 10, 15), threshold=2)
        own.rpc("generatetodescriptor", 3, f"addr({first_address(office)})")
        own.rpc("generatetodescriptor", 397, "raw(51)")
        yield office, own
    finally:
        stop(process)


def first_address(office: NodeOffice) -> str:
    return office.vault.deriver.address_at(Branch.RECEIVE, 0, office.vault.network)


@pytest.mark.node
def test_a29_a_birth_height_after_the_coins_is_found_out(aged: tuple[NodeOffice, Node], tmp_path: Path) -> None:
    office, own = aged
    file = tmp_path / "late.yaml"
    text = (office.folder / "vault.yaml").read_text()
    assert "birth_height: 0\n" in text
    file.write_text(text.replace("birth_height: 0\n", "birth_height: 390\n"))
    cookie = own.login.cookie_file
    assert cookie is not None
    answer: Any = run_json(["audit", "balance", "--vault-file", file, "--node", own.login.url, "--cookie", cookie])
    assert (answer["total_sats"], answer["coins"], answer["complete"]) == (3 * SUBSIDY, 3, True)
    assert {one["name"]: one["total_sats"] for one in answer["routes"]} == dict.fromkeys(
        ["history", "unspent"], 3 * SUBSIDY
    )
    [warning] = answer["findings"]
    assert (warning["code"], warning["severity"]) == ("BIRTH_HEIGHT_LATE", "warn")
    assert "said to begin at block 390, and has a coin of block 1" in warning["message"]


def test_a29_no_file_makes_it_search_without_end(office: Rehearsal) -> None:
    refused = run(["--vault", office.folder, "audit", "balance", "--window", "1000001"])
    assert refused.exit_code == 2
