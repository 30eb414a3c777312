"""The worker as a cage: what is reachable in it, what it is given, and what counts as its answer."""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import DeviceUnavailable
from custody.ports import FoundDevice
from custody.workflow.device_choose import choose_device
from custody_hardware import hwi_bus
from custody_hardware.hwi_bus import HwiBus, TimeLimits
from custody_hardware.hwi_worker.serve import HANDLERS
from support.hwi_bench import Bench, require_hwi
from support.review_cases import payment, simulated_vault
from support.source_tree import modules, within

WORKER = "custody_hardware.hwi_worker"
VAULT = simulated_vault()
QUICK = TimeLimits(look=60, key=60, show=60, register=90, sign=60)
FORBIDDEN = {
    *("wipe_device", "setup_device", "restore_device", "backup_device", "toggle_passphrase", "sign_message"),
    *("signmessage", "find_device", "getkeypool", "install_udev_rules", "promptpin", "wipe", "reset", "recover"),
}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench")


def test_there_are_five_requests() -> None:
    assert set(HANDLERS) == {"look", "key", "show-address", "register", "sign"}


def test_nothing_that_changes_a_device_is_named_in_the_worker() -> None:
    for module in modules():
        if within(module.name, WORKER):
            names = {node.attr for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
            names |= {node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name)}
            names |= {name.rpartition(".")[2] for name, _line in module.imports()}
            assert not names & FORBIDDEN, module.name


def test_hwis_enumeration_over_all_drivers_is_never_imported() -> None:
    for module in modules():
        assert "hwilib.commands.enumerate" not in [name for name, _line in module.imports()], module.name


def test_the_worker_needs_nothing_but_python_and_hwi() -> None:
    for module in modules():
        if within(module.name, WORKER):
            for name, line in module.imports():
                package = name.split(".")[0]
                assert package in {*sys.stdlib_module_names, "hwilib", "serial"} or within(name, WORKER), (
                    module.at(line),
                    name,
                )


@pytest.mark.parametrize(
    "request_line", ["{}", "[]", '{"request": "wipe"}', '{"request": 1}', '{"request": "look"}', "x"]
)
def test_an_unknown_request_is_an_error_and_no_crash(request_line: str) -> None:
    from custody_hardware.signer_process import SignerProcess

    worker = str(Path(hwi_bus.__file__).parent)
    with SignerProcess((sys.executable, "-I", "-B", "-c", hwi_bus._WORKER, worker), {}, limit_s=20) as process:
        process.send(request_line.encode() + b"\n")
        assert process.line().startswith(b'{"error": {"kind": "')


def test_a_driver_sees_nothing_of_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTODY_VAULT", "/secret/place")
    monkeypatch.setenv("GITHUB_TOKEN", "not for drivers")
    path = bench.plug("coldcard", 1)
    bench.disturb(path, "key", "report")
    bus = bench.bus()
    device = choose_device(bus.look(VAULT.network), VAULT.cosigners[0].fingerprint)
    bus.key(device, VAULT.cosigners[0].key.origin.path, VAULT.network)
    seen = bench.device(path)["process"]
    assert set(seen["environment"]) <= {"HOME", "LANG", "LC_CTYPE", "PATH", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"}
    assert seen["streams"] == [os.devnull] * 3
    assert (seen["core_limit"], seen["dumpable"], seen["folder"], seen["session"]) == ([0, 0], 0, "/", True)
    assert seen["arguments"] == [str(bench.folder)]


def test_what_a_driver_prints_is_no_answer(bench: Bench) -> None:
    path = bench.plug("coldcard", 1)
    bench.disturb(path, "key", "noise")
    bus = bench.bus()
    device = choose_device(bus.look(VAULT.network), VAULT.cosigners[0].fingerprint)
    key = bus.key(device, VAULT.cosigners[0].key.origin.path, VAULT.network)
    assert key == VAULT.cosigners[0].key.key


def test_without_hwi_one_problem_says_what_to_install() -> None:
    worker = str(Path(hwi_bus.__file__).parent)
    bus = HwiBus(command=(sys.executable, "-I", "-S", "-B", "-c", hwi_bus._WORKER, worker), limits=QUICK)
    report = bus.look(Network.REGTEST)
    assert report.devices == ()
    (problem,) = report.problems
    assert problem.code is Code.DEVICE_LIBRARY_MISSING
    assert "make hwi" in problem.advice and "reserve-custody[usb]" in problem.advice
    with pytest.raises(DeviceUnavailable) as caught:
        choose_device(report, VAULT.cosigners[0].fingerprint)
    assert caught.value.code is Code.DEVICE_LIBRARY_MISSING


def test_an_interpreter_that_is_not_there_is_named() -> None:
    (problem,) = HwiBus(python=Path("/nowhere/python"), limits=QUICK).look(Network.REGTEST).problems
    assert problem.code is Code.DEVICE_LIBRARY_MISSING
    assert "/nowhere/python" in problem.message


def test_a_jade_is_not_asked_beside_a_library_that_talks_to_servers(tmp_path: Path) -> None:
    require_hwi()
    (tmp_path / "requests.py").write_text("")
    worker = str(Path(hwi_bus.__file__).parent)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {hwi_bus._WORKER}"
    bus = HwiBus(command=(sys.executable, "-I", "-B", "-c", code, worker), limits=QUICK, drivers=("jade",))
    (problem,) = bus.look(Network.REGTEST).problems
    assert problem.code is Code.DEVICE_UNSUPPORTED and "`requests`" in problem.message


def test_a_device_of_another_program_is_not_asked() -> None:
    stranger = FoundDevice("external", "", "", VAULT.cosigners[0].fingerprint, "", None, None)
    with pytest.raises(DeviceUnavailable) as caught:
        HwiBus().key(stranger, (), VAULT.network)
    assert caught.value.code is Code.DEVICE_UNSUPPORTED


def test_the_worker_is_a_program_too() -> None:
    require_hwi()
    line = '{"request": "look", "driver": "digitalbitbox", "chain": "regtest", "emulators": false, "may_ask": false}'
    done = subprocess.run(
        [sys.executable, "-m", "custody_hardware.hwi_worker"], input=f"{line}\n", capture_output=True, text=True
    )
    assert done.stdout == '{"answer": []}\n'


LINES = {
    "nothing": "",
    "no JSON": "hello",
    "an array": "[]",
    "an empty object": "{}",
    "two answers": '{"answer": [], "error": null}',
    "one key twice": '{"answer": [], "answer": []}',
    "a number too large": '{"answer": [1e999]}',
    "an unknown member": '{"result": []}',
    "a device with a member more": '{"answer": [{"path": "", "model": "", "label": "", "fingerprint": null, '
    '"firmware": null, "error": null, "wipe": true}]}',
    "a fingerprint of three bytes": '{"answer": [{"path": "", "model": "", "label": "", "fingerprint": "aabbcc", '
    '"firmware": null, "error": null}]}',
    "a model that acts on a screen": '{"answer": [{"path": "", "model": "\\u001b[2J", "label": "", '
    '"fingerprint": null, "firmware": null, "error": null}]}',
    "a path without end": '{"answer": [{"path": "' + "x" * 501 + '", "model": "", "label": "", '
    '"fingerprint": null, "firmware": null, "error": null}]}',
    "an error of a class that is none": '{"error": {"kind": "a \\u001b[2J b", "hwi": null, "number": null, '
    '"errno": null, "text": ""}}',
    "an error without its members": '{"error": {"kind": "X"}}',
    "a question that is never asked": '{"ask": "seed"}',
    "a question nobody can answer": '{"ask": "pin"}',
}


def speaking(line: str) -> HwiBus:
    """Return the bus over a worker that reads its request and writes one line."""
    code = f"import sys; sys.stdin.readline(); sys.stdout.write({line!r}); sys.stdout.flush()"
    return HwiBus(command=(sys.executable, "-c", code), limits=QUICK, drivers=("coldcard",))


@pytest.mark.parametrize("line", [line if not line else f"{line}\n" for line in LINES.values()], ids=LINES)
def test_a_malformed_answer_is_none(line: str) -> None:
    report = speaking(line).look(Network.REGTEST)
    assert report.devices == ()
    assert [problem.code for problem in report.problems] == [Code.DEVICE_ANSWER_INVALID]


KEY = VAULT.cosigners[0].key
ANSWERS: dict[str, tuple[str, Callable[[HwiBus], object]]] = {
    "a key of another path": (
        f'{{"answer": {{"xpub": "{KEY.key.child(0).to_base58(VAULT.network)}"}}}}',
        lambda bus: bus.key(_claimed(), KEY.origin.path, VAULT.network),
    ),
    "a key of another network": (
        f'{{"answer": {{"xpub": "{KEY.key.to_base58(Network.MAIN)}"}}}}',
        lambda bus: bus.key(_claimed(), KEY.origin.path, VAULT.network),
    ),
    "a PSBT that is no base64": (
        '{"answer": {"psbt": "cHNidP8="}}'.replace("8=", "8 ="),
        lambda bus: bus.sign(_claimed(), VAULT, payment(VAULT).serialize(), None),
    ),
    "a PSBT in letters that base64 has not": (
        '{"answer": {"psbt": "cHNidP\\u00e9"}}',
        lambda bus: bus.sign(_claimed(), VAULT, payment(VAULT).serialize(), None),
    ),
    "an address that is none": (
        '{"answer": {"address": 7}}',
        lambda bus: bus.show_address(_claimed(), VAULT, 0, 0, None),
    ),
    "a token that is no hex": (
        '{"answer": {"policy_id": "zz", "token": "zz"}}',
        lambda bus: bus.register(_claimed(), VAULT, "reserve"),
    ),
}


def _claimed() -> FoundDevice:
    return FoundDevice("coldcard", "/dev/x", "coldcard", VAULT.cosigners[0].fingerprint, "", None, None)


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_of_the_wrong_kind_is_none(name: str) -> None:
    line, ask = ANSWERS[name]
    with pytest.raises(DeviceUnavailable) as caught:
        ask(speaking(line + "\n"))
    assert caught.value.code is Code.DEVICE_ANSWER_INVALID


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("custody_hardware.signer_process.MAX_ANSWER", 1_000_000)
    code = "import sys\nwhile True: sys.stdout.write('x' * 65536)"
    bus = HwiBus(command=(sys.executable, "-c", code), limits=QUICK, drivers=("coldcard",))
    (problem,) = bus.look(Network.REGTEST).problems
    assert problem.code is Code.DEVICE_ANSWER_INVALID and "larger than 1 MB" in problem.message


_LOOKS = 100


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be counted doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_worker_started_ends_with_it(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen(['sleep', '3600'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "time.sleep(3600)\n"
    )
    limits = TimeLimits(look=3)
    bus = HwiBus(command=(sys.executable, "-c", code), limits=limits, drivers=("coldcard",))
    (problem,) = bus.look(Network.REGTEST).problems
    assert problem.code is Code.DEVICE_TIMEOUT
    pid = int((tmp_path / "pid").read_text())
    for _ in range(_LOOKS):  # the kernel ends a killed group one by one
        if not is_alive(pid):
            break
        time.sleep(0.1)
    assert not is_alive(pid)


def test_an_interrupt_leaves_no_worker(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        'sys.stdin.readline(); print(\'{"ask": "pin"}\', flush=True)\n'
        "time.sleep(3600)\n"
    )

    def interrupted(_prompt: str) -> str:
        raise KeyboardInterrupt

    bus = HwiBus(command=(sys.executable, "-c", code), limits=QUICK, drivers=("trezor",), ask_hidden=interrupted)
    with pytest.raises(KeyboardInterrupt):
        bus.look(Network.REGTEST)
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at a parent's death is Linux'")
def test_a_worker_dies_with_a_command_that_is_killed(bench: Bench) -> None:
    path = bench.plug("coldcard", 1)
    bench.disturb(path, "key", "hang")
    code = (
        "import sys\n"
        "from custody.bitcoin.network import Network\n"
        "from custody.ports import FoundDevice\n"
        "from custody_hardware.hwi_bus import HwiBus\n"
        f"claimed = bytes.fromhex({VAULT.cosigners[0].fingerprint.hex()!r})\n"
        f"found = FoundDevice('coldcard', {path!r}, '', claimed, '', None, None)\n"
        f"HwiBus(command={bench.command()!r}).key(found, (), Network.REGTEST)\n"
    )
    command = subprocess.Popen([sys.executable, "-c", code])
    eventually(lambda: "process" in bench.device(path))
    worker = int(bench.device(path)["process"]["pid"])
    assert is_alive(worker)
    command.kill()
    command.wait()
    eventually(lambda: not is_alive(worker))


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds, for as long as a busy machine may need."""
    end = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)


def test_a_large_request_to_a_deaf_worker_ends_in_time() -> None:
    bus = HwiBus(command=(sys.executable, "-c", "import time; time.sleep(3600)"), limits=TimeLimits(sign=2))
    vault = simulated_vault()
    with pytest.raises(DeviceUnavailable) as caught:
        bus.sign(_claimed(), vault, payment(vault, coins=400).serialize(), None)
    assert caught.value.code is Code.DEVICE_TIMEOUT
