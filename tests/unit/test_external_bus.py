"""A signer's program that speaks Bitcoin Core's external-signer commands, by a stand-in that isn't ours."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.keys import HARDENED
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import take_signatures
from custody.bitcoin.signatures import SpendScript
from custody.codes import Code
from custody.errors import DeviceUnavailable, InvalidInput
from custody.workflow.device_address import derive_address, show_address
from custody.workflow.device_choose import choose_device
from custody.workflow.device_key import prove_device
from custody_hardware.external_bus import ExternalBus
from custody_hardware.hwi_bus import TimeLimits
from support.hwi_bench import PATIENT, Bench
from support.review_cases import payment, simulated_vault

VAULT = simulated_vault()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench", needs_hwi=False)


def program(folder: Path, text: str, *, limits: TimeLimits = PATIENT) -> ExternalBus:
    """Return the bus over a program of a few lines."""
    path = folder / "program.py"
    path.write_text(text)
    return ExternalBus((sys.executable, str(path)), limits=limits)


def test_a_program_lists_shows_and_signs(bench: Bench) -> None:
    bench.plug("external", 1, label="on the\nshelf")
    bus = bench.external_bus()
    device, compared = prove_device(bus, VAULT, VAULT.cosigners[0])
    assert (device.model, device.label, compared) == ("stand_in", "on the\\u{000A}shelf", False)
    wanted = derive_address(VAULT, 1, 5)
    shown = show_address(bus, device, VAULT, VAULT.cosigners[0], wanted=wanted, registration=None)
    assert shown.answered == wanted.address
    asked = payment(VAULT, coins=2)
    returned = Psbt.parse(bus.sign(device, VAULT, asked.serialize(), None))
    item = asked.inputs[0]
    assert item.witness_script is not None and item.witness_utxo is not None
    script = SpendScript(item.witness_script, item.witness_utxo.value)
    merged, _ = take_signatures(asked, returned, [script, script])
    assert [len(one.partial_signatures) for one in merged.inputs] == [1, 1]


def test_a_key_is_answered_where_a_descriptor_of_the_program_stands_at_its_path(bench: Bench) -> None:
    bench.plug("external", 1, knows_multisig=True)
    bus = bench.external_bus()
    _device, compared = prove_device(bus, VAULT, VAULT.cosigners[0])
    assert compared


def test_any_other_key_is_not_supported(bench: Bench) -> None:
    bench.plug("external", 1)
    bus = bench.external_bus()
    device = choose_device(bus.look(VAULT.network), VAULT.cosigners[0].fingerprint)
    with pytest.raises(DeviceUnavailable) as caught:
        bus.key(device, (48 + HARDENED, 1 + HARDENED, 7 + HARDENED), VAULT.network)
    assert caught.value.code is Code.DEVICE_UNSUPPORTED
    single = bus.key(device, (84 + HARDENED, 1 + HARDENED, 7 + HARDENED), VAULT.network)
    assert (single.depth, single.child_number) == (3, 7 + HARDENED)


def test_nothing_can_be_registered(bench: Bench) -> None:
    bench.plug("external", 1)
    bus = bench.external_bus()
    device = choose_device(bus.look(VAULT.network), VAULT.cosigners[0].fingerprint)
    with pytest.raises(DeviceUnavailable) as caught:
        bus.register(device, VAULT, "reserve")
    assert caught.value.code is Code.DEVICE_UNSUPPORTED


def test_the_programs_error_becomes_ours_and_its_text_is_escaped(tmp_path: Path) -> None:
    answer = '{"error": "no \\\\u001b[2J way", "code": -14}'
    bus = program(tmp_path, f"print('{answer}')")
    bench = Bench(tmp_path / "bench", needs_hwi=False)
    bench.plug("external", 1)
    device = choose_device(bench.external_bus().look(VAULT.network), VAULT.cosigners[0].fingerprint)
    with pytest.raises(DeviceUnavailable) as caught:
        bus.sign(device, VAULT, payment(VAULT).serialize(), None)
    assert caught.value.code is Code.DEVICE_REFUSED
    assert caught.value.details["driver_said"] == "no \\u{001B}[2J way"


def test_a_locked_device_is_listed_with_its_problem(bench: Bench) -> None:
    bench.plug("external", 1, locked=True)
    (found,) = bench.external_bus().look(VAULT.network).devices
    assert found.problem is not None and found.problem.code is Code.DEVICE_LOCKED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "print('Segmentation fault')",
        "print('{}')",
        "print('[1]')",
        """print('[{"fingerprint": "xyz"}]')""",
        """print('[{"fingerprint": "00112233", "fingerprint": "00112233"}]')""",
        "print('[]' * 2)",
        "import sys; sys.stdout.write('[' + '1,' * 20_000_000)",
    ],
)
def test_garbage_is_no_answer(tmp_path: Path, text: str) -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        program(tmp_path, text).look(VAULT.network)
    assert caught.value.code is Code.DEVICE_ANSWER_INVALID


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        program(tmp_path, "import time; time.sleep(3600)", limits=TimeLimits(look=2)).look(VAULT.network)
    assert caught.value.code is Code.DEVICE_TIMEOUT


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(DeviceUnavailable) as caught:
        ExternalBus(("/nowhere/signer",)).look(VAULT.network)
    assert caught.value.code is Code.DEVICE_LIBRARY_MISSING
    assert "/nowhere/signer" in caught.value.message


def test_only_version_0_leaves(bench: Bench) -> None:
    bench.plug("external", 1)
    bus = bench.external_bus()
    device = choose_device(bus.look(VAULT.network), VAULT.cosigners[0].fingerprint)
    with pytest.raises(InvalidInput) as caught:
        bus.sign(device, VAULT, replace(payment(VAULT), version=2).serialize(), None)
    assert caught.value.code is Code.UNSUPPORTED_PSBT_VERSION
