"""A real Chromium without a window, for the tests marked `browser`: driven over a pipe, with a profile of its own.

The program is CHROMIUM, else `chromium` on PATH, else what `make browser` put under .browser; axe-core, the
checker of accessibility, is always from there. Without one of them the tests are skipped with the reason; where
CI is set they fail instead, so that nothing is skipped unseen. Every request that a page makes is written down.
Source: Chrome DevTools Protocol (messages of JSON, each ended by a zero byte, over descriptors 3 and 4).
"""

import base64
import json
import os
import re
import select
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PHONE, DESKTOP = (390, 844), (1280, 900)
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:9",
)
"""The last one leads every request that leaves this machine into nothing."""
_ANSWER_S = 120
_IMPACTS = ("serious", "critical")


@dataclass(frozen=True)
class Look:
    """How a page is looked at."""

    size: tuple[int, int] = DESKTOP
    scheme: str = "light"

    def __str__(self) -> str:
        return f"{self.size[0]}-{self.scheme}"


LOOKS = tuple(Look(size, scheme) for size in (PHONE, DESKTOP) for scheme in ("light", "dark"))


class Browser:
    """One tab of a running Chromium."""

    def __init__(self, program: str, profile: Path, axe: str) -> None:
        self._axe = axe
        to_browser, self._out = os.pipe()
        self._in, from_browser = os.pipe()
        # The shell puts the pipe where Chromium looks for it.
        script = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "bash", program, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(to_browser, from_browser),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._pending = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def close(self) -> None:
        """End it, by force if it does not end by itself."""
        os.close(self._out)
        os.close(self._in)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self, page: Path, look: Look = LOOKS[0]) -> None:
        """Load a file as `look` says, and wait until all of it is there."""
        width, height = look.size
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": look.scheme}]
        self._call("Emulation.setEmulatedMedia", features=features)
        self._events.clear()
        self._call("Page.navigate", url=page.absolute().as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._events.append(self._message())

    def requests(self) -> list[str]:
        """Return every address that was asked for since the page was opened."""
        self.evaluate("1")
        sent = [event["params"] for event in self._events if event["method"] == "Network.requestWillBeSent"]
        return [str(one["request"]["url"]) for one in sent]

    def complaints(self) -> list[str]:
        """Return what the browser logged as wrong, such as a broken security policy."""
        self.evaluate("1")
        entries = [event["params"]["entry"] for event in self._events if event["method"] == "Log.entryAdded"]
        return [str(entry["text"]) for entry in entries if entry["level"] in ("error", "warning")]

    def evaluate(self, script: str) -> Any:
        """Return what a script of ours finds in the page: JSON."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def violations(self) -> list[str]:
        """Return what axe-core finds serious or critical, each with its first place."""
        self.evaluate(self._axe + ";0")
        found = self.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
        assert isinstance(found, list)
        return [
            f"{one['id']} ({one['impact']}): {one['help']} at {one['nodes'][0]['target']}"
            for one in found
            if one["impact"] in _IMPACTS
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the screen."""
        value = self.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert isinstance(value, int)
        return value

    def picture(self) -> bytes:
        """Return the whole page as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])

    def pdf(self) -> bytes:
        """Return the page as it prints."""
        return base64.b64decode(self._call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            if "method" in answer:
                self._events.append(answer)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._out, left) :]

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            assert select.select([self._in], [], [], _ANSWER_S)[0], f"Chromium said nothing for {_ANSWER_S} s"
            part = os.read(self._in, 1 << 20)
            assert part, "Chromium ended by itself"
            self._pending += part
        line, _, self._pending = self._pending.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


def pages_of(pdf: bytes) -> int:
    """Return how many pages a PDF of Chromium has: it writes each as a plain object, and a table of all objects."""
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    start = int(pdf.rsplit(b"startxref", 1)[1].split()[0])
    assert pdf[start : start + 4] == b"xref"
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
    counts = re.findall(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)", pdf)
    assert pages == max(map(int, counts))
    return pages


def _find(variable: str, name: str) -> str | None:
    fetched = ROOT / ".browser" / name
    return os.environ.get(variable) or shutil.which(name) or (str(fetched) if fetched.exists() else None)


def start(profile: Path) -> Browser | str:
    """Start a browser, or return why there is none."""
    program = _find("CHROMIUM", "chromium")
    axe = ROOT / ".browser" / "axe.min.js"
    if program is None or not axe.exists():
        return "no Chromium or no axe-core here: make browser"
    return Browser(program, profile, axe.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start a browser for the tests of a module (in CI a missing one fails, elsewhere it skips)."""
    found = start(tmp_path_factory.mktemp("chromium"))
    if isinstance(found, str):
        if os.environ.get("CI"):
            pytest.fail(found)
        pytest.skip(found)
    try:
        yield found
    finally:
        found.close()
