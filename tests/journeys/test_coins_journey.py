"""Coins through the real command line: sync, list, freeze, accept, label, snapshot; and a chain that lies (A35)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.address import script_of
from custody.bitcoin.network import Network
from custody.chain.embedded import EmbeddedBackend
from custody.chain.snapshot import read_snapshot_file
from custody.ports import Progress, ScanResult, WatchRequest, WatchResult, no_progress
from custody.workflow.list_coins import list_coins
from custody.workflow.office import Surroundings, editing, open_office
from custody.workflow.sync_coins import SyncOutcome, sync_coins
from custody.workspace.layout import Workspace
from custody.workspace.lock import writer_lock
from custody_cli.system import SystemClock, SystemNonces
from support.rehearsal import NOBODY, START_TIME, Rehearsal
from support.vectors import load_vectors


@pytest.fixture
def office(tmp_path: Path) -> Rehearsal:
    """A vault with two ripe coins of 50 BTC."""
    made = Rehearsal(tmp_path / "reserve")
    made.fund(2)
    return made


def outpoint(coin: Any) -> str:
    return f"{coin['txid']}:{coin['vout']}"


def every_byte(folder: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def test_a_vault_that_never_synced_lists_no_sum_and_exits_9(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "reserve")
    listed = office.json(["coins", "list"], exit_code=9)
    assert listed["complete"] is False
    assert (listed["total_sats"], listed["spendable_sats"], listed["height"]) == (None, None, None)
    text = office.run(["coins", "list"])
    assert text.exit_code == 9
    assert text.stdout.startswith("INCOMPLETE")
    assert text.stderr == ""


def test_coins_are_listed_frozen_and_freed(office: Rehearsal) -> None:
    listed = office.json(["coins", "list"])
    assert listed["complete"] is True
    assert (listed["total_sats"], listed["spendable_sats"]) == (10_000_000_000, 10_000_000_000)
    first = listed["coins"][0]
    assert {"txid", "vout", "value_sats", "address", "branch", "index", "confirmations", "frozen", "label"} <= {*first}
    office.json(["coins", "freeze", outpoint(first), "--reason", "disputed"])
    frozen = office.json(["coins", "list"])
    assert frozen["coins"][0]["frozen"] is True
    assert (frozen["total_sats"], frozen["spendable_sats"]) == (10_000_000_000, 5_000_000_000)
    assert office.error(["coins", "freeze", outpoint(first)], exit_code=7)["error"] == "NOTHING_TO_DO"
    office.json(["coins", "unfreeze", outpoint(first)])
    assert office.json(["coins", "list"])["spendable_sats"] == 10_000_000_000
    assert office.error(["coins", "unfreeze", outpoint(first)], exit_code=7)["error"] == "NOTHING_TO_DO"
    assert office.error(["coins", "freeze", "11" * 32 + ":0"], exit_code=7)["error"] == "COIN_UNKNOWN"


def test_reading_commands_change_no_byte(office: Rehearsal) -> None:
    before = every_byte(office.folder)
    for words in ("coins list", "status", "journal show", "journal verify", "journal export", "address list"):
        assert office.run([*words.split()]).exit_code == 0, words
    office.run(["coins", "label", "--export", "-"])
    assert every_byte(office.folder) == before


def test_a_second_writer_is_told_to_wait(office: Rehearsal) -> None:
    with writer_lock(Workspace(office.folder).lock_file):
        assert office.error(["address", "next"], exit_code=7)["error"] == "WORKSPACE_LOCKED"
        assert office.json(["coins", "list"])["complete"] is True


def test_a104_two_processes_never_hand_out_one_address(office: Rehearsal) -> None:
    program = "import sys; from custody_cli.app import execute; sys.exit(execute(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "--vault", str(office.folder), "address", "next", "--json"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ}) for _ in range(2)]
    answers = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert answers[0] != answers[1]


def test_a36_an_address_is_derived_and_no_label_makes_it_ours(office: Rehearsal) -> None:
    foreign = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
    office.json(["coins", "label", foreign, "treasury cold"])
    assert office.json(["address", "verify", foreign], exit_code=3)["ours"] is False
    given = office.json(["address", "next", "--label", "donations"])
    found = office.json(["address", "verify", given["address"]])
    assert (found["ours"], found["branch"], found["index"]) == (True, "receive", given["index"])


def test_small_unannounced_coins_are_set_aside_until_taken_in(office: Rehearsal) -> None:
    # The subsidy halves every 150 regtest blocks: mined late enough, a coinbase is dust.
    hidden = office.json(["address", "list", "--start", 40, "--count", 1])["addresses"][0]["address"]
    with office.chain() as chain:
        while 5_000_000_000 >> ((chain.tip().height + 1) // 150) > 10_000:
            chain.mine(150, NOBODY)
        chain.mine(1, script_of(hidden, Network.REGTEST))
        chain.mine(100, NOBODY)
    office.json(["coins", "sync"])
    (dust,) = [coin for coin in office.json(["coins", "list"])["coins"] if coin["set_aside"]]
    assert dust["index"] == 40
    assert office.json(["status"])["set_aside"] == [outpoint(dust)]
    before = office.json(["coins", "list"])
    office.json(["coins", "accept", outpoint(dust), "--reason", "a donation"])
    after = office.json(["coins", "list"])
    assert after["total_sats"] == before["total_sats"]
    assert after["spendable_sats"] == before["spendable_sats"] + dust["value_sats"]
    assert office.error(["coins", "accept", outpoint(dust)], exit_code=7)["error"] == "NOTHING_TO_DO"


def test_a116_labels_go_round_by_bip_329_and_change_no_coin(office: Rehearsal, tmp_path: Path) -> None:
    coin = office.json(["coins", "list"])["coins"][0]
    lines = [line for line in load_vectors("bip329_labels.json")["jsonl"] if "origin" not in line]
    flip = f'{{"type": "output", "ref": "{outpoint(coin)}", "label": "cold", "spendable": false}}'
    written = tmp_path / "labels.jsonl"
    written.write_text("\n".join([*lines, flip]) + "\n")
    imported = office.json(["coins", "label", "--import", written])
    assert imported["read"] == imported["changed"] == len(lines) + 1
    assert outpoint(coin) in imported["spendable_without_effect"]
    shown = office.json(["coins", "list"])["coins"][0]
    assert (shown["label"], shown["label_spendable"], shown["frozen"], shown["held"]) == ("cold", False, False, [])
    back = tmp_path / "back.jsonl"
    office.json(["coins", "label", "--export", back])
    assert office.json(["coins", "label", "--import", back])["changed"] == 0
    assert "spscan" in back.read_text()


def test_a116_labels_of_another_wallet_are_refused(office: Rehearsal) -> None:
    foreign = '{"type": "tx", "ref": "' + "11" * 32 + '", "label": "x", "origin": "wpkh([d34db33f/84h/0h/0h])"}\n'
    refused = office.run(["coins", "label", "--import", "-", "--json"], stdin=foreign)
    assert refused.exit_code == 3
    assert refused.error["error"] == "VAULT_MISMATCH"


def test_a_snapshot_serves_a_machine_without_a_network(office: Rehearsal, tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    assert office.json(["coins", "sync", "--to", path])["compared_with_utxo_set"] is True
    snapshot = read_snapshot_file(path)
    assert {coin.outpoint.txid for coin in snapshot.coins} <= {one.transaction.txid for one in snapshot.transactions}
    settings = f"format: custody-settings/1\nchain:\n  backend: snapshot\n  snapshot: {path}\n"
    (office.folder / "custody.yaml").write_text(settings)
    assert office.json(["coins", "sync", "--full"])["total_sats"] == 10_000_000_000
    assert office.error(["coins", "sync", "--to", path], exit_code=7)["error"] == "FILE_EXISTS"


class Lying:
    """An embedded chain whose history of our scripts lacks what is hidden, or whose coins lack it."""

    def __init__(self, honest: EmbeddedBackend, *, hides: str | None = None, invents: str | None = None) -> None:
        self._honest = honest
        self._hides = hides
        self._invents = invents

    def __getattr__(self, name: str) -> Any:
        return getattr(self._honest, name)

    def watch(self, request: WatchRequest, progress: Progress) -> WatchResult:
        seen = self._honest.watch(request, progress)
        shown = tuple(one for one in seen.transactions if one.transaction.txid != self._hides)
        return WatchResult(seen.tip, shown, seen.coins, seen.incomplete)

    def scan(self, request: WatchRequest, progress: Progress) -> ScanResult:
        found = self._honest.scan(request, progress)
        return ScanResult(found.tip, tuple(coin for coin in found.coins if coin.outpoint.txid != self._invents))


def lied_to(office: Rehearsal, *, full: bool = False, **lie: str) -> SyncOutcome:
    """Sync with a backend that lies."""
    surroundings = Surroundings(SystemClock(), SystemNonces(), None)
    with editing(Workspace(office.folder), surroundings) as desk, office.chain() as chain:
        backend: Any = Lying(chain, **lie)
        return sync_coins(desk, backend, full=full, progress=no_progress)


@pytest.mark.parametrize("kind", ["hides", "invents"])
def test_a35_a_history_that_differs_from_the_unspent_outputs_is_incomplete(tmp_path: Path, kind: str) -> None:
    office = Rehearsal(tmp_path / "reserve")
    address = office.json(["address", "next"])["address"]
    with office.chain() as chain:
        chain.mine(1, script_of(address, Network.REGTEST), first_time=START_TIME)
        chain.mine(101, NOBODY)
        coinbase = chain._chain.blocks[1][0].txid
    outcome = lied_to(office, **{kind: coinbase})
    assert not outcome.is_complete
    assert coinbase in outcome.incomplete[0]
    assert list_coins(open_office(Workspace(office.folder))).is_complete is False
    assert office.json(["coins", "list"], exit_code=9)["complete"] is False
    assert office.json(["status"], exit_code=9)["complete"] is False
    assert office.json(["coins", "sync"])["complete"] is True


def test_a35_what_a_full_comparison_found_is_not_lifted_by_asking_coin_by_coin(office: Rehearsal) -> None:
    given = office.json(["address", "next"])["address"]
    with office.chain() as chain:
        chain.mine(1, script_of(given, Network.REGTEST))
        coinbase = chain._chain.blocks[-1][0].txid
    assert not lied_to(office, full=True, hides=coinbase).is_complete
    assert not lied_to(office, full=False, hides=coinbase).is_complete
