"""The recipe in docs/formats/journal.md checks a real export, so that auditors can rely on it."""

import subprocess
import sys
from pathlib import Path

from support.journals import export, make_chain

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats" / "journal.md"


def _run_recipe(content: bytes) -> subprocess.CompletedProcess[bytes]:
    recipe = PAGE.read_text().split("```python\n")[1].split("```")[0]
    return subprocess.run([sys.executable, "-c", recipe], input=content, capture_output=True, check=False)


def test_the_documented_recipe_accepts_an_export_and_prints_its_head():
    entries = make_chain(4, mark="é\u2028 ")
    result = _run_recipe(export(entries))
    assert (result.returncode, result.stdout.decode().strip()) == (0, entries[-1].hash)


def test_the_documented_recipe_refuses_a_tampered_export():
    entries = make_chain(4)
    assert _run_recipe(export([entries[0], entries[2]])).returncode != 0
    assert _run_recipe(export(entries).replace(b"ann", b"bob", 1)).returncode != 0
