"""One request line in, one answer line out, then the end: what stands between a driver and us.

A request is a JSON object with `request` (one of five words), `driver`, `chain`, and what that
word needs. The answer is `{"answer": …}` or `{"error": …}`. In between the child may write
`{"ask": "pin"}` or `{"ask": "passphrase"}` and then reads one line `{"hidden": "…"}`: a few devices
take these from the computer, and nothing else is ever asked.

Before a driver is imported its standard streams lead nowhere, no core is ever dumped, and the process
dies with its parent. There is no way from here to wipe, set up, restore or back up a device, or to
switch its passphrase.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import BinaryIO

from .act import register, show_address, sign, xpub
from .look import look
from .request import Ask, Json, NotAsked, Request

HANDLERS: dict[str, Callable[[Request, Ask], Json]] = {
    "look": look,
    "key": xpub,
    "show-address": show_address,
    "register": register,
    "sign": sign,
}
"""Every request there is."""

_MAX_REQUEST = 64_000_000
_MAX_TEXT = 600
_SET_DEATH_SIGNAL, _SET_DUMPABLE = 1, 4
"""Options of Linux' prctl."""


def main() -> None:
    """Serve one request and leave at once, whatever threads a driver started."""
    source, sink = _isolate()
    try:
        request = Request(json.loads(source.readline(_MAX_REQUEST)))
        reply: Json = {"answer": HANDLERS[request.text("request")](request, _asker(request, source, sink))}
    except Exception as error:  # noqa: BLE001 (the edge of this process: whatever a driver raises is told, not thrown)
        reply = {"error": describe(error)}
    _write(sink, reply)
    os._exit(0)


def describe(error: BaseException) -> dict[str, Json]:
    """Return what is known of an error: its class, HWI's code, the system's number, its own words."""
    code = getattr(error, "code", None)
    number = code if isinstance(code, int) else None
    is_hwi = any(base.__name__ == "HWWError" for base in type(error).__mro__)
    return {
        "kind": type(error).__name__,
        "hwi": number if is_hwi else None,
        "number": None if is_hwi else number,
        "errno": error.errno if isinstance(error, OSError) else None,
        "text": str(error)[:_MAX_TEXT],
    }


def _isolate() -> tuple[BinaryIO, BinaryIO]:
    """Keep the two pipes for ourselves and give the drivers empty streams."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
        libc.prctl(_SET_DUMPABLE, 0)
    source, sink = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    return os.fdopen(source, "rb"), os.fdopen(sink, "wb")


def _asker(request: Request, source: BinaryIO, sink: BinaryIO) -> Ask:
    def ask(what: str) -> str:
        if not request.flag("may_ask"):
            raise NotAsked(what)
        _write(sink, {"ask": what})
        return Request(json.loads(source.readline(_MAX_REQUEST))).text("hidden")

    return ask


def _write(sink: BinaryIO, line: Json) -> None:
    sink.write(json.dumps(line).encode("ascii") + b"\n")
    sink.flush()
