"""Hardware wallets over USB, through HWI 3.2.0 in a child process for every single question.

Each driver is asked alone, so that one that hangs, crashes or lacks a library says nothing about the
others. What comes back is read strictly and is a claim until it is verified: that an answer arrived
proves neither that the right device gave it nor that it signed.

PINs and passphrases are typed on the device. Where one takes them from the computer (Trezor One,
KeepKey), `ask_hidden` is called, its answer goes into the child's pipe and is forgotten.
"""

import base64
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from custody.bitcoin.keys import ExtendedKey, KeyPath, format_path
from custody.bitcoin.network import Network
from custody.bitcoin.psbt import Psbt
from custody.codes import Code
from custody.errors import CustodyError, DeviceUnavailable, Finding, InvalidInput, JsonValue, Severity
from custody.ports import BusReport, FoundDevice, Registration
from custody.vault.vault import Vault
from custody_hardware import hwi_answers, hwi_requests
from custody_hardware.hwi_errors import MAKERS, Reported, explain
from custody_hardware.signer_process import SignerProcess, invalid_answer, signer_environment

AskHidden = Callable[[str], str]
"""Takes a prompt, reads a line from the terminal with echo off; refuses where there is no terminal."""

_WORKER = "import sys; sys.path.append(sys.argv[1]); from hwi_worker.serve import main; main()"
"""The worker is found by its path, so that an interpreter without this package runs it too."""
_PROMPTS = {
    "pin": "PIN: the places of its digits as the device shows them, on the layout 7 8 9 / 4 5 6 / 1 2 3: ",
    "passphrase": "passphrase of this vault's key: ",
}
_MAX_ASKS = 4


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds that a request may take, its holder's reading included; typing at our prompt doesn't count."""

    look: int = 120
    key: int = 120
    show: int = 300
    register: int = 900
    sign: int = 900


class HwiBus:
    """HWI as a `SignerBus`."""

    def __init__(
        self,
        *,
        python: Path | None = None,
        ask_hidden: AskHidden | None = None,
        limits: TimeLimits | None = None,
        command: Sequence[str] | None = None,
        drivers: Sequence[str] = tuple(MAKERS),
        emulators: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; nothing is started yet.

        `python` is the interpreter that has HWI, this one where it is None. `command` takes the place of
        the worker altogether. `drivers` are those that look: the Jade's writes to every serial port with one
        of its chips, so who has none leaves it out. With `emulators` devices that are programs are found too,
        on test networks only. Without `ask_hidden` a device that wants a PIN typed here stays locked.
        """
        interpreter = str(python) if python is not None else sys.executable
        self._command = command or (interpreter, "-I", "-B", "-c", _WORKER, str(Path(__file__).parent))
        self._ask_hidden = ask_hidden
        self._drivers = tuple(drivers)
        self._emulators = emulators
        self._limits = limits or TimeLimits()
        self._environment = signer_environment(os.environ if environment is None else environment)

    @property
    def name(self) -> str:
        """What the bus is called on screen."""
        return "hwi 3.2.0"

    def look(self, network: Network) -> BusReport:
        """Ask every driver what is connected, one by one; a driver that fails is a problem in the report."""
        looking: dict[str, JsonValue] = {
            "request": "look",
            "emulators": self._emulators and network is not Network.MAIN,
        }
        devices: list[FoundDevice] = []
        problems: dict[tuple[Code, str], Finding] = {}
        for driver in self._drivers:
            try:
                answer = self._converse(driver, network, self._limits.look, looking)
                devices += hwi_answers.found_devices(answer, driver)
            except CustodyError as error:
                found = Finding(error.code, Severity.WARN, f"driver:{driver}", error.message, error.advice)
                problems.setdefault((error.code, error.message), found)
        return BusReport(tuple(devices), tuple(problems.values()))

    def key(self, device: FoundDevice, path: KeyPath, network: Network) -> ExtendedKey:
        """Return the extended public key that the device gives at a path from its master key.

        Raises:
            DeviceUnavailable: every code of a device; DEVICE_ANSWER_INVALID where the key is not of that path.
        """
        request = self._about(device, "key")
        request["at"] = "/".join(("m", format_path(path))) if path else "m"
        answer = self._converse(device.driver, network, self._limits.key, request)
        return hwi_answers.key_in(answer, path, network)

    def show_address(
        self, device: FoundDevice, vault: Vault, branch: int, index: int, registration: Registration | None
    ) -> str:
        """Let the device show an address of the vault, and return what it says it showed: compare it.

        Raises:
            DeviceUnavailable: every code of a device. NotYet: DEVICE_UNREGISTERED.
            CheckFailed: POLICY_HMAC_UNKNOWN.
        """
        kept = hwi_requests.require_registration(device.driver, vault, registration, shows=True)
        request = self._about(device, "show-address") | _kept(vault, kept)
        request |= {
            "branch": branch,
            "index": index,
            "descriptor": hwi_requests.address_descriptor(vault, branch, index),
        }
        return hwi_answers.address_in(self._converse(device.driver, vault.network, self._limits.show, request))

    def register(self, device: FoundDevice, vault: Vault, name: str) -> Registration:
        """Register the vault on the device under `name`; its holder confirms each key on its screen.

        Raises:
            DeviceUnavailable: every code of a device; DEVICE_UNSUPPORTED where the name is too long for it.
            CheckFailed: POLICY_HMAC_UNKNOWN, where a Ledger answers with another policy's id.
        """
        hwi_requests.require_name(device.driver, name)
        method = hwi_requests.METHODS.get(device.driver, "none")
        request = self._about(device, "register")
        # The worker's own patience ends first, so that it can say what happened.
        request |= {
            "vault": hwi_requests.vault_part(vault, name),
            "file": hwi_requests.multisig_text(vault, name),
            "wait_s": max(1, self._limits.register - 30),
        }
        answer = self._converse(device.driver, vault.network, self._limits.register, request)
        found_id, token = hwi_answers.registered_in(answer)
        if method == "policy":
            return hwi_requests.checked_policy(vault, name, found_id, token)
        return Registration(method, name, None, None)

    def sign(self, device: FoundDevice, vault: Vault, psbt: bytes, registration: Registration | None) -> bytes:
        """Return the PSBT (version 0 bytes) as the device gives it back; whether it signed is not said.

        Raises:
            DeviceUnavailable: every code of a device. NotYet: DEVICE_UNREGISTERED.
            CheckFailed: POLICY_HMAC_UNKNOWN. InvalidInput: the PSBT is none, or not of version 0.
        """
        require_version_0(psbt)
        kept = hwi_requests.require_registration(device.driver, vault, registration, shows=False)
        request = self._about(device, "sign") | _kept(vault, kept)
        request["psbt"] = base64.b64encode(psbt).decode("ascii")
        return hwi_answers.psbt_in(self._converse(device.driver, vault.network, self._limits.sign, request))

    def _about(self, device: FoundDevice, what: str) -> dict[str, JsonValue]:
        if device.driver not in MAKERS:
            raise DeviceUnavailable(
                Code.DEVICE_UNSUPPORTED,
                "the device was found by another program than HWI",
                advice="Look for devices again: `custody device list`.",
            )
        if device.driver == "digitalbitbox":
            raise explain(Reported(device.driver, "Unsupported")).to_error()
        if device.fingerprint is None:
            if device.problem is not None:
                raise DeviceUnavailable(device.problem.code, device.problem.message, advice=device.problem.advice)
            raise explain(Reported(device.driver, "Entry", hwi=-12)).to_error()
        return {"request": what, "path": device.path, "fingerprint": device.fingerprint.hex()}

    def _converse(self, driver: str, network: Network, limit_s: int, request: dict[str, JsonValue]) -> JsonValue:
        """Start a worker, ask it one thing, and return the answer; it is gone when this returns."""
        whole: dict[str, JsonValue] = {
            **request,
            "driver": driver,
            "chain": str(network),
            "may_ask": self._ask_hidden is not None,
        }
        typed: list[str] = []
        with SignerProcess(self._command, self._environment, limit_s=limit_s) as worker:
            worker.send(json.dumps(whole).encode("ascii") + b"\n")
            for _ in range(_MAX_ASKS):
                reply = hwi_answers.read_reply(worker.line(), driver)
                if reply.error is not None:
                    raise explain(_without(reply.error, typed)).to_error()
                if reply.asks is None:
                    return reply.answer
                if self._ask_hidden is None:
                    raise invalid_answer("it asks for a PIN or passphrase where nobody can type one")
                typed.append(self._ask_hidden(_PROMPTS[reply.asks]))
                worker.send(json.dumps({"hidden": typed[-1]}).encode("ascii") + b"\n")
                worker.restart_clock()
        raise invalid_answer("it asks without end")


def _without(error: Reported, typed: Sequence[str]) -> Reported:
    """Return the error without its words where they repeat a PIN or passphrase (A91)."""
    return replace(error, text="") if any(one in error.text for one in typed) else error


def require_version_0(psbt: bytes) -> None:
    """Demand a PSBT of version 0: HWI 3.2.0 destroys the other kind.

    Raises:
        InvalidInput: MALFORMED_PSBT, UNSUPPORTED_PSBT_VERSION.
    """
    if Psbt.parse(psbt).version != 0:
        raise InvalidInput(
            Code.UNSUPPORTED_PSBT_VERSION,
            "the PSBT for a hardware wallet is of version 2, expected version 0",
            advice="Convert it with `custody psbt convert FILE --version 0`.",
        )


def _kept(vault: Vault, registration: Registration | None) -> dict[str, JsonValue]:
    name = vault.name if registration is None else registration.name
    token = None if registration is None or registration.token is None else registration.token.hex()
    return {"vault": hwi_requests.vault_part(vault, name), "token": token}
