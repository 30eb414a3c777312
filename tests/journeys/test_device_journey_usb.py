"""Hardware wallets behind HWI's own drivers, from registration to broadcast, through the real command line.

The devices are doubles at the transport; everything from the command down to HWI's drivers is what users run.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hwi_bench import Bench
from support.rehearsal import Rehearsal, stranger

PAID = 150_000_000
FAMILIES = {"c1": "ledger", "c2": "jade", "c3": "bitbox02"}
METHODS = {"c1": "policy", "c2": "record", "c3": "script-config"}


class UsbOffice(Rehearsal):
    """An office whose cosigners have a Ledger, a Jade and a BitBox02 on its cables."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        super().__init__(folder / "office")
        self.bench = Bench(folder / "bench")
        self.paths = {name: self.bench.plug(family, int(name[1])) for name, family in FAMILIES.items()}
        self.interpreter = self.bench.interpreter()
        self.drivers([*FAMILIES.values()])

    def drivers(self, names: list[str]) -> None:
        """Let only these drivers look: each costs a process."""
        signer = {"python": str(self.interpreter), "drivers": names}
        settings = f"format: custody-settings/1\nsigner: {json.dumps(signer)}\n"
        (self.folder / "custody.yaml").write_text(settings)

    @property
    def kinds(self) -> list[str]:
        return [one["kind"] for one in self.json(["journal", "show"])["entries"]]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[UsbOffice]:
    yield UsbOffice(tmp_path / "usb")


def test_register_show_check_and_sign_over_hwi(office: UsbOffice) -> None:
    listed = {one["claims_cosigners"][0]: one for one in office.json(["device", "list"])["devices"]}
    assert {name: (one["model"], one["needs_registration"]) for name, one in listed.items()} == {
        "c1": ("ledger", True),
        "c2": ("jade", True),
        "c3": ("bitbox02", True),
    }
    # A Ledger that knows no policy can't show an address: said before anything is asked of a person.
    office.drivers(["ledger"])
    assert office.error(["device", "show-address", "c1"], exit_code=5)["error"] == "DEVICE_UNREGISTERED"

    for name, family in FAMILIES.items():
        office.drivers([family])
        registered = office.json(["device", "register", name])
        assert (registered["method"], registered["registered"]) == (METHODS[name], True)
        shown = office.json(["device", "show-address", name, "--branch", "change", "--index", 3])
        assert (shown["address"], shown["verified"]) == (office.vault.address_at(1, 3), True)
        checked = office.json(["device", "check", name])
        assert (checked["registered"], checked["device"]) == ("kept", family)
    assert (checked["combinations_verified"], checked["combinations"]) == (3, 3)
    assert office.kinds == ["vault_adopted", *["device_registered", "rehearsal_signed", "device_checked"] * 3]
    names = {one["body"]["name"] for one in office.json(["journal", "show"])["entries"] if "token" in one["body"]}
    assert len(names) == 1  # every device knows the vault by one name
    office.drivers([*FAMILIES.values()])
    assert all(one["proven"] for one in office.json(["device", "list"])["devices"])

    office.fund(1)
    drafted = office.draft("--to", f"{stranger(1)}=1.5btc")
    for name in ("c3", "c1"):
        office.drivers([FAMILIES[name]])
        signed = office.json(["proposal", "sign", "--device", name, "--confirm-sats", PAID])
    assert (signed["state"], sorted(signed["signing"]["signed"])) == ("signed", ["c1", "c3"])
    again = office.run(["proposal", "sign", "--device", "c1", "--confirm-sats", PAID])
    assert f"It knows this vault as `{names.pop()}`" in again.stderr  # what a Ledger shows as the account's name
    office.json(["proposal", "finalize"])
    assert office.json(["proposal", "broadcast", "--confirm-sats", PAID])["txid"] == drafted["unsigned_txid"]


def test_another_ledgers_token_is_refused_and_never_tried_without(office: UsbOffice) -> None:
    office.drivers(["ledger"])
    office.json(["device", "register", "c1"])
    token = office.json(["journal", "show"])["entries"][-1]["body"]["token"]
    assert len(bytes.fromhex(token)) == 32
    office.fund(1)
    office.draft("--to", f"{stranger(1)}=1.5btc")
    office.drivers(["jade"])
    office.bench.unplug(office.paths["c1"])
    office.bench.plug("jade", 1)  # the same seed on another device
    sign = ["proposal", "sign", "--device", "c1", "--confirm-sats", PAID]
    refused = office.error(sign, exit_code=3)
    assert refused["error"] == "POLICY_HMAC_UNKNOWN"
    assert "made on `ledger`, connected is `jade`" in refused["message"]
    assert "signatures_added" not in office.kinds
    office.json(["device", "register", "c1"])  # again is allowed, and the newest counts
    assert office.error(sign, exit_code=5)["details"]["missing"] == ["DEVICE_UNPROVEN@cosigner:c1"]


def test_a_refused_registration_records_nothing(office: UsbOffice) -> None:
    office.drivers(["jade"])
    office.bench.disturb(office.paths["c2"], "register", "refuse")
    refused = office.error(["device", "register", "c2"], exit_code=8)
    assert refused["error"] == "DEVICE_REFUSED"
    assert office.kinds == ["vault_adopted"]
    assert office.json(["device", "register", "c2"])["registered"] is True


def test_a_coldcard_has_to_be_named_since_its_driver_cannot_tell(office: UsbOffice) -> None:
    office.bench.plug("coldcard", 3)
    office.bench.unplug(office.paths["c3"])
    office.drivers(["coldcard"])
    unnamed = office.error(["device", "check", "c3"], exit_code=2)
    assert "coldcard-mk4" in unnamed["message"]
    assert office.error(["device", "check", "c3", "--model", "ledger"], exit_code=6)["error"] == "DEVICE_MODEL_UNKNOWN"
    assert office.kinds == ["vault_adopted"]
    checked = office.json(["device", "check", "c3", "--model", "coldcard-mk4"])
    assert (checked["device"], checked["registered"], checked["firmware"]) == ("coldcard-mk4", "made", "5.6.1")
    (found,) = office.json(["device", "list"])["devices"]
    assert (found["model"], found["proven"], found["registered_as"] is not None) == ("coldcard-mk4", True, True)
