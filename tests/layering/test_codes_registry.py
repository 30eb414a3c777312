"""The registry of codes, the code that raises them and the page that explains them say the same."""

import re

from custody.codes import Code
from support.source_tree import ROOT, modules

RESERVED = {
    "PRIOR_HISTORY": "`coins accept` and `status`",
}
"""Codes promised by the design, with what will use them; take a code out when it is used."""

_USE = re.compile(r"\bCode\.([A-Z][A-Z0-9_]*)|\"([A-Z][A-Z0-9_]*)\"")
_ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]*)` \| (.+) \| (.+) \|$", re.MULTILINE)


def used() -> set[str]:
    """Return every code that a module names, as a member or as text."""
    texts = (module.text for module in modules() if module.name != "custody.codes")
    return {name for text in texts for pair in _USE.findall(text) for name in pair if name}


def test_every_code_is_its_own_name() -> None:
    assert [code.name for code in Code if code.value != code.name] == []


def test_every_code_is_used() -> None:
    idle = {code.name for code in Code} - used() - RESERVED.keys()
    assert not idle, f"no module uses {sorted(idle)}: use them, remove them, or say in RESERVED what will"


def test_reserved_codes_exist_and_are_not_used_yet() -> None:
    assert {code.name for code in Code} >= RESERVED.keys()
    early = sorted(RESERVED.keys() & used())
    assert not early, f"{early} are used now: take them out of RESERVED in tests/layering/test_codes_registry.py"


def test_every_code_is_explained() -> None:
    rows = [name for name, _meaning, _advice in _ROW.findall((ROOT / "docs/codes.md").read_text(encoding="utf-8"))]
    names = [code.name for code in Code]
    assert len(rows) == len(set(rows)), "docs/codes.md explains a code twice"
    missing, unknown = sorted(set(names) - set(rows)), sorted(set(rows) - set(names))
    assert not missing, f"docs/codes.md lacks a row `| CODE | meaning | what to do |` for {missing}"
    assert not unknown, f"docs/codes.md explains codes that don't exist: {unknown}"
    assert rows == names, "docs/codes.md has the codes in another order than custody/codes.py"
