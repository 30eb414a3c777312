"""What HWI or a driver said went wrong, put into our codes and words: the cause first, then the remedy.

HWI has numbers of its own (-1 to -18), its drivers leak exceptions of their libraries past it, and its
`enumerate` turns both into text. The first rule that fits decides. The driver's own text is kept beside
our message, escaped, and never stands alone.
Source: HWI 3.2.0, hwilib/errors.py and hwilib/devices; LedgerHQ/app-bitcoin-new, src/boilerplate/sw.h.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, DeviceUnavailable, Finding, JsonValue, NotYet, Severity
from custody_hardware.signer_process import told

_CONNECTION, _NO_PASSWORD, _BAD_ARGUMENT = -3, -6, -7
_NOT_IMPLEMENTED, _UNAVAILABLE, _NOT_READY, _CANCELED, _BUSY, _NO_SEED = -8, -9, -12, -14, -15, -18
_LEDGER_ASKS = "0x6901"
"""Status word of a Ledger's app whose last question nobody has answered yet; seen on app 2.4.6."""
_EPERM, _EIO, _ENXIO, _EACCES, _EBUSY, _ENODEV = 1, 5, 6, 13, 16, 19
_JADE_NO, _JADE_LOCKED, _JADE_NETWORK, _JADE_BAD = -32000, -32002, -32003, -32602
_BITBOX_INVALID_INPUT = 101
_MAX_WORD = 60

RULES_FILE = "70-custody-signers.rules"
"""The name under which docs/devices/udev.md has the rules written."""

MAKERS: Mapping[str, str] = {
    "bitbox02": "BitBox02",
    "coldcard": "Coldcard",
    "digitalbitbox": "Digital Bitbox",
    "jade": "Jade",
    "keepkey": "KeepKey",
    "ledger": "Ledger",
    "trezor": "Trezor",
}


@dataclass(frozen=True, slots=True)
class Reported:
    """An error as the worker or one entry of HWI's list reports it."""

    driver: str
    kind: str
    """Name of the exception's class, `Entry` for text out of a list."""
    hwi: int | None = None
    """HWI's own number."""
    number: int | None = None
    """A number of the device's library."""
    errno: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Explained:
    """The same in our words."""

    code: Code
    message: str
    advice: str
    said: str
    """The driver's own text, escaped and cut."""

    def to_error(self) -> CustodyError:
        """Return the error to raise: exit 8, but for a registration that is missing (5) or a stranger's (3)."""
        kind = {Code.POLICY_HMAC_UNKNOWN: CheckFailed, Code.DEVICE_UNREGISTERED: NotYet}.get(
            self.code, DeviceUnavailable
        )
        details: dict[str, JsonValue] = {"driver_said": self.said} if self.said else {}
        return kind(self.code, self.message, advice=self.advice, details=details)

    def to_finding(self, where: str) -> Finding:
        """Return the same as a finding about a device or a driver."""
        return Finding(self.code, Severity.WARN, where, self.message, self.advice)


def explain(reported: Reported) -> Explained:
    """Return what the error means and what to do about it."""
    maker = MAKERS.get(reported.driver, "device")
    for rule in (_missing, _permission, _locked, _app, _busy, _refused, _registration, _gone, _unsupported):
        found = rule(reported, maker)
        if found is not None:
            break
    else:
        found = _unknown(reported, maker)
    code, message, advice = found
    return Explained(code, message, advice, told(reported.text))


_Found = tuple[Code, str, str]


def _missing(said: Reported, maker: str) -> _Found | None:
    if "libusb" in said.text and said.kind in ("FileNotFoundError", "OSError", "Entry"):
        advice = "Install libusb 1.0 (Debian and Ubuntu: `apt install libusb-1.0-0`), then try again."
        return Code.DEVICE_LIBRARY_MISSING, f"the {maker} driver lacks the system library libusb-1.0", advice
    if said.kind in ("ImportError", "ModuleNotFoundError"):
        if "hwilib" in said.text:
            return (
                Code.DEVICE_LIBRARY_MISSING,
                "HWI, which talks to hardware wallets over USB, is not installed",
                "Run `make hwi`, or `pip install reserve-custody[usb]`; files and QR codes work without it.",
            )
        return (
            Code.DEVICE_LIBRARY_MISSING,
            f"the {maker} driver lacks a library",
            "Install HWI again with everything that it needs: `make hwi`.",
        )
    if said.kind == "UnwantedLibrary":
        return (
            Code.DEVICE_UNSUPPORTED,
            "`requests` is installed beside HWI, and with it the Jade driver would talk to a server on the network",
            "Remove it from that Python, or name one without it as `signer.python` in custody.yaml.",
        )
    return None


