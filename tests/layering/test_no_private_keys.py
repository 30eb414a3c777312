"""No private key stands in the repository but published test material, each piece with its source.

Every tracked text file goes through the secret gate, after the pieces listed in
`support/published_secrets.py` are taken out of it.
"""

import ast
import subprocess
from collections.abc import Iterator

import pytest

from custody.documents.secret_gate import find_secret
from support.published_secrets import PUBLISHED, WORD_LISTS
from support.source_tree import ROOT

_MAX_BYTES = 2_000_000
_LONGEST_WORD = 12


def tracked() -> list[str]:
    """Return the paths of all tracked files, or skip where there is no git or no repository."""
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for path in listing.stdout.decode().split("\0") if path]


def readable(name: str) -> str:
    """Return a file's text without the published pieces; empty for what is binary, large or gone."""
    path = ROOT / name
    try:
        data = path.read_bytes()
        text = data.decode("utf-8") if len(data) <= _MAX_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return ""
    for piece in PUBLISHED:
        text = text.replace(piece, "PUBLISHED")
    return text


def parts_of(name: str, text: str) -> Iterator[str]:
    """Yield what may hold a secret: a program's lines and texts (its names are common words), else paragraphs."""
    if not name.endswith(".py"):
        yield from text.split("\n\n")
        return
    yield from text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            texts = [item.value for item in node.elts if isinstance(item, ast.Constant) and isinstance(item.value, str)]
            yield " ".join(text for text in texts if len(text) <= _LONGEST_WORD)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def kinds_in(name: str) -> set[str]:
    """Return the kinds of private material in a tracked file, published pieces aside."""
    text = readable(name)
    return {kind.name for part in parts_of(name, text) if (kind := find_secret(part)) is not None}


def test_no_tracked_file_holds_an_unpublished_private_key() -> None:
    found = {name: sorted(kinds) for name in tracked() if name not in WORD_LISTS and (kinds := kinds_in(name))}
    assert not found, (
        f"{found}: take the secret out; if it is published test material or a seed made for tests alone, "
        "list it with its source in tests/support/published_secrets.py"
    )


def test_every_published_piece_is_still_needed() -> None:
    texts = [(ROOT / name).read_bytes() for name in tracked() if (ROOT / name).is_file()]
    here = "tests/support/published_secrets.py"
    counts = {piece: sum(text.count(piece.encode()) for text in texts) for piece in PUBLISHED}
    assert not [piece[:12] for piece, count in counts.items() if count < 2], f"nobody uses these any more; see {here}"
