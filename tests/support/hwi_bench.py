"""A bench with doubles of hardware wallets on it, and HWI's worker that finds them there.

Where HWI is missing the tests that need it are skipped with a reason, and fail where CI is set: there it
has to be.
"""

import importlib.util
import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from custody_hardware.external_bus import ExternalBus
from custody_hardware.hwi_bus import AskHidden, HwiBus, TimeLimits
from custody_hardware.hwi_errors import MAKERS

RUN = Path(__file__).parent / "hwi_doubles" / "run.py"
EXTERNAL = Path(__file__).parent / "external_signer.py"
PATIENT = TimeLimits(look=90, key=90, show=90, register=120, sign=90)
"""Enough for a machine that is busy with other tests."""
FIRMWARE = {
    "coldcard": "5.6.1",
    "ledger": "2.4.1",
    "jade": "1.0.40",
    "bitbox02": "9.23.0",
    "trezor": "2.8.9",
    "keepkey": "7.10.0",
    "digitalbitbox": "",
    "external": "",
}


def require_hwi() -> None:
    """Skip without HWI, fail where CI is set."""
    if importlib.util.find_spec("hwilib") is None:
        if os.environ.get("CI"):
            pytest.fail("HWI is missing although CI is set: run `make hwi`")
        pytest.skip("HWI is missing: run `make hwi`")


class Bench:
    """A folder with devices, edited as hands do: plugged in, locked, disturbed."""

    def __init__(self, folder: Path, *, needs_hwi: bool = True) -> None:
        if needs_hwi:
            require_hwi()
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._file = folder / "bench.json"
        self._write({"devices": [], "drivers": {}, "imports": []})

    def plug(self, family: str, seed: int, *, path: str | None = None, **other: Any) -> str:
        """Lay a device on the bench and return its path."""
        place = path or f"/dev/{family}{seed}"
        record: dict[str, Any] = {
            "family": family,
            "seed": seed,
            "path": place,
            "firmware": FIRMWARE[family],
            "model": {"trezor": "T", "keepkey": "K1-14AM"}.get(family, ""),
            "app": "Bitcoin Test",
            "chain": "XTN",
            "label": "",
            "wallets": [],
            "trouble": None,
            "signs": "well",
            "other_keys": False,
            "locked": False,
            "paired": True,
            "initialized": True,
            "pin": "",
            "passphrase": "",
            "asks_passphrase": False,
            "knows_multisig": False,
            "shown": [],
            "token_key": "",
            "tokens_refused": 0,
        }
        state = self.read()
        state["devices"].append(record | other)
        self._write(state)
        return place

    def unplug(self, path: str) -> None:
        """Take a device away."""
        state = self.read()
        state["devices"] = [one for one in state["devices"] if one["path"] != path]
        self._write(state)

    def change(self, path: str, **values: Any) -> None:
        """Change what a device is like."""
        state = self.read()
        for one in state["devices"]:
            if one["path"] == path:
                one.update(values)
        self._write(state)

    def disturb(self, path: str, at: str, what: str, *, stays: bool = False) -> None:
        """Let a device get into trouble the next time it comes to a step."""
        self.change(path, trouble={"at": at, "what": what, "stays": stays})

    def spoil_driver(self, driver: str, what: str | None) -> None:
        """Take a library or the permission from a whole driver, or give it back."""
        state = self.read()
        state["drivers"][driver] = what
        self._write(state)

    def device(self, path: str) -> dict[str, Any]:
        """Return what a device is like now."""
        return next(dict(one) for one in self.read()["devices"] if one["path"] == path)

    def bus(
        self, *, ask_hidden: AskHidden | None = None, limits: TimeLimits = PATIENT, every_driver: bool = False
    ) -> HwiBus:
        """Return HWI's bus with these devices at the other end; by default only their own drivers look."""
        families = {one["family"] for one in self.read()["devices"]} - {"external"}
        drivers = tuple(MAKERS) if every_driver else tuple(sorted(families | {"coldcard"}))
        return HwiBus(command=self.command(), ask_hidden=ask_hidden, limits=limits, drivers=drivers)

    def command(self) -> tuple[str, ...]:
        """Return the worker's command line."""
        return (sys.executable, str(RUN), str(self.folder))

    def interpreter(self) -> Path:
        """Return a program to name as `signer.python` in custody.yaml: it runs the worker with these devices."""
        script = self.folder / "python"
        script.write_text(f"#!/bin/sh\nexec {shlex.join(self.command())}\n")
        script.chmod(0o700)
        return script

    def external_command(self) -> tuple[str, ...]:
        """Return `signer.command` for custody.yaml: a stand-in that speaks Bitcoin Core's contract."""
        return (sys.executable, str(EXTERNAL), str(self.folder))

    def external_bus(self, *, limits: TimeLimits = PATIENT) -> ExternalBus:
        """Return the bus over the stand-in, with the devices of the family `external`."""
        return ExternalBus(self.external_command(), limits=limits)

    def read(self) -> dict[str, Any]:
        """Return everything on the bench."""
        return dict(json.loads(self._file.read_text()))

    def _write(self, state: dict[str, Any]) -> None:
        self._file.write_text(json.dumps(state))
