"""No module grows past what one person reads in one sitting."""

import ast

from support.source_tree import modules

MAX_LINES = 400


def test_every_module_has_at_most_400_lines() -> None:
    long = [module.name for module in modules() if len(module.text.splitlines()) > MAX_LINES]
    assert not long, f"more than {MAX_LINES} lines, split them by what they talk about: {long}"


def test_every_module_says_what_it_is() -> None:
    silent = [module.name for module in modules() if module.text.strip() and not ast.get_docstring(module.tree)]
    assert not silent, f"no docstring: {silent}"