def _permission(said: Reported, maker: str) -> _Found | None:
    texts = ("open failed", "LIBUSB_ERROR_ACCESS", "Permission denied", "unable to open device")
    kinds = ("PermissionError", "USBErrorAccess")
    if said.errno in (_EPERM, _EACCES) or said.kind in kinds or any(text in said.text for text in texts):
        return (
            Code.DEVICE_PERMISSION,
            f"a {maker} is there, but this user may not open it, or another program holds it",
            f"Install the udev rules of docs/devices/udev.md as /etc/udev/rules.d/{RULES_FILE}, plug the device in "
            "again, and close other wallet programs.",
        )
    return None


def _locked(said: Reported, maker: str) -> _Found | None:
    text = said.text.lower()
    if said.kind == "NotAsked":
        return (
            Code.DEVICE_LOCKED,
            f"the {maker} wants its {told(said.text, _MAX_WORD)} from the computer's keyboard",
            "Run the command at a terminal, where it can be typed unseen.",
        )
    if said.kind == "WrongPin":
        return Code.DEVICE_LOCKED, f"the {maker} refused the PIN", "Try again; mind the places that it shows this time."
    if said.hwi == _NO_SEED or "not initialized" in text:
        advice = "Set it up on the device itself, far from this computer; custody never does."
        return Code.DEVICE_LOCKED, f"the {maker} holds no seed yet", advice
    if "pair using" in text or "not paired" in text:
        advice = "Pair it once in the BitBoxApp, close that, then try again."
        return Code.DEVICE_LOCKED, f"the {maker} is not paired with this computer", advice
    if said.hwi == _NOT_READY and ("minimum required" in text or "outdated" in text):
        advice = "Update its firmware with the maker's program, then run `custody device check`."
        return Code.DEVICE_UNSUPPORTED, f"the firmware of the {maker} is too old for its driver", advice
    asleep = said.hwi == _CONNECTION and ("locked" in text or "asleep" in text)
    asleep = asleep or (said.kind == "JadeError" and said.number == _JADE_LOCKED)
    if said.hwi == _NOT_READY or asleep or any(word in text for word in ("0x5515", "0x6b0c", "0x6982")):
        advice = "Unlock it with its PIN, and its passphrase if it has one, then try again."
        return Code.DEVICE_LOCKED, f"the {maker} is locked", advice
    return None


def _app(said: Reported, maker: str) -> _Found | None:
    if said.kind == "WrongApp":
        wanted = "Bitcoin" if "Test" in said.text else "Bitcoin Test"
        return (
            Code.DEVICE_WRONG_APP,
            f"the {maker} has the app `{told(said.text, _MAX_WORD)}` open, which is for other networks",
            f"Open the app `{wanted}` on it, then try again.",
        )
    closed = said.driver == "ledger" and ("not in either the Bitcoin" in said.text or "0x6e0" in said.text.lower())
    if closed or said.kind in ("ClaNotSupportedError", "InsNotSupportedError"):
        return (
            Code.DEVICE_WRONG_APP,
            f"the {maker} has no Bitcoin app open",
            "Open the app Bitcoin (on test networks Bitcoin Test) on it, then try again.",
        )
    return None


def _busy(said: Reported, maker: str) -> _Found | None:
    texts = ("LIBUSB_ERROR_BUSY", "Resource busy", "resource busy", "handling another request", _LEDGER_ASKS)
    if said.hwi == _BUSY or said.errno == _EBUSY or any(text in said.text for text in texts):
        return (
            Code.DEVICE_BUSY,
            f"the {maker} is at work for somebody else, or still asks its holder something",
            "Finish or refuse what its screen shows, close other wallet programs, then try again.",
        )
    return None


