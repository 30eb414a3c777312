"""Device emulators that somebody started beside the tests, and the hand that reads and presses for their holder.

Where one is listening, the tests marked `emulator` run the whole journey on it, through HWI's own transport.
None is brought along: which ones ran, and what each showed, is told where a release is described.

    Ledger    speculos with the Bitcoin Test app on TCP 9999, its REST API at SPECULOS_API (else port 5000)
    Coldcard  simulator.py --ms --headless
    BitBox02  its simulator on TCP 15423, restored once with its own test mnemonic; it says yes by itself
    Trezor    the emulator of Model One or T with debug link, seeded, on UDP 21324
"""

import json
import os
import socket
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

LEDGER = ("127.0.0.1", 9999)
BITBOX02 = ("127.0.0.1", 15423)
TREZOR = ("127.0.0.1", 21324)
TREZOR_DEBUG = "127.0.0.1:21325"
COLDCARD = Path(tempfile.gettempdir()) / "ckcc-simulator.sock"
SPECULOS_API = os.environ.get("SPECULOS_API", "http://127.0.0.1:5000")

_YES = ("approve", "accept", "confirm", "register account", "sign transaction", "hold to sign", "continue")
_PAUSE_S = 0.3


class Hand(Protocol):
    """Looks at one device's screen and says yes to whatever it asks; what it saw is kept."""

    seen: list[str]
    pause_s: float

    def press(self) -> None:
        """Look once, and press what brings the device further."""
        ...


@dataclass
class LedgerHand:
    """Two buttons: right until the screen offers to agree, then both."""

    seen: list[str] = field(default_factory=list)
    pause_s: float = _PAUSE_S

    def press(self) -> None:
        """Look once, and press what brings the device further."""
        events = json.loads(_http("/events?currentscreenonly=true"))["events"]
        text = " ".join(str(event["text"]) for event in events)
        if "app is ready" in text:
            return
        if text and (not self.seen or self.seen[-1] != text):
            self.seen.append(text)
        agree = any(word in text.lower() for word in _YES)
        _http(f"/button/{'both' if agree else 'right'}", {"action": "press-and-release"})


@dataclass
class ColdcardHand:
    """The simulator's keypad and story, over a socket of its own.

    A frame of ours amid one of HWI's breaks its message, so that the hand waits until files are there. HWI presses
    OK itself when it has a simulator sign: the hand is needed to register alone.
    """

    seen: list[str] = field(default_factory=list)
    pause_s: float = 1.5

    def press(self) -> None:
        """Look once, and press OK."""
        from hwilib.devices.ckcc.client import ColdcardDevice
        from hwilib.devices.ckcc.protocol import CCProtocolPacker

        device = ColdcardDevice(sn=str(COLDCARD), encrypt=False)
        try:
            look = b"EXECRV.write(chr(0).join(sim_display.story or []))"
            story = device.send_recv(look, timeout=5_000, encrypt=False)
            text = bytes(story).decode("utf-8", "replace").replace("\0", "\n").strip()
            if text and (not self.seen or self.seen[-1] != text):
                self.seen.append(text)
            device.send_recv(CCProtocolPacker.sim_keypress(b"y"), timeout=5_000, encrypt=False)
        finally:
            device.close()


@dataclass
class IdleHand:
    """For a simulator that agrees by itself and shows its screens on its own output."""

    seen: list[str] = field(default_factory=list)
    pause_s: float = _PAUSE_S

    def press(self) -> None:
        """Do nothing."""


@dataclass
class TrezorHand:
    """The debug link: its screen is a bitmap, kept in hex.

    A press while nothing is asked would answer the next question, so that the first look is the screen at rest.
    """

    seen: list[str] = field(default_factory=list)
    pause_s: float = _PAUSE_S
    at_rest: str = ""

    def press(self) -> None:
        """Look once, and press the right button where something is asked."""
        from hwilib.devices.trezorlib.debuglink import DebugLink
        from hwilib.devices.trezorlib.transport.udp import UdpTransport

        link = DebugLink(UdpTransport(TREZOR_DEBUG))
        link.open()
        try:
            screen = bytes(link.state().layout).hex()
            self.at_rest = self.at_rest or screen
            if screen != self.at_rest:
                if not self.seen or self.seen[-1] != screen:
                    self.seen.append(screen)
                link.press_yes()
        finally:
            link.close()


@contextmanager
def held(hand: Hand) -> Iterator[Hand]:
    """Let a hand press, again and again, while the block runs."""
    done = threading.Event()

    def work() -> None:
        while not done.wait(hand.pause_s):
            with suppress(Exception):  # a device that is between two screens answers later
                hand.press()

    if isinstance(hand, TrezorHand):
        hand.press()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield hand
    finally:
        done.set()
        thread.join()
        if isinstance(hand, ColdcardHand):
            hand.press()  # it knew the vault before, and says so on a screen that waits for OK
        time.sleep(_PAUSE_S)


def listening() -> dict[str, Hand]:
    """Return the hand of each emulator that answers, by HWI's name of its driver."""
    hands: dict[str, Hand] = {}
    with suppress(OSError), socket.create_connection(LEDGER, timeout=1):
        hands["ledger"] = LedgerHand()
    with suppress(OSError), socket.create_connection(BITBOX02, timeout=1):
        hands["bitbox02"] = IdleHand()
    if COLDCARD.exists():
        hands["coldcard"] = ColdcardHand()
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        asked.settimeout(1)
        asked.connect(TREZOR)
        asked.send(b"PINGPING")
        if asked.recv(8) == b"PONGPONG":
            hands["trezor"] = TrezorHand()
    return hands


@pytest.fixture(scope="session")
def emulators() -> dict[str, Hand]:
    """The emulators that are listening; without any, the test is skipped and says so."""
    hands = listening()
    if not hands:
        pytest.skip("no device emulator is listening (tests/support/emulators.py says which and where)")
    return hands


def _http(path: str, body: object = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(SPECULOS_API + path, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310 (the address is ours)
        content: bytes = answer.read()
        return content
