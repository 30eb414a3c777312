"""A program that speaks for hardware signers, run apart: with time limits, a bounded answer, and an end.

It gets its own session, an environment of a few names, the root folder and three pipes; what it says on
standard error is dropped. Whatever happens, an answer, a time limit, Ctrl-C or an error, its whole
process group is killed before the call returns.
"""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Self, cast

from custody.codes import Code
from custody.documents.display import escape
from custody.documents.secret_gate import find_secret
from custody.errors import DeviceUnavailable

MAX_ANSWER = 32_000_000
"""Bytes; a PSBT of 16 MB in base64 and then some."""

MAX_TOLD = 300
"""Characters of a driver's own words that are shown."""

_KEPT = ("HOME", "LANG", "PATH", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
"""All of our environment that a signer sees: the BitBox02's pairing keys lie in the user's folder for settings."""
_CHUNK = 65_536
_LAST_WAIT_S = 5
"""For one that can't be killed: with its pipes closed it has nobody to talk to."""


def signer_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the few names that a signer's program may see."""
    return {name: environment[name] for name in _KEPT if name in environment}


class SignerProcess:
    """One run of a signer's program. Use it as a context; leaving it kills what is left of the program."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], *, limit_s: float) -> None:
        self._program = command[0]
        self._limit_s = limit_s
        self._deadline = time.monotonic() + limit_s
        self._read = bytearray()
        try:
            self._process = subprocess.Popen(  # noqa: S603 (no shell; the program that settings or this package name)
                [*command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=dict(environment),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise DeviceUnavailable(
                Code.DEVICE_LIBRARY_MISSING,
                f"the signer's program `{escape(self._program)}` can't be started: {error.strerror}",
                advice="Correct `signer` in custody.yaml, or install the program; files and QR codes need neither.",
            ) from error
        self._pipes = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        self._to, self._from = (pipe.fileno() for pipe in self._pipes)
        os.set_blocking(self._to, False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        # Not there: it has ended, and left nobody behind. Not allowed: it runs as another user (sudo).
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for pipe in self._pipes:
            pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_LAST_WAIT_S)

    def send(self, data: bytes) -> None:
        """Write everything, in the time that is left.

        Raises:
            DeviceUnavailable: DEVICE_TIMEOUT; DEVICE_ANSWER_INVALID when it reads no longer.
        """
        left = memoryview(data)
        while left:
            _, ready, _ = select.select([], [self._to], [], self._time_left())
            if not ready:
                continue
            try:
                left = left[os.write(self._to, left[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as error:
                raise self._no_answer() from error

    def close_input(self) -> None:
        """Tell it that nothing more comes."""
        self._pipes[0].close()

    def restart_clock(self) -> None:
        """Begin the time limit anew: what a person took to type is not the program's."""
        self._deadline = time.monotonic() + self._limit_s

    def line(self) -> bytes:
        """Return the next line without its end.

        Raises:
            DeviceUnavailable: DEVICE_TIMEOUT, DEVICE_ANSWER_INVALID (too long, or it ended without one).
        """
        while b"\n" not in self._read:
            if not self._take():
                raise self._no_answer()
        found, _, rest = bytes(self._read).partition(b"\n")
        self._read = bytearray(rest)
        return found

    def rest(self) -> bytes:
        """Return everything up to its end.

        Raises:
            DeviceUnavailable: DEVICE_TIMEOUT, DEVICE_ANSWER_INVALID.
        """
        while self._take():
            pass
        return bytes(self._read)

    def _take(self) -> bool:
        """Read what is there; False at the end."""
        while not select.select([self._from], [], [], self._time_left())[0]:
            pass
        chunk = os.read(self._from, _CHUNK)
        self._read += chunk
        if len(self._read) > MAX_ANSWER:
            raise invalid_answer(f"it is larger than {MAX_ANSWER // 1_000_000} MB")
        return bool(chunk)

    def _time_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise DeviceUnavailable(
                Code.DEVICE_TIMEOUT,
                f"the device or its driver gave no answer within {self._limit_s:g} s and was given up",
                advice="Look at the device's screen, unplug it and plug it in again, then repeat the command.",
            )
        return left

    def _no_answer(self) -> DeviceUnavailable:
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return invalid_answer("the program closed its output and gave none")
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return invalid_answer(f"the program {how} before it gave one")


def told(text: str, most: int = MAX_TOLD) -> str:
    """Return a driver's or program's own words as they may be shown: cut, escaped, none where they hold a secret."""
    if find_secret(text[: 4 * MAX_TOLD]) is not None:
        return "(left out: it holds what looks like a secret)"
    return escape(text[:most])


def invalid_answer(problem: str) -> DeviceUnavailable:
    """Return the error for an answer that is none; `problem` may quote it."""
    return DeviceUnavailable(
        Code.DEVICE_ANSWER_INVALID,
        f"the signer's answer can't be used: {told(problem)}",
        advice="Unplug the device and try again; if it stays so, use a file or QR codes.",
    )
