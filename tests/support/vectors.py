"""Published test vectors that stand beside the project; tests that need them say so when they are absent."""

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"


def load_vectors(name: str) -> dict[str, Any]:
    """Return the vectors of one file, or skip the test with the reason."""
    path = VECTORS / name
    if not path.is_file():
        pytest.skip(f"published vectors `{name}` are not beside this checkout (../shared/vectors)")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded
