"""The whole journey on the firmware of real devices, where their emulators are listening; skipped where none is.

Key, registration, address and rehearsal on each, then one payment that needs every emulator and one of two
simulated cosigners, to the block. What each screen showed is printed (`pytest -s`).
"""

from pathlib import Path
from typing import Any

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.keys import KeyExpression, KeyOrigin, parse_path
from custody.bitcoin.network import Network
from custody.workflow.open_vault import open_vault
from custody.workspace.layout import Workspace
from custody_hardware.hwi_bus import HwiBus
from custody_hardware.simulator import simulated_key
from support.cli import run
from support.emulators import ColdcardHand, Hand, IdleHand, TrezorHand, held
from support.rehearsal import Rehearsal, stranger

pytestmark = [pytest.mark.emulator, pytest.mark.slow]

_TRIES = 8
PAYMENT = 1_250_000_000
MODELS = {"bitbox02": "bitbox02", "coldcard": "coldcard-mk4", "ledger": "ledger", "trezor": "trezor-one"}


class EmulatedOffice(Rehearsal):
    """A funded vault of the emulators' keys and two simulated ones; every emulator is needed."""

    def __init__(self, folder: Path, drivers: list[str]) -> None:
        self.folder = folder
        bus = HwiBus(emulators=True)
        found = {device.driver: device for device in bus.look(Network.REGTEST).devices}
        path = parse_path("48h/1h/0h/2h")
        create: list[str | Path | int] = ["vault", "create", folder, "--name", "emulated", "--network", "regtest"]
        for driver in drivers:
            device = found[driver]
            assert device.fingerprint is not None, device
            key = bus.key(device, path, Network.REGTEST)
            text = KeyExpression(KeyOrigin(device.fingerprint, path), key).to_text(Network.REGTEST)
            create += ["--cosigner", f"{driver}={text}"]
        for number in (1, 2):
            text = simulated_key(number, Network.REGTEST, ScriptType.WSH_SORTEDMULTI).to_text(Network.REGTEST)
            create += ["--cosigner", f"simulator-{number}={text}"]
        created = run([*create, "--threshold", len(drivers) + 1])
        assert created.exit_code == 0, created.stderr
        (folder / "custody.yaml").write_text("format: custody-settings/1\nsigner:\n  emulators: true\n")
        self.vault = open_vault(Workspace(folder)).vault

    def on(self, hand: Hand, argv: list[str | int], stdin: str | None = None) -> Any:
        """Run a command while the device's holder agrees to everything."""
        needed = "register" in argv or not isinstance(hand, ColdcardHand)
        for _ in range(_TRIES if isinstance(hand, ColdcardHand) else 1):
            with held(hand if needed else IdleHand()):
                result = self.run([*argv, "--json"], stdin)
            if "Framing Error" not in result.stderr:  # the hand's frame fell between two of HWI's
                break
        assert result.exit_code == 0, (argv, result.exit_code, result.stderr, result.stdout)
        return result.json


def test_key_to_block_on_every_emulator(tmp_path: Path, emulators: dict[str, Hand]) -> None:
    office = EmulatedOffice(tmp_path / "office", sorted(emulators))
    office.fund(1)
    for driver, hand in sorted(emulators.items()):
        model = MODELS[driver]
        office.json(["cosigner", "describe", driver, "--device", model])
        key = office.on(hand, ["device", "key", driver], "yes\n")
        assert key["fingerprint"] == key_of(office, driver).origin.fingerprint.hex()
        office.on(hand, ["device", "register", driver])
        shown = office.on(hand, ["device", "show-address", driver])
        assert shown["verified"] is True and shown["key_compared"] is True, shown
        checked = office.on(hand, ["device", "check", driver])
        assert checked["cosigner"] == driver
    drafted = office.json(["proposal", "draft", "--to", f"{stranger(7)}={PAYMENT}sat", "--fee-rate", "5"])
    proposal = drafted["proposal_id"]
    for driver, hand in sorted(emulators.items()):
        signed = office.on(hand, ["proposal", "sign", proposal, "--device", driver, "--confirm-sats", PAYMENT])
        assert driver in signed["signing"]["signed"]
        seen = hand.seen if not isinstance(hand, TrezorHand) else [f"{len(hand.seen)} screens, as pictures"]
        print(f"\n{driver}", *seen, sep="\n   ")
    office.json(["proposal", "sign", proposal, "--simulator", "1", "--confirm-sats", PAYMENT])
    office.json(["proposal", "finalize", proposal])
    sent = office.json(["proposal", "broadcast", proposal, "--confirm-sats", PAYMENT])
    assert sent["state"] == "broadcast"
    office.json(["regtest", "mine"])
    office.json(["coins", "sync"])
    assert office.json(["proposal", "show", proposal])["state"] == "mined"


def key_of(office: EmulatedOffice, name: str) -> KeyExpression:
    """Return a cosigner's key."""
    return next(one.key for one in office.vault.cosigners if one.name == name)
