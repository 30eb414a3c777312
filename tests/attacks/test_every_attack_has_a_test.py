"""Every attack of the catalogue that is built has a test named after it that drives the command line and asserts."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
DRIVERS = {
    "support.cli",
    "support.review_cases",
    "support.rehearsal",
    "support.node_office",
    "support.bundles",
    "support.setups",
    "support.standin",
    "support.reserves_office",
    "support.reserves_scene",
}
DOORS = {
    "run",
    "run_json",
    "run_review",
    "assert_refused",
    "assert_warned",
    "Rehearsal",
    "NodeOffice",
    "Signer",
    "Setup",
    "StandinOffice",
    "Holder",
    "ReservesScene",
}
"""What runs a command, of the modules above."""

SETUP = [*range(10, 20), 76, 78, 86, 117, 122]
OUTPUTS = [*range(20, 29), 36, 45, 97, 98]
INPUTS = [30, 31, 32, 33, 34, 35, 40, 41, 42, 43, 44, 46, 47, 48]
SIGNATURES = [*range(50, 61), 62, 66, 68, 112, 114, 119]
QR_CODES = [73, 74, 75]
DEVICES = [52, 58, 68, 77, 91, 92, 95, 113, 114]
FILES_AND_JOURNAL = [70, 71, 90, 91, 92, 94, 95, 96, 100, 101, 102, 103, 104, 105, 116]
INSIDERS = [61, 63, 64, 65, 66, 68, 101, 102, 103, 104, 119, 120, 121]
GOVERNANCE = [61, 63, 102, 120]
PROOFS = [82, 84]
REPORTS = [85, 95, 96]
BALANCES = [29, 35, 115]
RESERVES = [80, 81, 83, 84, 85]
AUDIT = {*PROOFS, *REPORTS, *BALANCES, *RESERVES}
REQUIRED = {*AUDIT, *SETUP, *OUTPUTS, *INPUTS, *SIGNATURES, *QR_CODES, *DEVICES, *FILES_AND_JOURNAL, *GOVERNANCE}

Function = ast.FunctionDef


def _ids(name: str) -> set[int]:
    head = re.match(r"test((?:_a\d+)+)", name)
    return {int(number) for number in re.findall(r"\d+", head[1])} if head else set()


def _doors(tree: ast.Module) -> set[str]:
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module in DRIVERS]
    return {alias.asname or alias.name for node in imports for alias in node.names if alias.name in DOORS}


def _names(function: Function) -> set[str]:
    found = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    return found | {argument.arg for argument in function.args.args}


def _drives(function: Function, functions: dict[str, Function], doors: set[str]) -> bool:
    """Whether `function` reaches a door, by itself or through helpers and fixtures of its module."""
    seen: set[str] = set()
    waiting = [function]
    while waiting:
        names = _names(waiting.pop())
        if names & doors:
            return True
        waiting += [functions[name] for name in names - seen if name in functions]
        seen |= names
    return False


def _asserts(function: Function) -> bool:
    """Whether something in `function` can fail: an assertion, `pytest.raises`, or a helper named after one."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2].lstrip("_")
            if called.startswith(("assert_", "raises", "refus")):
                return True
    return False


def _modules() -> Iterator[tuple[Path, ast.Module, dict[str, Function]]]:
    for path in sorted(TESTS.rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        yield path, tree, {node.name: node for node in tree.body if isinstance(node, Function)}


def test_every_attack_is_mounted_through_the_command_line() -> None:
    mounted: set[int] = set()
    for _path, tree, functions in _modules():
        doors = _doors(tree)
        for name, function in functions.items():
            if _ids(name) and _asserts(function) and _drives(function, functions, doors):
                mounted |= _ids(name)
    assert sorted(REQUIRED - mounted) == []


def test_no_attack_passes_without_asserting() -> None:
    silent = [
        f"{path.name}:{name}"
        for path, _tree, functions in _modules()
        for name, function in functions.items()
        if _ids(name) and not _asserts(function)
    ]
    assert silent == []
