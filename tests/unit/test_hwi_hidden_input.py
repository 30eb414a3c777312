"""A92: what a device takes from the keyboard is asked unseen, given through a pipe, and stays nowhere.

Trezor One and KeepKey have no keys of their own: PIN and passphrase are typed here. Everything newer takes
both on its own screen, and then nothing is asked.
"""

import sys
from pathlib import Path

import pytest

from custody.bitcoin.psbt import Psbt
from custody.codes import Code
from custody.errors import CustodyError, DeviceUnavailable
from custody.ports import FoundDevice
from custody.workflow.device_choose import choose_device
from custody.workflow.device_key import prove_device
from custody_hardware.hwi_bus import HwiBus
from support.hwi_bench import Bench
from support.hwi_doubles.core import Bench as Inside
from support.review_cases import payment, simulated_vault

VAULT = simulated_vault()
OLD_TREZOR = {"model": "1", "firmware": "1.13.1"}
PIN, HORSE = "7391", "correct horse"


class Person:
    """Types what is asked, and remembers the prompts."""

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.prompts: list[str] = []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        return self.answers["pin" if prompt.startswith("PIN") else "passphrase"]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench")


FAMILIES = pytest.mark.parametrize(("family", "model"), [("trezor", OLD_TREZOR), ("keepkey", {})])


@FAMILIES
def test_a_locked_device_is_unlocked_by_the_places_of_its_pin(bench: Bench, family: str, model: dict[str, str]) -> None:
    bench.plug(family, 1, locked=True, pin=PIN, **model)
    person = Person(pin=PIN)
    bus = bench.bus(ask_hidden=person)
    device, compared = prove_device(bus, VAULT, VAULT.cosigners[0])
    assert compared
    assert len(person.prompts) == 1 and "7 8 9 / 4 5 6 / 1 2 3" in person.prompts[0]
    signed = Psbt.parse(bus.sign(device, VAULT, payment(VAULT).serialize(), None))
    assert len(signed.inputs[0].partial_signatures) == 1


@FAMILIES
def test_without_a_terminal_it_stays_locked_and_says_so(bench: Bench, family: str, model: dict[str, str]) -> None:
    bench.plug(family, 1, locked=True, pin=PIN, **model)
    report = bench.bus().look(VAULT.network)
    (found,) = report.devices
    assert found.problem is not None and found.problem.code is Code.DEVICE_LOCKED
    with pytest.raises(DeviceUnavailable) as caught:
        choose_device(report, VAULT.cosigners[0].fingerprint)
    assert caught.value.code is Code.DEVICE_LOCKED


@FAMILIES
def test_a_wrong_pin_is_refused_and_not_repeated_anywhere(bench: Bench, family: str, model: dict[str, str]) -> None:
    bench.plug(family, 1, locked=True, pin=PIN, **model)
    report = bench.bus(ask_hidden=Person(pin="1111")).look(VAULT.network)
    (problem,) = report.problems
    assert problem.code is Code.DEVICE_LOCKED and "refused the PIN" in problem.message
    assert "1111" not in str(report)


@pytest.mark.parametrize("asked", ["pin", "passphrase"])
def test_a91_a_driver_that_repeats_what_was_typed_is_not_quoted(asked: str) -> None:
    code = (
        "import json, sys; sys.stdin.readline()\n"
        f"print(json.dumps({{'ask': {asked!r}}}), flush=True)\n"
        "typed = json.loads(sys.stdin.readline())['hidden']\n"
        "error = {'kind': 'ValueError', 'hwi': None, 'number': None, 'errno': None, 'text': f'{typed!r} is wrong'}\n"
        "print(json.dumps({'error': error}), flush=True)\n"
    )
    person = Person(pin=PIN, passphrase=HORSE)
    bus = HwiBus(command=(sys.executable, "-c", code), ask_hidden=person, drivers=("trezor",))
    device = FoundDevice("trezor", "usb", "trezor_1", VAULT.cosigners[0].fingerprint, "", None, None)
    with pytest.raises(DeviceUnavailable) as caught:
        bus.key(device, VAULT.cosigners[0].key.origin.path, VAULT.network)
    assert len(person.prompts) == 1
    assert "failed inside itself (ValueError)" in caught.value.message
    assert caught.value.details == {}


@FAMILIES
def test_a_passphrase_is_typed_here_where_the_device_cannot(bench: Bench, family: str, model: dict[str, str]) -> None:
    path = bench.plug(family, 1, passphrase=HORSE, asks_passphrase=True, **model)
    wanted = Inside(bench.folder).at(path).fingerprint
    person = Person(passphrase=HORSE)
    bus = bench.bus(ask_hidden=person)
    device = choose_device(bus.look(VAULT.network), wanted)
    bus.key(device, VAULT.cosigners[0].key.origin.path, VAULT.network)
    assert person.prompts == ["passphrase of this vault's key: "] * 2


@FAMILIES
def test_another_passphrase_is_another_device(bench: Bench, family: str, model: dict[str, str]) -> None:
    path = bench.plug(family, 1, passphrase=HORSE, asks_passphrase=True, **model)
    wanted = Inside(bench.folder).at(path).fingerprint
    report = bench.bus(ask_hidden=Person(passphrase="wrong horse")).look(VAULT.network)
    with pytest.raises(DeviceUnavailable) as caught:
        choose_device(report, wanted)
    assert caught.value.code is Code.DEVICE_ABSENT
    assert "horse" not in str(caught.value)
    device = choose_device(bench.bus(ask_hidden=Person(passphrase=HORSE)).look(VAULT.network), wanted)
    with pytest.raises(CustodyError) as changed:
        bench.bus(ask_hidden=Person(passphrase="wrong horse")).key(device, (), VAULT.network)
    assert changed.value.code is Code.DEVICE_ABSENT
    assert "another passphrase" in changed.value.message and "wrong horse" not in changed.value.message


def test_a_trezor_with_a_screen_is_asked_on_its_screen(bench: Bench) -> None:
    path = bench.plug("trezor", 1, passphrase=HORSE, asks_passphrase=True)
    wanted = Inside(bench.folder).at(path).fingerprint
    person = Person()
    bus = bench.bus(ask_hidden=person)
    device: FoundDevice = choose_device(bus.look(VAULT.network), wanted)
    bus.key(device, VAULT.cosigners[0].key.origin.path, VAULT.network)
    assert person.prompts == []


def test_what_was_typed_is_in_no_argument_and_no_environment(bench: Bench) -> None:
    path = bench.plug("trezor", 1, locked=True, pin=PIN, passphrase=HORSE, asks_passphrase=True, **OLD_TREZOR)
    wanted = Inside(bench.folder).at(path).fingerprint
    bus = bench.bus(ask_hidden=Person(pin=PIN, passphrase=HORSE))
    device = choose_device(bus.look(VAULT.network), wanted)
    bench.disturb(path, "key", "report")
    bus.key(device, VAULT.cosigners[0].key.origin.path, VAULT.network)
    seen = str(bench.device(path)["process"])
    assert PIN not in seen and HORSE not in seen
    assert PIN not in repr(vars(bus)) and HORSE not in repr(vars(bus))
