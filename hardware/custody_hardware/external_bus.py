"""Any program that speaks Bitcoin Core's external-signer commands, as a `SignerBus`.

    PROGRAM enumerate
    PROGRAM --fingerprint F --chain C getdescriptors --account N
    PROGRAM --fingerprint F --chain C displayaddress --desc D
    PROGRAM --stdin --fingerprint F --chain C        and `signtx BASE64` on standard input

That contract knows no registration and no key at a path of our choosing: the first is the program's own
business, the second is answered where one of its descriptors happens to stand at that path. What the
program does with PINs is between it and the device; nothing is typed here.
Source: Bitcoin Core, doc/external-signer.md and src/external_signer.cpp.
"""

import base64
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial

from custody.bitcoin.keys import HARDENED, ExtendedKey, KeyPath, format_path
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.canonical_json import parse_foreign_json
from custody.documents.display import escape
from custody.errors import DeviceUnavailable, Finding, JsonValue, Severity
from custody.ports import BusReport, FoundDevice, Registration
from custody.spend.document import hex_of, malformed, text_of
from custody.vault.vault import Vault
from custody_hardware.hwi_answers import key_at, psbt_bytes, strictly
from custody_hardware.hwi_bus import TimeLimits, require_version_0
from custody_hardware.hwi_errors import Reported, explain
from custody_hardware.hwi_requests import address_descriptor
from custody_hardware.signer_process import MAX_ANSWER, SignerProcess, invalid_answer, signer_environment, told

DRIVER = "external"
_KEY = re.compile(r"\[[^\[\]]*\][1-9A-HJ-NP-Za-km-z]+", re.ASCII)
_MAX_DEVICES = 64
_MAX_LABEL = 80


class ExternalBus:
    """A signer program that settings name: `signer: {command: […]}` in custody.yaml."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        limits: TimeLimits | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; nothing is started yet. `command` is a program and its first arguments, never a shell's line."""
        self._command = tuple(command)
        self._limits = limits or TimeLimits()
        self._environment = signer_environment(os.environ if environment is None else environment)

    @property
    def name(self) -> str:
        """What the bus is called on screen."""
        return escape(self._command[0].rpartition("/")[2])

    def look(self, network: Network) -> BusReport:  # noqa: ARG002 (Core asks all networks alike)
        """Ask the program what is connected.

        Raises:
            DeviceUnavailable: it can't be started, gives no answer, or none that can be read.
        """
        answer = self._run(("enumerate",), self._limits.look)
        if not isinstance(answer, list) or len(answer) > _MAX_DEVICES:
            raise invalid_answer("the list of devices is none")
        return BusReport(strictly(lambda: tuple(_device(item) for item in answer)), ())

    def key(self, device: FoundDevice, path: KeyPath, network: Network) -> ExtendedKey:
        """Return the key at a path, where one of the program's own descriptors stands there.

        Raises:
            DeviceUnavailable: DEVICE_UNSUPPORTED where none does, and every code of a device.
        """
        account = path[2] - HARDENED if len(path) > 2 and path[2] >= HARDENED else 0
        wanted = ("getdescriptors", "--account", str(account))
        answer = self._about(device, network, wanted, self._limits.key)
        for text in _KEY.findall(" ".join(_texts(answer))):
            origin, _, key = text[1:].partition("]")
            fingerprint, _, steps = origin.partition("/")
            if steps.replace("'", "h") == format_path(path) and fingerprint.lower() == _fingerprint(device):
                return strictly(partial(key_at, key, path, network))
        raise DeviceUnavailable(
            Code.DEVICE_UNSUPPORTED,
            f"the signer's program gives out no key at `{format_path(path)}`",
            advice="Take the key from the device's own screen, SD card or QR code; its signatures are verified anyway.",
        )

    def show_address(
        self,
        device: FoundDevice,
        vault: Vault,
        branch: int,
        index: int,
        registration: Registration | None,  # noqa: ARG002 (the program keeps its own)
    ) -> str:
        """Let the device show an address of the vault, and return what the program says it showed."""
        arguments = ("displayaddress", "--desc", address_descriptor(vault, branch, index))
        answer = self._about(device, vault.network, arguments, self._limits.show)
        return strictly(lambda: escape(text_of(_member(answer, "address"), "address")[:200]))

    def register(self, device: FoundDevice, vault: Vault, name: str) -> Registration:  # noqa: ARG002 (as the port)
        """Refuse: the contract has no such command.

        Raises:
            DeviceUnavailable: DEVICE_UNSUPPORTED.
        """
        raise DeviceUnavailable(
            Code.DEVICE_UNSUPPORTED,
            "a signer's program of Bitcoin Core's kind has no command to register a vault",
            advice="Register by SD card or QR code, or let the program do it: some do at the first signature.",
        )

    def sign(
        self,
        device: FoundDevice,
        vault: Vault,
        psbt: bytes,
        registration: Registration | None,  # noqa: ARG002 (the program keeps its own)
    ) -> bytes:
        """Return the PSBT as the program gives it back; whether it signed is not said."""
        require_version_0(psbt)
        line = b"signtx " + base64.b64encode(psbt) + b"\n"
        answer = self._about(device, vault.network, (), self._limits.sign, before=("--stdin",), line=line)
        return strictly(lambda: psbt_bytes(text_of(_member(answer, "psbt"), "psbt")))

    def _about(
        self,
        device: FoundDevice,
        network: Network,
        arguments: Sequence[str],
        limit_s: int,
        *,
        before: Sequence[str] = (),
        line: bytes = b"",
    ) -> JsonValue:
        options = (*before, "--fingerprint", _fingerprint(device), "--chain", _chain(network))
        answer = self._run((*options, *arguments), limit_s, line)
        if isinstance(answer, dict) and "error" in answer:
            raise explain(_reported(answer)).to_error()
        return answer

    def _run(self, arguments: Sequence[str], limit_s: int, line: bytes = b"") -> JsonValue:
        with SignerProcess((*self._command, *arguments), self._environment, limit_s=limit_s) as program:
            if line:
                program.send(line)
            program.close_input()
            written = program.rest()
        if not written.strip():
            raise invalid_answer("the program wrote nothing")
        return strictly(lambda: parse_foreign_json(written, max_bytes=MAX_ANSWER))


