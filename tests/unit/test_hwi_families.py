"""Every family of hardware wallets through HWI's own drivers: look, key, register, show, sign, finish.

The other end of each driver is a double with that family's refusal rules; everything between the bus and
that end is the product and HWI 3.2.0 itself.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.bitcoin.psbt_roles import extract, finalize, take_signatures
from custody.bitcoin.signatures import SpendScript
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, DeviceUnavailable, InvalidInput, NotYet
from custody.ports import FoundDevice, Registration
from custody.vault.vault import Vault
from custody.workflow.device_address import derive_address, show_address
from custody.workflow.device_choose import choose_device
from custody.workflow.device_key import prove_device
from custody_hardware.hwi_bus import HwiBus
from custody_hardware.simulator import SimulatedDevice
from support.hwi_bench import PATIENT, Bench
from support.review_cases import payment, simulated_vault

FAMILIES = ("bitbox02", "coldcard", "jade", "keepkey", "ledger", "trezor")
METHODS = {"bitbox02": "script-config", "coldcard": "file", "jade": "record", "ledger": "policy"}
SCRIPTS = (ScriptType.WSH_SORTEDMULTI, ScriptType.SH_WSH_SORTEDMULTI)

each_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "bench")


def connected(bus: HwiBus, vault: Vault, number: int = 0) -> FoundDevice:
    """Return the device of cosigner `number`, its key compared with the vault's."""
    device, compared = prove_device(bus, vault, vault.cosigners[number])
    assert compared
    return device


def spend_scripts_of(psbt: Psbt) -> list[SpendScript]:
    """Return what each input spends, from the PSBT that we built ourselves."""
    scripts = []
    for item in psbt.inputs:
        assert item.witness_script is not None and item.witness_utxo is not None
        scripts.append(SpendScript(item.witness_script, item.witness_utxo.value, item.redeem_script))
    return scripts


def refused(code: Code, call: object, kind: type[CustodyError] = DeviceUnavailable) -> CustodyError:
    """Return the error of a call that has to fail with `code`."""
    assert callable(call)
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code is code, caught.value.message
    return caught.value


@pytest.mark.parametrize("script", SCRIPTS)
@each_family
def test_a_device_signs_a_payment_that_two_others_complete(bench: Bench, family: str, script: ScriptType) -> None:
    vault = simulated_vault(3, 4, script)
    bench.plug(family, 1)
    bus = bench.bus()
    device = connected(bus, vault)
    registration = bus.register(device, vault, "reserve")
    assert (registration.method, registration.name) == (METHODS.get(family, "none"), "reserve")

    for branch, index in ((0, 0), (0, 7), (1, 3)):
        wanted = derive_address(vault, branch, index)
        shown = show_address(bus, device, vault, vault.cosigners[0], wanted=wanted, registration=registration)
        assert shown.answered in wanted.on_screen

    asked = payment(vault, coins=3)
    scripts = spend_scripts_of(asked)
    returned = bus.sign(device, vault, asked.serialize(), registration)
    merged, _ = take_signatures(asked, Psbt.parse(returned), scripts)
    assert [len(one.partial_signatures) for one in merged.inputs] == [1, 1, 1]
    for number in (2, 3):
        answer = SimulatedDevice(number, vault).sign(asked.serialize())
        merged, _ = take_signatures(merged, Psbt.parse(answer), scripts)
    finished = extract(finalize(merged, scripts))
    assert finished.outputs == asked.unsigned_transaction().outputs


@each_family
def test_a_device_says_what_it_is(bench: Bench, family: str) -> None:
    path = bench.plug(family, 3)
    report = bench.bus().look(Network.REGTEST)
    (found,) = report.devices
    assert report.problems == ()
    assert (found.driver, found.path, found.problem) == (family, path, None)
    assert found.fingerprint == simulated_vault().cosigners[2].fingerprint
    assert found.firmware == bench.device(path)["firmware"]


def test_each_driver_runs_alone(bench: Bench) -> None:
    for seed, family in enumerate(FAMILIES, start=1):
        bench.plug(family, seed)
    assert len(bench.bus(every_driver=True).look(Network.REGTEST).devices) == len(FAMILIES)
    for driver, imported in bench.read()["imports"]:
        others = {name.split(".")[2] for name in imported} & {*FAMILIES, "digitalbitbox"} - {driver}
        assert others <= ({"trezor"} if driver == "keepkey" else set()), driver


