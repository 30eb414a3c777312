"""What is connected, as one driver sees it. HWI's `enumerate` over all drivers is never called.

One driver that fails, hangs or lacks its library then says nothing about the others.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, cast

from .open_device import Client, driver_module, open_client, require_app, unlock
from .request import Ask, Json, NotAsked, Request, WorkerError

Entries = list[Mapping[str, object]]
"""Devices as HWI's drivers describe them."""

_NOT_READY = -12


def look(request: Request, ask: Ask) -> Json:
    """Return each device that the driver finds, with its error where it can't be used now."""
    driver, chain = request.text("driver"), request.text("chain")

    def enumerated(passphrase: str | None) -> Entries:
        return _enumerated(driver, chain, passphrase, emulators=request.flag("emulators"))

    entries = enumerated(None)
    if driver in ("keepkey", "trezor"):
        entries = _after_typing(driver, chain, entries, enumerated, ask)
    return [_described(driver, chain, entry) for entry in entries]


def _enumerated(driver: str, chain: str, passphrase: str | None, *, emulators: bool) -> Entries:
    from hwilib.common import Chain

    found = driver_module(driver).enumerate(passphrase, False, Chain[chain.upper()], emulators)
    return cast(Entries, found)


def _after_typing(
    driver: str, chain: str, entries: Entries, enumerated: Callable[[str | None], Entries], ask: Ask
) -> Entries:
    """Ask for the PIN of a locked device, and for a passphrase that its settings demand, and look again."""
    try:
        for entry in entries:
            if entry.get("needs_pin_sent"):
                _unlock_at(driver, str(entry["path"]), chain, ask)
                entries = enumerated(None)
        if any(_wants_passphrase(entry) for entry in entries):
            entries = enumerated(ask("passphrase"))
    except NotAsked:
        pass  # nobody is there to type: the entry says that the device is locked
    return entries


def _unlock_at(driver: str, path: str, chain: str, ask: Ask) -> None:
    client = open_client(driver, path, chain)
    try:
        unlock(client, ask)
    finally:
        client.close()


def _wants_passphrase(entry: Mapping[str, object]) -> bool:
    not_ready = entry.get("code") == _NOT_READY and not entry.get("needs_pin_sent")
    return bool(entry.get("warnings")) or (not_ready and bool(entry.get("needs_passphrase_sent")))


def _described(driver: str, chain: str, entry: Mapping[str, object]) -> dict[str, Json]:
    path, fingerprint = _text(entry, "path"), _text(entry, "fingerprint")
    found: dict[str, Json] = {
        "path": path,
        "model": _text(entry, "model"),
        "label": _text(entry, "label"),
        "fingerprint": fingerprint or None,
        "firmware": None,
        "error": None,
    }
    if "error" in entry:
        code = entry.get("code")
        number = code if isinstance(code, int) else None
        text = str(entry["error"])[:600]
        found["error"] = {"kind": "Entry", "hwi": number, "number": None, "errno": None, "text": text}
    elif fingerprint:
        try:
            found["firmware"] = _firmware_at(driver, path, chain)
        except WorkerError as error:
            found["error"] = {
                "kind": type(error).__name__, "hwi": None, "number": None, "errno": None, "text": str(error)
            }  # fmt: skip
        except Exception:  # noqa: BLE001 (a version is worth having, never worth a failure)
            found["firmware"] = None
    return found


def _firmware_at(driver: str, path: str, chain: str) -> str:
    client = open_client(driver, path, chain)
    try:
        if driver == "ledger":
            require_app(client, chain)
        return _firmware(driver, client)
    finally:
        client.close()


def _firmware(driver: str, client: Client) -> str:
    """Return the version that the device tells: of its firmware, of the Bitcoin app on a Ledger."""
    known = cast("_Versioned", client)
    if driver in ("keepkey", "trezor"):
        known.client.refresh_features()
        return ".".join(str(part) for part in known.client.version)
    if driver == "ledger":
        version = known.client.get_version()[1]
        return version.decode("ascii") if isinstance(version, bytes) else str(version)
    if driver == "coldcard":
        return str(known.device.firmware_version()[1])
    if driver == "jade":
        return str(known.fw_version)
    from hwilib.devices.bitbox02_lib.bitbox02 import BitBox02

    return str(BitBox02.get_info(known.transport)[0]).removeprefix("v")


class _Inner(Protocol):
    version: tuple[int, ...]

    def refresh_features(self) -> object: ...
    def get_version(self) -> tuple[str | bytes, str | bytes, bytes]: ...


class _Coldcard(Protocol):
    def firmware_version(self) -> list[str]: ...


class _Versioned(Protocol):
    client: _Inner
    device: _Coldcard
    fw_version: object
    transport: object


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
