"""A bus in memory that answers what a test says: for decisions that need no program and no process."""

from dataclasses import dataclass, field, replace

from custody.bitcoin.keys import ExtendedKey, KeyPath
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import DeviceUnavailable
from custody.ports import BusReport, FoundDevice, Registration
from custody.vault.vault import Vault


def found(fingerprint: bytes | None, **other: object) -> FoundDevice:
    """Return a device as a bus finds it, a Trezor unless `other` says otherwise."""
    device = FoundDevice("trezor", "usb:1", "trezor_t", fingerprint, "", "2.8.9", None)
    return replace(device, **other)  # type: ignore[arg-type]


@dataclass
class FakeBus:
    """A `SignerBus` whose answers stand in its fields."""

    devices: tuple[FoundDevice, ...] = ()
    keys: list[ExtendedKey] = field(default_factory=list)
    """Given out one after the other; without any the bus can't be asked."""
    address: str = ""
    registration: Registration | None = None
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return "fake"

    def look(self, network: Network) -> BusReport:
        self.asked.append(f"look {network}")
        return BusReport(self.devices, ())

    def key(self, device: FoundDevice, path: KeyPath, network: Network) -> ExtendedKey:
        self.asked.append("key")
        if not self.keys:
            raise self._unsupported()
        return self.keys.pop(0)

    def show_address(
        self,
        device: FoundDevice,
        vault: Vault,
        branch: int,
        index: int,
        registration: Registration | None,
    ) -> str:
        self.asked.append(f"address {branch}/{index}")
        return self.address

    def register(self, device: FoundDevice, vault: Vault, name: str) -> Registration:
        self.asked.append(f"register {name}")
        if self.registration is None:
            raise self._unsupported()
        return self.registration

    def sign(
        self,
        device: FoundDevice,
        vault: Vault,
        psbt: bytes,
        registration: Registration | None,
    ) -> bytes:
        self.asked.append("sign")
        return psbt

    def _unsupported(self) -> DeviceUnavailable:
        return DeviceUnavailable(Code.DEVICE_UNSUPPORTED, "the bus can't", advice="Use another.")
