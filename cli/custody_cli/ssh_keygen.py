"""Signs statements with the person's own `ssh-keygen`: a `custody.ports.StatementSigner`.

The private key stays where it is, in a file, an agent or a FIDO token: this program neither
opens it nor asks for a passphrase or PIN. ssh-keygen asks on the terminal itself. Its answer
is believed only after it was parsed and verified over the very statement, and what it says
besides is shown escaped and cut short.
Source: ssh-keygen(1), `-Y sign`; OpenSSH's sig_sign() and read_passphrase().
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from custody.codes import Code
from custody.documents.display import escape
from custody.documents.sshsig import SshSignature, verify_sshsig
from custody.errors import CheckFailed, DeviceUnavailable, InvalidInput

_PROGRAM = "ssh-keygen"
_TIMEOUT_S = 300
"""Long enough to find a token and to type a passphrase twice."""
_LAST_CHANCE_S = 2
_MAX_REMARKS = 300
"""Characters of ssh-keygen's own words in a message."""


def _say_nothing(_line: str) -> None:
    """Tell nobody: for callers that show no talk."""


@dataclass(frozen=True, slots=True)
class SshKeygenSigner:
    """One person's key, by the path of its private or public half."""

    key_path: Path
    """A private key's file, or a `.pub` whose private half is beside it, in the agent or on a token."""
    talk: Callable[[str], None] = _say_nothing
    """Told what the person is about to be asked."""
    timeout_s: float = _TIMEOUT_S

    def sign(self, statement: bytes, *, namespace: str) -> str:
        """Return the armored signature of this key over `statement`, verified.

        Raises:
            InvalidInput: there is no such key file (`FILE_NOT_FOUND`), or the key or the signature
                is of a kind that is not accepted (`SSH_KEY_…`, `SSHSIG_…`).
            DeviceUnavailable: OpenSSH is not installed (`STATEMENT_SIGNER_MISSING`); ssh-keygen or
                the person refused, took too long, or signed something else (`STATEMENT_NOT_SIGNED`).
        """
        program = shutil.which(_PROGRAM)
        if program is None:
            raise DeviceUnavailable(
                Code.STATEMENT_SIGNER_MISSING,
                f"`{_PROGRAM}` was not found",
                advice="Install OpenSSH's client programs (Debian: openssh-client), then sign again.",
            )
        if not self.key_path.exists():
            raise InvalidInput(
                Code.FILE_NOT_FOUND,
                f"there is no file `{escape(str(self.key_path))}`",
                advice="Give the path of your SSH key: the private one, or its .pub if an agent or a token holds it.",
            )
        self.talk(f"{_PROGRAM} signs with {self.key_path}. It may ask for a passphrase or PIN, or for a touch.")
        answer = self._run((program, "-Y", "sign", "-q", "-n", namespace, "-f", str(self.key_path)), statement)
        signature = SshSignature.from_armored(answer)
        try:
            verify_sshsig(signature, statement, namespace=namespace)
        except CheckFailed as failed:
            raise _not_signed(f"{_PROGRAM}'s answer doesn't hold: {failed.message}", advice=failed.advice) from failed
        return signature.to_armored()

    def _run(self, command: tuple[str, ...], statement: bytes) -> bytes:
        try:
            with subprocess.Popen(  # noqa: S603 (no shell, and the program that the person's PATH names)
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
            ) as process:
                try:
                    answer, remarks = process.communicate(statement, timeout=self.timeout_s)
                finally:
                    _end(process)
        except subprocess.TimeoutExpired:
            raise _not_signed(f"{_PROGRAM} gave no answer within {self.timeout_s:g} s") from None
        except OSError as error:
            raise _not_signed(f"{_PROGRAM} could not be run: {error.strerror}") from error
        if process.returncode != 0:
            raise _not_signed(f"{_PROGRAM} made no signature: {_shown(remarks)}")
        return answer


def _environment() -> dict[str, str]:
    """Return the person's environment, in which ssh-keygen asks on the terminal if there is one.

    Its stdin is the statement, not a terminal, so it would ask through a window instead, and
    take the empty answer of a desktop without an askpass program for a wrong passphrase.
    """
    environment = dict(os.environ)
    if _has_terminal():
        environment.setdefault("SSH_ASKPASS_REQUIRE", "never")
    return environment


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Stop the program if it still runs: first in a way that lets it switch the terminal's echo on again."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_LAST_CHANCE_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _shown(remarks: bytes) -> str:
    """Return what ssh-keygen said, in one line that can't act on a screen."""
    lines = [line.strip() for line in remarks.decode("utf-8", "replace").splitlines()]
    text = escape("; ".join(line for line in lines if line))
    if not text:
        return "it said nothing"
    return text if len(text) <= _MAX_REMARKS else f"{text[:_MAX_REMARKS]}…"


def _not_signed(problem: str, *, advice: str = "") -> DeviceUnavailable:
    return DeviceUnavailable(
        Code.STATEMENT_NOT_SIGNED,
        problem,
        advice=advice or "Check the key's path, and that its agent or token is there and unlocked; then sign again.",
    )
