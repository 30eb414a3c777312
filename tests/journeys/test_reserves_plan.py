"""The plan for a challenge: which route the described devices can take, through the real command line."""

from pathlib import Path
from typing import Any

import pytest

from support.rehearsal import Rehearsal
from support.reserves_office import Holder


@pytest.fixture
def holder(tmp_path: Path) -> Holder:
    office = Rehearsal(tmp_path / "office")
    office.fund(1)
    return Holder(office, tmp_path / "files")


def _plan(holder: Holder, *devices: tuple[str, str]) -> Any:
    for number, (model, firmware) in enumerate(devices, start=1):
        holder.office.json(["cosigner", "describe", f"c{number}", "--device", model, "--firmware", firmware])
    return holder.office.json(["audit", "reserves", "plan", "--challenge", holder.challenge()])


COLDCARD, OLD_COLDCARD = ("coldcard-mk4", "5.6.1"), ("coldcard-mk4", "5.4.1")
LEDGER, BITBOX, TREZOR = ("ledger", "2.4.6"), ("bitbox02", "9.24.0"), ("trezor-t", "2.8.9")


@pytest.mark.parametrize(
    ("devices", "opening", "recommended"),
    [
        ((), "unknown", "payment"),
        ((COLDCARD, COLDCARD), "yes", "bip322"),
        ((COLDCARD, LEDGER), "yes", "bip322"),
        ((COLDCARD, OLD_COLDCARD), "unknown", "payment"),
        ((COLDCARD, BITBOX, TREZOR), "unknown", "payment"),
        ((BITBOX, BITBOX, COLDCARD), "no", "payment"),
    ],
)
def test_the_route_follows_from_the_devices(
    holder: Holder, devices: tuple[tuple[str, str], ...], opening: str, recommended: str
) -> None:
    planned = _plan(holder, *devices)
    routes = {one["route"]: one for one in planned["routes"]}
    assert (routes["bip322"]["open"], planned["recommended"]) == (opening, recommended)
    assert routes["pof"]["open"] == opening
    assert routes["payment"]["open"] == "yes"


def test_who_signs_without_showing_the_message_is_named(holder: Holder) -> None:
    planned = _plan(holder, COLDCARD, LEDGER, TREZOR)
    messages, bip127 = planned["routes"][0], planned["routes"][2]
    assert (messages["can"], messages["without_message"], messages["unknown"]) == (["c1", "c2"], ["c2"], ["c3"])
    assert bip127["cannot"] == ["c3"]
    shown = holder.office.run(["audit", "reserves", "plan", "--challenge", holder.folder / "challenge.json"]).stdout
    assert "c2: compare the message with `psbt review`, not with the screen" in shown


def test_the_commands_that_it_prints_are_the_ones_that_work(holder: Holder) -> None:
    planned = _plan(holder, COLDCARD, COLDCARD)
    commands = planned["routes"][0]["commands"]
    target, statement = holder.folder / "proofs", holder.folder / "statement.json"
    first, second = (
        command.replace("FOLDER", str(target)).replace("statement.json", str(statement)).split()[1:]
        for command in commands
    )
    assert holder.office.run(first).exit_code == 0
    holder.sign("proofs", 1, 2)
    assert holder.office.run(second).exit_code == 0
    assert statement.exists()


def test_a_challenge_of_another_network_has_no_plan(holder: Holder) -> None:
    challenge = holder.challenge()
    other = holder.folder / "other.json"
    other.write_bytes(challenge.read_bytes().replace(b'"network":"regtest"', b'"network":"signet"'))
    command = ["audit", "reserves", "plan", "--challenge", other]
    assert holder.office.error(command, exit_code=6)["error"] == "NETWORK_MISMATCH"
