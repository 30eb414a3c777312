"""A77 a registration of another device, A92 secrets on a command line, A113 a device that claims a fingerprint.

The devices are doubles behind HWI's own drivers; everything else is what users run.
"""

import fcntl
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.hwi_bench import Bench
from support.rehearsal import Rehearsal, stranger

PAID = 150_000_000
PIN = "7391"
CUSTODY = Path(sys.executable).parent / "custody"
ON_A_TERMINAL = (
    "import fcntl, os, sys, termios\n"
    "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])\n"
)


def usb_office(folder: Path, family: str, **device: object) -> tuple[Rehearsal, Bench, str]:
    """Return an office with one device of c1 on its cable, the bench and the device's place on it."""
    office, bench = Rehearsal(folder / "office"), Bench(folder / "bench")
    path = bench.plug(family, 1, **device)
    signer = {"python": str(bench.interpreter()), "drivers": [family]}
    (office.folder / "custody.yaml").write_text(f"format: custody-settings/1\nsigner: {json.dumps(signer)}\n")
    return office, bench, path


def kinds(office: Rehearsal) -> list[str]:
    return [one["kind"] for one in office.json(["journal", "show"])["entries"]]


def test_a77_a_token_of_another_device_is_refused_and_nothing_is_tried_without_it(tmp_path: Path) -> None:
    office, bench, path = usb_office(tmp_path, "ledger")
    office.json(["device", "register", "c1"])
    office.json(["device", "check", "c1"])
    office.fund(1)
    office.draft("--to", f"{stranger(1)}=1.5btc")
    bench.change(path, token_key="another device with the same words")
    refused = office.error(["proposal", "sign", "--device", "c1", "--confirm-sats", PAID], exit_code=3)
    assert refused["error"] == "POLICY_HMAC_UNKNOWN"
    assert bench.device(path)["tokens_refused"] == 1
    assert "signatures_added" not in kinds(office)
    office.json(["device", "register", "c1"])
    office.json(["device", "check", "c1"])
    signed = office.json(["proposal", "sign", "--device", "c1", "--confirm-sats", PAID])
    assert signed["signing"]["signed"] == ["c1"]


def test_a113_a_device_with_the_fingerprint_and_another_key_is_an_alarm(tmp_path: Path) -> None:
    office, bench, path = usb_office(tmp_path, "jade", other_keys=True)
    for command in (["device", "register", "c1"], ["device", "check", "c1"], ["device", "show-address", "c1"]):
        assert office.error(command, exit_code=3)["error"] == "DEVICE_KEY_MISMATCH"
    office.fund(1)
    office.draft("--to", f"{stranger(1)}=1.5btc")
    before = bench.device(path)["wallets"]
    refused = office.error(["proposal", "sign", "--device", "c1", "--confirm-sats", PAID], exit_code=3)
    assert refused["error"] == "DEVICE_KEY_MISMATCH"
    assert before == []
    assert "signatures_added" not in kinds(office)
    assert "device_mismatch" in kinds(office)


def test_a92_a_pin_is_asked_on_the_terminal_unseen_and_nowhere_else(tmp_path: Path) -> None:
    office, bench, path = usb_office(tmp_path, "trezor", locked=True, pin=PIN, model="1", firmware="1.13.1")
    unseen = office.json(["device", "list"])  # no terminal: it stays locked, and nobody is asked
    assert unseen["devices"][0]["fingerprint"] is None

    seen, arguments = on_a_terminal([CUSTODY, "--vault", office.folder, "device", "list"], "1 2 3: ", f"{PIN}\n")
    assert re.search(r"7 8 9 / 4 5 6 / 1 2 3", seen)
    assert office.vault.cosigners[0].fingerprint.hex() in seen
    assert PIN not in seen
    assert arguments and not any(PIN in one for one in arguments)
    assert bench.device(path)["locked"] is False


@pytest.mark.parametrize("option", ["--pin", "--passphrase", "--password", "-p"])
def test_a92_there_is_no_option_for_a_secret(tmp_path: Path, option: str) -> None:
    office, _bench, _path = usb_office(tmp_path, "trezor")
    for command in ("list", "key", "register", "show-address", "check"):
        result = office.run(["device", command, option, "horse"])
        assert result.exit_code == 2
        assert "horse" not in result.stdout + result.stderr


def on_a_terminal(command: list[object], prompt: str, typed: str) -> tuple[str, list[str]]:
    """Run a command on a terminal of its own, type once when it asks; return the screen and all arguments then."""
    ours, theirs = pty.openpty()
    fcntl.fcntl(ours, fcntl.F_SETFL, os.O_NONBLOCK)
    environment = {**os.environ, "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *map(str, command)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
    )  # fmt: skip
    os.close(theirs)
    screen, arguments = "", list[str]()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([ours], [], [], 1)[0]:
            continue
        try:
            chunk = os.read(ours, 65_536)
        except OSError:  # the other side is closed
            break
        screen += chunk.decode("utf-8", "replace")
        if not arguments and screen.rstrip(" ").endswith(prompt.rstrip(" ")):
            os.write(ours, typed.encode())
            arguments = [one.read_bytes().decode("utf-8", "replace") for one in Path("/proc").glob("[0-9]*/cmdline")]
    os.close(ours)
    assert process.wait(timeout=30) == 0, screen
    return screen, arguments