def _refused(said: Reported, maker: str) -> _Found | None:
    advice = "If it was you, look again at what it shows; if not, ask who held the device."
    kinds = ("DenyError", "UserAbortException", "Cancelled", "CCUserRefused")
    by_jade = said.kind == "JadeError" and said.number == _JADE_NO
    if said.hwi == _CANCELED or said.kind in kinds or by_jade:
        return Code.DEVICE_REFUSED, f"the holder of the {maker} said no on its screen", advice
    if said.kind == "NotConfirmed":
        message = f"the {maker} did not take the vault in: its holder said no or did nothing, it doesn't tell which"
        return Code.DEVICE_REFUSED, message, "Look at its screen, then register again."
    if "No path supplied matched device keys" in said.text:
        message = f"the {maker} did not show the address: its holder said no, or its seed is not the vault's"
        return Code.DEVICE_REFUSED, message, advice
    return None


def _registration(said: Reported, maker: str) -> _Found | None:
    if said.kind == "SignatureFailError":
        return (
            Code.POLICY_HMAC_UNKNOWN,
            f"the {maker} does not accept the kept registration: it was made by another device, or altered",
            "Find out why; then register the vault on this device again with `custody device register`.",
        )
    texts = ("fingerprints not found", "do not match any existing wallet", "multisig", "not registered")
    names_it = any(text in said.text.lower() for text in texts)
    if said.driver in ("coldcard", "jade") and said.hwi == _BAD_ARGUMENT and names_it:
        return (
            Code.DEVICE_UNREGISTERED,
            f"the {maker} does not know this vault",
            "Register the vault on it with `custody device register`, or load the file of `custody vault export`.",
        )
    return None


def _gone(said: Reported, maker: str) -> _Found | None:
    if said.kind == "OtherDevice":
        return (
            Code.DEVICE_ABSENT,
            f"the {maker} there has fingerprint {told(said.text, _MAX_WORD)} now: "
            "another device, or another passphrase",
            "Connect the right one, or enter the passphrase of this vault's key.",
        )
    texts = ("could not find device", "read error", "write error", "timeout reading", "disconnected", "no_device")
    kinds = ("SerialException", "SerialTimeoutException", "USBErrorNoDevice", "USBErrorIO", "USBErrorPipe")
    broke_off = said.hwi == _CONNECTION and "Network/chain selection" not in said.text
    gone = said.errno in (_EIO, _ENXIO, _ENODEV) or said.kind in kinds or broke_off
    if gone or any(text in said.text.lower() for text in texts):
        return (
            Code.DEVICE_ABSENT,
            f"the connection to the {maker} broke off, or it was unplugged",
            "Plug it in, unlock it, and run the command again: nothing was taken from it.",
        )
    return None


def _unsupported(said: Reported, maker: str) -> _Found | None:
    if said.driver == "digitalbitbox":
        return (
            Code.DEVICE_UNSUPPORTED,
            "the Digital Bitbox has no screen, signs what it can't show, and its maker supports it no longer",
            "Move the key's place in the vault to a device with a screen.",
        )
    if said.kind == "OldApp":
        return (
            Code.DEVICE_UNSUPPORTED,
            f"the Bitcoin app on the {maker} is too old: below 2.1 it can't check what belongs to a vault",
            "Update the app with the maker's program, then run `custody device check`.",
        )
    if "Unhandled network" in said.text:
        return (
            Code.DEVICE_UNSUPPORTED,
            f"the {maker} driver does not know this network",
            "Rehearse on signet or regtest, or use QR codes.",
        )
    if (said.kind == "JadeError" and said.number == _JADE_NETWORK) or "Network/chain selection" in said.text:
        return (
            Code.DEVICE_UNSUPPORTED,
            f"the {maker} was unlocked for another network",
            "Lock it, then unlock it for this network, or allow both in its settings.",
        )
    if said.hwi in (_NOT_IMPLEMENTED, _UNAVAILABLE, _NO_PASSWORD) or said.kind == "NotSupportedError":
        return (
            Code.DEVICE_UNSUPPORTED,
            f"the {maker} or its driver can't do this",
            "Compare its firmware and this vault with `custody device list`; another route may work.",
        )
    if said.hwi == _BAD_ARGUMENT or said.number in (_JADE_BAD, _BITBOX_INVALID_INPUT):
        return (
            Code.DEVICE_UNSUPPORTED,
            f"the {maker} or its driver does not take what it was given",
            "Review the PSBT, and compare the device with `custody device list`.",
        )
    return None


def _unknown(said: Reported, maker: str) -> _Found:
    return (
        Code.DEVICE_ANSWER_INVALID,
        f"the {maker} driver failed inside itself ({told(said.kind)})",
        "Unplug the device and try again; if it stays so, use a file or QR codes.",
    )
