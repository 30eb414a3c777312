"""PyPI's bip322-core, another implementation of BIP 322, in the environment that `make interop` builds under .interop.

It can't live beside our own lock, so each question runs in a process of its own. Without it the tests are skipped
with the reason; where CI is set they fail instead, so that nothing is skipped unseen.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("interop_driver.py")
_TIMEOUT_S = 120


@dataclass(frozen=True)
class OtherVerifier:
    """The other implementation."""

    python: Path

    def ask(self, do: str, **question: Any) -> Any:
        """Ask one thing; what it refuses with an error is a failed assertion."""
        answer = subprocess.run(
            [self.python, "-I", DRIVER],
            input=json.dumps({"do": do, **question}),
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def verdict(self, address: str, signature: str, message: bytes) -> Any:
        """Return its verdict on a signature."""
        return self.ask("verify", address=address, signature=signature, message=message.decode())


@pytest.fixture(scope="session")
def bip322_core() -> OtherVerifier:
    """Return the other implementation, or skip the test (in CI: fail)."""
    python = ROOT / ".interop" / "bin" / "python"
    if not python.exists():
        reason = "bip322-core is not installed: make interop"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return OtherVerifier(python)
