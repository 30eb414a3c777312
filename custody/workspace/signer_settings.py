"""The `signer` part of `custody.yaml`: what talks to hardware wallets here, where it isn't HWI in this Python.

    signer:
      python: /opt/hwi/bin/python         # another interpreter that has HWI
      drivers: [coldcard, ledger]         # the only ones that are asked what is connected

    signer:
      command: [/usr/local/bin/bhwi]      # any program of Bitcoin Core's external-signer contract

A command is a program and its first arguments, started as they stand: no shell reads them. Nothing in it
can be a PIN or passphrase, because a process list shows it to everybody (A92).
"""

from dataclasses import dataclass
from pathlib import Path

from custody.codes import Code
from custody.documents.secret_gate import scan_text
from custody.errors import InvalidInput, JsonValue, SecretRefused

_KEYS = frozenset({"command", "drivers", "emulators", "python", "wait_s"})
_ONLY_HWI = frozenset({"drivers", "emulators", "python"})
_DRIVERS = frozenset({"bitbox02", "coldcard", "digitalbitbox", "jade", "keepkey", "ledger", "trezor"})
_LONGEST_WAIT_S = 86_400
_MAX_ARGUMENTS = 20
_PASSWORD_OPTIONS = ("-p", "--password")


@dataclass(frozen=True, slots=True)
class SignerSettings:
    """A command stands without python and drivers; without all of them it is HWI in this Python."""

    command: tuple[str, ...] | None = None
    python: Path | None = None
    """Absolute path of an interpreter that has HWI."""
    drivers: tuple[str, ...] = ()
    """HWI's names of those that look for devices; all of them where it is empty."""
    emulators: bool = False
    """HWI looks for devices that are programs too, for rehearsals; never on `main`."""
    wait_s: int | None = None
    """Seconds that a device may take for one answer, its holder's reading included."""

    @classmethod
    def from_document(cls, document: JsonValue) -> "SignerSettings":
        """Read the `signer` part.

        Raises:
            SecretRefused: the command holds a password.
            InvalidInput: UNKNOWN_FIELD, MALFORMED_DOCUMENT.
        """
        if not isinstance(document, dict):
            raise _malformed("signer is not a list of settings")
        unknown = document.keys() - _KEYS
        if unknown:
            known = ", ".join(f"signer.{key}" for key in sorted(_KEYS))
            raise InvalidInput(
                Code.UNKNOWN_FIELD,
                f"custody.yaml: {len(unknown)} unknown setting(s), known here are {known}",
                advice="Correct the spelling.",
            )
        if not document or ("command" in document and _ONLY_HWI & document.keys()):
            raise _malformed("signer has neither command alone, nor settings of HWI")
        return cls(
            command=_command(document["command"]) if "command" in document else None,
            python=_python(document["python"]) if "python" in document else None,
            drivers=_drivers(document["drivers"]) if "drivers" in document else (),
            emulators=_truth(document["emulators"]) if "emulators" in document else False,
            wait_s=_wait_s(document["wait_s"]) if "wait_s" in document else None,
        )

    def to_document(self) -> dict[str, JsonValue]:
        """Return the form of `custody.yaml`."""
        document: dict[str, JsonValue] = {}
        if self.command is not None:
            document["command"] = [*self.command]
        if self.python is not None:
            document["python"] = str(self.python)
        if self.drivers:
            document["drivers"] = [*self.drivers]
        if self.emulators:
            document["emulators"] = True
        if self.wait_s is not None:
            document["wait_s"] = self.wait_s
        return document


def _drivers(value: JsonValue) -> tuple[str, ...]:
    names = [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
    if not names or len(names) != len(set(names)) or not _DRIVERS.issuperset(names) or value != names:
        raise _malformed(f"signer.drivers is not a list of {', '.join(sorted(_DRIVERS))}")
    return tuple(names)


def _python(value: JsonValue) -> Path:
    if not isinstance(value, str) or not value.isprintable() or not value.startswith("/"):
        raise _malformed("signer.python is not the absolute path of a Python interpreter")
    return Path(value)


def _truth(value: JsonValue) -> bool:
    if not isinstance(value, bool):
        raise _malformed("signer.emulators is neither true nor false")
    return value


def _wait_s(value: JsonValue) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LONGEST_WAIT_S:
        raise _malformed(f"signer.wait_s is not 1 to {_LONGEST_WAIT_S} seconds")
    return value


def _command(value: JsonValue) -> tuple[str, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_ARGUMENTS:
        raise _malformed(f"signer.command is not a list of 1 to {_MAX_ARGUMENTS} texts, as in `[/usr/bin/hwi]`")
    words = [word for word in value if isinstance(word, str) and word and word.isprintable()]
    if len(words) != len(value):
        raise _malformed("signer.command holds something else than lines of text")
    if "/" in words[0] and not words[0].startswith("/"):
        raise _malformed("signer.command begins with a relative path; name the program alone or its absolute path")
    for word in words:
        scan_text(word, place="signer.command in custody.yaml")
        if word in _PASSWORD_OPTIONS or word.startswith(tuple(f"{option}=" for option in _PASSWORD_OPTIONS)):
            raise SecretRefused(
                Code.SECRET_MATERIAL,
                "custody.yaml: signer.command holds a password option",
                advice="Take it out and change that passphrase: type it on the device, or where the program asks.",
            )
    return tuple(words)


def _malformed(problem: str) -> InvalidInput:
    return InvalidInput(
        Code.MALFORMED_DOCUMENT,
        f"custody.yaml: {problem}",
        advice="See docs/formats/settings.md for both forms of `signer`.",
    )
