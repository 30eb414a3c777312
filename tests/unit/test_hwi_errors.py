"""Everything that HWI and its drivers are known to say when it goes wrong, in our codes and words."""

import pytest

from custody.codes import Code
from custody_hardware.hwi_errors import MAKERS, Reported, explain
from support.published_secrets import PUBLISHED

KNOWN: list[tuple[Code, int, Reported]] = [
    # HWI's own numbers
    (Code.DEVICE_ABSENT, 8, Reported("trezor", "DeviceConnectionError", hwi=-3, text="Device disconnected")),
    (Code.DEVICE_LOCKED, 8, Reported("ledger", "DeviceConnectionError", hwi=-3, text="Device is asleep")),
    (Code.DEVICE_LOCKED, 8, Reported("jade", "DeviceConnectionError", hwi=-3, text="Device is locked")),
    (
        Code.DEVICE_UNSUPPORTED,
        8,
        Reported("digitalbitbox", "NoPasswordError", hwi=-6, text="Password must be supplied"),
    ),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("trezor", "BadArgumentError", hwi=-7, text="Cannot sign external inputs")),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("coldcard", "NotImplementedError", hwi=-8)),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("bitbox02", "BitBox02Error", hwi=-9, text="Input error: invalid input.")),
    (Code.DEVICE_LOCKED, 8, Reported("keepkey", "DeviceNotReadyError", hwi=-12, text="Keepkey is locked.")),
    (Code.DEVICE_REFUSED, 8, Reported("coldcard", "ActionCanceledError", hwi=-14, text="sign_tx canceled")),
    (Code.DEVICE_BUSY, 8, Reported("coldcard", "DeviceBusyError", hwi=-15, text="handling another request")),
    (Code.DEVICE_LOCKED, 8, Reported("trezor", "Entry", hwi=-18, text="Not initialized")),
    # What its text alone tells apart
    (Code.DEVICE_BUSY, 8, Reported("ledger", "Entry", hwi=-13, text="('0x6901', 'Error in <GET_VERSION: 1>', '')")),
    (
        Code.DEVICE_LOCKED,
        8,
        Reported("bitbox02", "Entry", hwi=-12, text="Device not paired yet. Please pair using the"),
    ),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("jade", "Entry", hwi=-12, text="Jade fw version: 0.1.1 - minimum required")),
    (Code.DEVICE_LOCKED, 8, Reported("jade", "Entry", hwi=-12, text='Use "Recovery Phrase Login" or "QR PIN Unlock"')),
    (Code.DEVICE_WRONG_APP, 8, Reported("ledger", "Entry", hwi=-3, text="Ledger is not in either the Bitcoin or")),
    (Code.DEVICE_LOCKED, 8, Reported("ledger", "Entry", hwi=-13, text="('0x5515', 'Error in', '')")),
    (
        Code.DEVICE_REFUSED,
        8,
        Reported("trezor", "BadArgumentError", hwi=-7, text="No path supplied matched device keys"),
    ),
    (
        Code.DEVICE_UNREGISTERED,
        5,
        Reported(
            "coldcard",
            "BadArgumentError",
            hwi=-7,
            text="Coldcard Error: XPUBs in PSBT do not match any existing wallet",
        ),
    ),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("jade", "BadArgumentError", hwi=-7, text="Unhandled network: testnet4")),
    (Code.DEVICE_ABSENT, 8, Reported("trezor", "BadArgumentError", hwi=-7, text="Could not find device by path: x")),
    (
        Code.DEVICE_UNSUPPORTED,
        8,
        Reported("jade", "DeviceConnectionError", hwi=-3, text="Network/chain selection error"),
    ),
    # Exceptions that leak past HWI
    (Code.DEVICE_PERMISSION, 8, Reported("coldcard", "OSError", text="open failed")),
    (
        Code.DEVICE_PERMISSION,
        8,
        Reported("jade", "SerialException", errno=13, text="could not open port: Permission denied"),
    ),
    (Code.DEVICE_PERMISSION, 8, Reported("trezor", "USBErrorAccess", text="LIBUSB_ERROR_ACCESS [-3]")),
    (
        Code.DEVICE_LIBRARY_MISSING,
        8,
        Reported("trezor", "FileNotFoundError", errno=2, text="[Errno 2] cannot find a suitable libusb-1.0"),
    ),
    (Code.DEVICE_LIBRARY_MISSING, 8, Reported("ledger", "ModuleNotFoundError", text="No module named 'hwilib'")),
    (Code.DEVICE_LIBRARY_MISSING, 8, Reported("jade", "ModuleNotFoundError", text="No module named 'serial'")),
    (Code.DEVICE_BUSY, 8, Reported("jade", "SerialException", errno=16, text="Device or resource busy")),
    (Code.DEVICE_BUSY, 8, Reported("keepkey", "USBErrorBusy", text="LIBUSB_ERROR_BUSY [-6]")),
    (
        Code.DEVICE_ABSENT,
        8,
        Reported("jade", "SerialException", text="device reports readiness to read but returned no data"),
    ),
    (Code.DEVICE_ABSENT, 8, Reported("ledger", "OSError", text="read error")),
    (Code.DEVICE_ABSENT, 8, Reported("coldcard", "AssertionError", text="timeout reading USB EP")),
    (Code.DEVICE_ABSENT, 8, Reported("trezor", "USBErrorNoDevice", text="LIBUSB_ERROR_NO_DEVICE [-4]")),
    (Code.DEVICE_ABSENT, 8, Reported("ledger", "OSError", errno=19, text="No such device")),
    (Code.DEVICE_REFUSED, 8, Reported("ledger", "DenyError", text="('0x6985', 'Error in', '')")),
    (Code.DEVICE_REFUSED, 8, Reported("bitbox02", "UserAbortException", number=104)),
    (Code.DEVICE_REFUSED, 8, Reported("jade", "JadeError", number=-32000, text="User declined")),
    (Code.DEVICE_LOCKED, 8, Reported("jade", "JadeError", number=-32002)),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("jade", "JadeError", number=-32003)),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("jade", "JadeError", number=-32602)),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("bitbox02", "Bitbox02Exception", number=101)),
    (Code.DEVICE_WRONG_APP, 8, Reported("ledger", "ClaNotSupportedError", text="('0x6e00', '', '')")),
    (Code.DEVICE_LOCKED, 8, Reported("ledger", "SecurityStatusNotSatisfiedError", text="('0x6982', '', '')")),
    (Code.POLICY_HMAC_UNKNOWN, 3, Reported("ledger", "SignatureFailError", text="('0xb008', '', '')")),
    (Code.DEVICE_ANSWER_INVALID, 8, Reported("trezor", "KeyError", text="b'...'")),
    (Code.DEVICE_ANSWER_INVALID, 8, Reported("bitbox02", "AssertionError")),
    # What the worker itself finds out
    (Code.DEVICE_ABSENT, 8, Reported("coldcard", "OtherDevice", text="00112233")),
    (Code.DEVICE_WRONG_APP, 8, Reported("ledger", "WrongApp", text="Bitcoin")),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("ledger", "OldApp", text="below 2.1")),
    (Code.DEVICE_LOCKED, 8, Reported("trezor", "NotAsked", text="pin")),
    (Code.DEVICE_LOCKED, 8, Reported("trezor", "WrongPin", text="refused")),
    (Code.DEVICE_REFUSED, 8, Reported("coldcard", "NotConfirmed", text="not enrolled")),
    (Code.DEVICE_UNSUPPORTED, 8, Reported("jade", "UnwantedLibrary", text="requests")),
]


