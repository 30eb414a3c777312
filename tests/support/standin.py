"""A workspace whose devices are the stand-in program's, driven through the real command line."""

import copy
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embit import bip32

from custody.workflow.open_vault import open_vault
from custody.workspace.layout import Workspace
from custody_hardware.simulator import public_seed
from support.rehearsal import Rehearsal

PROGRAM = Path(__file__).with_name("standin_signer.py")


def fingerprint_of(number: int) -> str:
    """Return the fingerprint of a test seed."""
    fingerprint: bytes = bip32.HDKey.from_seed(public_seed(number)).child(0).fingerprint
    return fingerprint.hex()


class Bench:
    """The devices on the table: which are connected and what is wrong with each."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.state = folder / "devices.json"
        self.connect(1, 2, 3)

    def connect(self, *numbers: int, model: str = "trezor_t") -> None:
        """Plug in these devices, all healthy, and unplug all others."""
        self.place(*({"number": number, "model": model} for number in numbers))

    def place(self, *devices: dict[str, Any]) -> None:
        """Plug in devices of any condition."""
        self.state.write_text(json.dumps({"devices": devices, "log_lines": len(self.requests)}))

    def fault(self, number: int, fault: str) -> None:
        """Let one device fail; the others stay as they are. `command:fault` fails at one request alone."""
        devices = json.loads(self.state.read_text())["devices"]
        for device in devices:
            if device["number"] == number:
                device["fault"] = fault
        self.place(*devices)

    @property
    def requests(self) -> list[dict[str, str]]:
        """What the program was asked, in order."""
        log = self.state.with_suffix(".log")
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def settings(self, folder: Path, wait_s: int | None = None) -> None:
        """Name the program in the workspace's custody.yaml."""
        words = json.dumps([sys.executable, str(PROGRAM), str(self.state)])
        wait = "" if wait_s is None else f"  wait_s: {wait_s}\n"
        (folder / "custody.yaml").write_text(f"format: custody-settings/1\nsigner:\n  command: {words}\n{wait}")


class StandinOffice(Rehearsal):
    """A funded office with a bench of stand-in devices, whose cosigners are c1, c2, c3."""

    def __init__(self, folder: Path, *, threshold: int = 2, keys: int = 3) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder / "office", threshold=threshold, keys=keys)
        self.bench = Bench(folder / "bench")
        self.bench.settings(self.folder)

    @classmethod
    def of(cls, folder: Path, bench: Bench) -> "StandinOffice":
        """Return the office of a workspace that is there already."""
        office = cls.__new__(cls)
        office.folder, office.bench = folder, bench
        office.vault = open_vault(Workspace(folder)).vault
        bench.settings(folder)
        return office

    def copied_to(self, folder: Path) -> "StandinOffice":
        """Return a copy of the office and its bench in another folder: making one takes seconds."""
        shutil.copytree(self.folder.parent, folder, dirs_exist_ok=True)
        twin = copy.copy(self)
        twin.folder = folder / "office"
        twin.bench = Bench(folder / "bench")
        twin.bench.settings(twin.folder)
        return twin

    @property
    def journal(self) -> Sequence[str]:
        """The hashes of the journal's entries."""
        shown = self.json(["journal", "show"])
        return [one["hash"] for one in shown["entries"]]

    @property
    def kinds(self) -> list[str]:
        """The kinds of the journal's entries."""
        return [one["kind"] for one in self.json(["journal", "show"])["entries"]]
