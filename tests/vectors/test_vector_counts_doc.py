"""docs/vectors.md says what `make vectors` counts."""

import subprocess
import sys
from pathlib import Path

import pytest

from custody.bitcoin import kernel
from support.vectors import VECTORS

ROOT = Path(__file__).parents[2]


def test_the_page_holds_the_counts_and_nothing_is_wrong() -> None:
    if not VECTORS.is_dir():
        pytest.skip("published vectors are not beside this checkout (../shared/vectors)")
    command = [sys.executable, str(ROOT / "tests" / "bench" / "vector_counts.py")]
    if kernel.is_available():  # without it taproot messages can't be judged, so the page isn't compared
        command.append("--check")
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert answer.stdout.splitlines()[-1].split()[-1] == "0"