@pytest.mark.parametrize(
    ("code", "exit_code", "reported"), KNOWN, ids=[f"{one.driver}-{one.kind}-{one.text[:24]}" for _, _, one in KNOWN]
)
def test_an_error_is_explained(code: Code, exit_code: int, reported: Reported) -> None:
    found = explain(reported)
    assert found.code is code
    error = found.to_error()
    assert (error.code, error.exit_code) == (code, exit_code)
    assert MAKERS[reported.driver] in found.message or code is Code.DEVICE_LIBRARY_MISSING or "Jade" in found.message
    assert found.message[0].islower() or found.message.startswith("`") or found.message.startswith("HWI")
    assert found.advice.endswith(".") and found.advice[0].isupper()


def test_the_drivers_text_stands_beside_ours_escaped_and_cut() -> None:
    said = "\x1b[2J\u202eevil " * 100
    error = explain(Reported("jade", "RuntimeError", text=said)).to_error()
    assert "evil" not in error.message and "evil" not in error.advice
    shown = str(error.details["driver_said"])
    assert "\x1b" not in shown and "\\u{001B}" in shown and "\u202e" not in shown
    assert len(shown) < 3_000


@pytest.mark.parametrize("kind", ["RuntimeError", "NotAsked", "WrongApp", "OtherDevice"])
def test_a_drivers_text_with_a_secret_is_left_out(kind: str) -> None:
    secret = next(one for one in PUBLISHED if one.startswith("xprv"))
    error = explain(Reported("trezor", kind, text=f"can't use {secret}")).to_error()
    shown = f"{error.message} {error.advice} {error.details}"
    assert secret not in shown and secret[:12] not in shown
    assert "left out" in str(error.details["driver_said"])


def test_a_text_without_end_is_cut_wherever_it_is_quoted() -> None:
    for kind in ("NotAsked", "WrongApp", "OtherDevice"):
        assert len(explain(Reported("ledger", kind, text="Bitcoin x" * 10_000)).message) < 400


def test_a_wrong_app_is_named_with_the_right_one() -> None:
    assert "`Bitcoin Test`" in explain(Reported("ledger", "WrongApp", text="Bitcoin")).advice
    assert "`Bitcoin`" in explain(Reported("ledger", "WrongApp", text="Bitcoin Test")).advice