def _device(item: JsonValue) -> FoundDevice:
    if not isinstance(item, dict):
        raise malformed("a device in the list is not an object")
    stated = item.get("fingerprint")
    fingerprint = None if stated is None else hex_of(stated, "fingerprint")
    if fingerprint is not None and len(fingerprint) != 4:
        raise malformed("a fingerprint has not four bytes")
    problem: Finding | None = None
    if "error" in item:
        problem = explain(_reported(item)).to_finding(f"device:{DRIVER}")
    elif fingerprint is None:
        problem = Finding(
            Code.DEVICE_LOCKED,
            Severity.WARN,
            f"device:{DRIVER}",
            "the signer's program lists a device without a fingerprint: it is locked or has no seed",
            "Unlock it, then try again.",
        )
    return FoundDevice(
        DRIVER, _shown(item, "path"), _shown(item, "model"), fingerprint, _shown(item, "label"), None, problem
    )


def _shown(item: Mapping[str, JsonValue], key: str) -> str:
    value = item.get(key)
    return told(value, _MAX_LABEL) if isinstance(value, str) else ""


def _reported(answer: Mapping[str, JsonValue]) -> Reported:
    code, text = answer.get("code"), answer.get("error")
    number = code if isinstance(code, int) and not isinstance(code, bool) else None
    return Reported(DRIVER, "Entry", hwi=number, text=text if isinstance(text, str) else "")


def _member(answer: JsonValue, key: str) -> JsonValue:
    if not isinstance(answer, dict) or key not in answer:
        raise malformed(f"it has no `{key}`")
    return answer[key]


def _texts(answer: JsonValue) -> list[str]:
    if not isinstance(answer, dict):
        return []
    lists = [value for value in answer.values() if isinstance(value, list)]
    return [text for one in lists for text in one if isinstance(text, str)]


def _fingerprint(device: FoundDevice) -> str:
    if device.fingerprint is None:
        raise explain(Reported(DRIVER, "Entry", hwi=-12)).to_error()
    return device.fingerprint.hex()


def _chain(network: Network) -> str:
    """Return Bitcoin Core's name of a network; its four are ours."""
    return str(network)