def test_a_digital_bitbox_is_refused_whatever_is_asked(bench: Bench) -> None:
    bench.plug("digitalbitbox", 1)
    bus = bench.bus()
    (found,) = bus.look(Network.REGTEST).devices
    assert found.problem is not None and found.problem.code is Code.DEVICE_UNSUPPORTED
    claimed = replace(found, fingerprint=simulated_vault().cosigners[0].fingerprint)
    refused(Code.DEVICE_UNSUPPORTED, lambda: bus.key(claimed, (), Network.REGTEST))


def test_a_ledger_signs_nothing_without_a_kept_registration(bench: Bench) -> None:
    vault = simulated_vault()
    bench.plug("ledger", 1)
    bus = bench.bus()
    device = connected(bus, vault)
    asked = payment(vault).serialize()
    refused(Code.DEVICE_UNREGISTERED, lambda: bus.sign(device, vault, asked, None), NotYet)
    refused(Code.DEVICE_UNREGISTERED, lambda: bus.show_address(device, vault, 0, 0, None), NotYet)


def test_a_ledger_that_registers_another_policy_is_found_out(bench: Bench) -> None:
    vault = simulated_vault()
    bench.plug("ledger", 1, signs="another policy")
    bus = bench.bus()
    device = connected(bus, vault)
    error = refused(Code.POLICY_HMAC_UNKNOWN, lambda: bus.register(device, vault, "reserve"), CheckFailed)
    assert error.exit_code == 3


def test_an_old_ledger_app_is_not_supported(bench: Bench) -> None:
    vault = simulated_vault()
    path = bench.plug("ledger", 1, firmware="1.6.5")
    bus = bench.bus()
    (device,) = bus.look(vault.network).devices
    assert device.path == path
    error = refused(Code.DEVICE_UNSUPPORTED, lambda: bus.register(device, vault, "reserve"))
    assert "below 2.1" in error.message


@pytest.mark.parametrize(("app", "code"), [("Bitcoin", "DEVICE_WRONG_APP"), ("BOLOS", "DEVICE_WRONG_APP")])
def test_a_ledger_with_another_app_open_says_which_to_open(bench: Bench, app: str, code: str) -> None:
    vault = simulated_vault()
    bench.plug("ledger", 1, app=app)
    (device,) = bench.bus().look(vault.network).devices
    assert device.problem is not None
    assert device.problem.code == code
    assert "Bitcoin Test" in device.problem.advice


@pytest.mark.parametrize("family", ["coldcard", "jade"])
def test_a_device_that_was_never_told_of_the_vault_says_so(bench: Bench, family: str) -> None:
    vault = simulated_vault()
    bench.plug(family, 1)
    bus = bench.bus()
    device = connected(bus, vault)
    error = refused(Code.DEVICE_UNREGISTERED, lambda: bus.sign(device, vault, payment(vault).serialize(), None), NotYet)
    assert "custody device register" in error.advice


def test_a_coldcard_refuses_global_keys_of_another_vault(bench: Bench) -> None:
    vault = simulated_vault()
    bench.plug("coldcard", 1)
    bus = bench.bus()
    device = connected(bus, vault)
    registration = bus.register(device, vault, "reserve")
    asked = payment(vault)
    missing = replace(asked, global_xpubs=asked.global_xpubs[:2])
    refused(Code.DEVICE_UNREGISTERED, lambda: bus.sign(device, vault, missing.serialize(), registration), NotYet)


def test_a_jade_does_not_know_testnet4(bench: Bench) -> None:
    bench.plug("jade", 1)
    (found,) = bench.bus().look(Network.TESTNET4).devices
    assert found.problem is not None and found.problem.code is Code.DEVICE_UNSUPPORTED
    assert "network" in found.problem.message


@pytest.mark.parametrize(("family", "longest"), [("jade", 15), ("coldcard", 20), ("bitbox02", 30)])
def test_a_name_that_a_device_cannot_keep_is_refused_before_it_is_asked(
    bench: Bench, family: str, longest: int
) -> None:
    vault = simulated_vault()
    bench.plug(family, 1)
    bus = bench.bus()
    device = connected(bus, vault)
    error = refused(Code.DEVICE_UNSUPPORTED, lambda: bus.register(device, vault, "x" * (longest + 1)))
    assert str(longest) in error.message
    assert bus.register(device, vault, "x" * longest).name == "x" * longest


def test_a_bitbox02_is_paired_elsewhere(bench: Bench) -> None:
    bench.plug("bitbox02", 1, paired=False)
    (found,) = bench.bus().look(Network.REGTEST).devices
    assert found.problem is not None and found.problem.code is Code.DEVICE_LOCKED
    assert "BitBoxApp" in found.problem.advice


