"""One driver, one device: imported, opened, unlocked where its holder types, and its fingerprint compared.

Source: HWI 3.2.0, hwilib/commands.py (`get_client`) and hwilib/devices.
"""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Protocol, cast

from .request import Ask, OtherDevice, Request, UnwantedLibrary, WrongApp, WrongPin

DRIVERS = ("bitbox02", "coldcard", "digitalbitbox", "jade", "keepkey", "ledger", "trezor")
"""Every driver of HWI 3.2.0."""

_TYPED_ON_THE_COMPUTER = ("keepkey", "trezor")
_ORDER_FIELD, _LEXICOGRAPHIC = 6, 1
_LEDGER_APPS = {"Bitcoin": True, "Bitcoin Legacy": True, "Bitcoin Test": False, "Bitcoin Test Legacy": False}


class Client(Protocol):
    """What is called on HWI's clients; beyond this only a family's own module knows more."""

    def get_master_fingerprint(self) -> bytes: ...
    def close(self) -> None: ...


def driver_module(driver: str) -> ModuleType:
    """Import one driver, and no other.

    Raises:
        UnwantedLibrary: `requests` is installed, which makes the Jade driver a network client.
    """
    if driver not in DRIVERS:
        raise ValueError(f"no driver is called {driver}")
    if driver == "jade" and importlib.util.find_spec("requests") is not None:
        raise UnwantedLibrary("requests")
    module = importlib.import_module(f"hwilib.devices.{driver}")
    if driver == "trezor":
        _say_that_keys_are_sorted()
    return module


def _say_that_keys_are_sorted() -> None:
    """Tell a Trezor in each multisig script that its keys are sorted (BIP 67), as all of ours are.

    Since firmware 1.13.0 and 2.8.7 it knows change by a hash that keeps the order of the keys unless field 6
    says otherwise. HWI 3.2.0 doesn't know the field and sends the keys in the order of each script, so that
    change in another order than the inputs is shown as a payment. Older firmware passes over the field.
    Source: trezor-firmware common/protob/messages-bitcoin.proto, legacy/firmware/crypto.c.
    """
    from hwilib.devices.trezorlib import messages, protobuf

    kind = messages.MultisigRedeemScriptType
    kind.FIELDS[_ORDER_FIELD] = protobuf.Field("pubkeys_order", "uint32", repeated=False, required=False)
    kind.pubkeys_order = _LEXICOGRAPHIC


def open_client(driver: str, path: str, chain: str) -> Client:
    """Return HWI's client for the device at `path`."""
    driver_module(driver)
    from hwilib.commands import get_client
    from hwilib.common import Chain

    return cast(Client, get_client(driver, path, None, False, Chain[chain.upper()]))


@contextmanager
def opened(request: Request, ask: Ask) -> Iterator[Client]:
    """Open the device of a request, unlock it, and make sure that it is the one that is wanted.

    Raises:
        OtherDevice: its fingerprint is another one. WrongApp, WrongPin.
    """
    driver = request.text("driver")
    client = open_client(driver, request.text("path"), request.text("chain"))
    try:
        if driver in _TYPED_ON_THE_COMPUTER:
            unlock(client, ask)
        if driver == "ledger":
            require_app(client, request.text("chain"))
        found = client.get_master_fingerprint().hex()
        if found != request.text("fingerprint"):
            raise OtherDevice(found)
        yield client
    finally:
        client.close()


def unlock(client: Client, ask: Ask) -> None:
    """Let a Trezor or KeepKey ask for what it takes from the computer: the PIN's places, the passphrase.

    Newer models take both on their own screen, and then nothing is asked here.

    Raises:
        WrongPin: the device refused it.
    """
    from hwilib.errors import DeviceAlreadyUnlockedError

    trezor = cast("_TrezorClient", client)
    trezor.client.ui = HiddenInput(ask)
    try:
        trezor.prompt_pin()
    except DeviceAlreadyUnlockedError:
        return
    if not trezor.send_pin(ask("pin")):
        raise WrongPin("refused")


def require_app(client: Client, chain: str) -> None:
    """Demand the app of the network; an unknown name is left to the driver, which knows its own.

    Raises:
        WrongApp: with the name of the open app.
    """
    name = cast("_LedgerClient", client).client.get_version()[0]
    text = name.decode("ascii", "replace") if isinstance(name, bytes) else name
    if _LEDGER_APPS.get(text, chain == "main") != (chain == "main"):
        raise WrongApp(text)


class HiddenInput:
    """HWI's `ui` of a Trezor: asks its holder once, through the pipe, and only where the device demands it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._passphrase: str | None = None

    def button_request(self, _code: int | None) -> None:
        """The device waits for a button: its own screen says so."""

    def get_pin(self, _code: int | None = None) -> str:
        """Return the places of the PIN's digits."""
        return self._ask("pin")

    def get_passphrase(self, available_on_device: bool) -> object:
        """Return the passphrase, or that it is typed on the device where that can be."""
        if available_on_device:
            from hwilib.devices.trezorlib.client import PASSPHRASE_ON_DEVICE

            return PASSPHRASE_ON_DEVICE
        if self._passphrase is None:
            self._passphrase = self._ask("passphrase")
        return self._passphrase


class _Ui(Protocol):
    ui: HiddenInput


class _TrezorClient(Client, Protocol):
    client: _Ui

    def prompt_pin(self) -> bool: ...
    def send_pin(self, pin: str) -> bool: ...


class _App(Protocol):
    def get_version(self) -> tuple[str | bytes, str | bytes, bytes]: ...


class _LedgerClient(Client, Protocol):
    client: _App
