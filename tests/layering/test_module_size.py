"""No module grows past what one person reads in one sitting."""

import ast

import pytest

from support.source_tree import Module, modules

MAX_LINES = 400


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_module_has_at_most_400_lines(module: Module) -> None:
    lines = len(module.text.splitlines())
    assert lines <= MAX_LINES, f"`{module.name}` has {lines} lines: split it by what it talks about"


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.name)
def test_module_says_what_it_is(module: Module) -> None:
    if module.text.strip():
        assert ast.get_docstring(module.tree), f"`{module.name}` has no docstring"