def test_a_trezor_refuses_an_input_of_others(bench: Bench) -> None:
    vault, other = simulated_vault(), simulated_vault(2, 5)
    bench.plug("trezor", 4)
    bus = bench.bus()
    device = connected(bus, other, 3)
    refused(Code.DEVICE_UNSUPPORTED, lambda: bus.sign(device, vault, payment(vault).serialize(), None))


@pytest.mark.parametrize("family", ["keepkey", "trezor"])
def test_a_trezor_shows_the_payee_and_keeps_our_change_to_itself(bench: Bench, family: str) -> None:
    """HWI 3.2.0 leaves out the order of the keys; the worker says it, else change in another order is shown."""
    vault = simulated_vault(2, 5)
    path = bench.plug(family, 1)
    bus = bench.bus()
    device = connected(bus, vault)
    asked = payment(vault, coins=2)
    bus.sign(device, vault, asked.serialize(), None)
    assert [value for value, _address in bench.device(path)["shown"]] == [asked.outputs[0].value]


@pytest.mark.parametrize("family", ["bitbox02", "trezor"])
def test_a_missing_previous_transaction_is_refused(bench: Bench, family: str) -> None:
    vault = simulated_vault()
    bench.plug(family, 1)
    bus = bench.bus()
    device = connected(bus, vault)
    registration = bus.register(device, vault, "reserve")
    asked = payment(vault)
    bare = asked.with_input(0, replace(asked.inputs[0], non_witness_utxo=None))
    with pytest.raises(DeviceUnavailable):
        bus.sign(device, vault, bare.serialize(), registration)


def test_only_version_0_leaves_for_a_device(bench: Bench) -> None:
    vault = simulated_vault()
    bench.plug("coldcard", 1)
    bus = bench.bus()
    device = connected(bus, vault)
    asked = replace(payment(vault), version=2)
    refused(Code.UNSUPPORTED_PSBT_VERSION, lambda: bus.sign(device, vault, asked.serialize(), None), InvalidInput)


@each_family
def test_the_holder_who_says_no_is_told_apart(bench: Bench, family: str) -> None:
    vault = simulated_vault()
    path = bench.plug(family, 1)
    bus = bench.bus()
    device = connected(bus, vault)
    registration = bus.register(device, vault, "reserve")
    asked = payment(vault).serialize()
    bench.disturb(path, "sign", "refuse")
    error = refused(Code.DEVICE_REFUSED, lambda: bus.sign(device, vault, asked, registration))
    assert "said no" in error.message
    # HWI asks a Trezor again with each cosigner's path: its holder says no as often.
    bench.disturb(path, "show", "refuse", stays=True)
    refused(Code.DEVICE_REFUSED, lambda: bus.show_address(device, vault, 0, 0, registration))
    bench.change(path, trouble=None)
    assert Psbt.parse(bus.sign(device, vault, asked, registration)).inputs[0].partial_signatures


@pytest.mark.parametrize("family", ["bitbox02", "jade", "ledger"])
def test_a_refused_registration_is_none(bench: Bench, family: str) -> None:
    vault = simulated_vault()
    path = bench.plug(family, 1)
    bus = bench.bus()
    device = connected(bus, vault)
    bench.disturb(path, "register", "refuse")
    refused(Code.DEVICE_REFUSED, lambda: bus.register(device, vault, "reserve"))
    assert bench.device(path)["wallets"] == []
    assert isinstance(bus.register(device, vault, "reserve"), Registration)


def test_a_coldcard_whose_holder_refuses_never_gets_the_vault(bench: Bench) -> None:
    vault = simulated_vault()
    path = bench.plug("coldcard", 1)
    bus = bench.bus()
    device = connected(bus, vault)
    bench.disturb(path, "register", "refuse")
    hasty = bench.bus(limits=replace(PATIENT, register=33))
    error = refused(Code.DEVICE_REFUSED, lambda: hasty.register(device, vault, "reserve"))
    assert "doesn't tell which" in error.message


def test_two_alike_are_one_too_many(bench: Bench) -> None:
    vault = simulated_vault()
    bench.plug("coldcard", 1)
    bench.plug("ledger", 1)
    report = bench.bus().look(vault.network)
    refused(Code.DEVICE_AMBIGUOUS, lambda: choose_device(report, vault.cosigners[0].fingerprint))
