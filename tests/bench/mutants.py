"""Mutants: break one thing at a time in a room and see whether its tests notice. `make mutants`.

    python tests/bench/mutants.py custody/policy [--only rules_windows] [--jobs 2]

Each mutant changes one place of one module: a comparison, `and`/`or`, `not`, a number, a word without
spaces, an operator of arithmetic, a condition, a filter, a statement that is left out. It runs in a fork of
its own with the room's tests, the quick ones first; what they don't notice meets the slow ones. Sentences
for people aren't mutated: their wording is no behaviour. Mutmut and its like copy the whole tree and start
Python anew per mutant, which takes hours here; a fork takes a second.
"""

import argparse
import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 240

TESTS = {
    "custody/policy": ("tests/unit/test_policy_*.py", "tests/properties/test_policy_[!r]*.py"),
    "custody/people": ("tests/unit/test_governance_fold.py", "tests/properties/test_bad_approvals.py"),
}
"""By room, patterns of its tests, the quick ones first; each pattern is a run of its own."""

FIRST = {"differences": "diff", "quorums": "check", "limit": "load", "reading": "load", "model": "load"}
"""Where the test of a module has another name. All else that has no test of its own is `evaluate`."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitXor: ast.BitAnd, ast.BitOr: ast.BitAnd,
}  # fmt: skip
CALLS = {"any": "all", "all": "any", "min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """One change of one module."""

    module: str
    path: Path
    number: int
    line: int
    what: str
    source: str


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse(path.read_text())
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    unmutated = _untouched(tree)
    number = 0
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in unmutated:
            continue
        for what, change in _changes(node):
            changed = copy.deepcopy(tree)
            target = next(one for at, one in enumerate(ast.walk(changed)) if at == place)
            change(target)
            source = ast.unparse(ast.fix_missing_locations(changed))
            line = getattr(node.target if isinstance(node, ast.comprehension) else node, "lineno", 0)
            yield Mutant(module, path, number, line, what, source)
            number += 1


def _untouched(tree: ast.Module) -> set[int]:
    """Docstrings, annotations, imports, decorators, and the text of f-strings."""
    found: set[int] = set()
    for node in ast.walk(tree):
        inside: list[ast.AST] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            inside.append(node)
        if isinstance(node, ast.AnnAssign):
            inside.append(node.annotation)
        if isinstance(node, ast.FunctionDef):
            inside += [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
        if isinstance(node, ast.ClassDef):
            inside += node.decorator_list
        if isinstance(node, ast.JoinedStr):
            inside += [one for one in node.values if isinstance(one, ast.Constant)]
        found |= {id(one) for part in inside for one in ast.walk(part)}
    return found


def _changes(node: ast.AST) -> Iterator[tuple[str, "Change"]]:
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            yield f"{type(operator).__name__} -> {COMPARISONS[type(operator)].__name__}", _comparison(at)
    elif isinstance(node, ast.BoolOp):
        yield "and <-> or", _set("op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC:
        yield (
            f"{type(node.op).__name__} -> {ARITHMETIC[type(node.op)].__name__}",
            _set("op", ARITHMETIC[type(node.op)]()),
        )
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not x -> bool(x)", _positive
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "-x -> +x", _set("op", ast.UAdd())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} -> {not node.value}", _set("value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield f"{node.value} -> {node.value + 1}", _set("value", node.value + 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value and " " not in node.value:
        yield f"{node.value!r} -> other", _set("value", f"{node.value}x")
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "if x -> if not x", _negated
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield "filter left out", _set("ifs", [])
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        yield f"{node.func.id} -> {CALLS[node.func.id]}", _renamed
    elif isinstance(node, ast.Raise):
        yield "raise left out", _become_pass
    elif isinstance(node, ast.Expr):
        yield "statement left out", _set("value", ast.Constant(None))
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield "return None", _set("value", ast.Constant(None))


class Change:
    """What is done to a node, in place."""

    def __init__(self, **fields: object) -> None:
        self.fields = fields

    def __call__(self, node: ast.AST) -> None:
        for name, value in self.fields.items():
            setattr(node, name, value)


def _set(name: str, value: object) -> Change:
    return Change(**{name: value})


class _Comparison(Change):
    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[self.at] = COMPARISONS[type(node.ops[self.at])]()


def _comparison(at: int) -> Change:
    return _Comparison(at)


class _Positive(Change):
    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.UnaryOp)
        # `not not x` is `bool(x)`, whatever x is.
        node.operand = ast.UnaryOp(ast.Not(), node.operand)


class _Negated(Change):
    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.If | ast.IfExp | ast.While)
        node.test = ast.UnaryOp(ast.Not(), node.test)


class _Renamed(Change):
    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        node.func.id = CALLS[node.func.id]


class _BecomePass(Change):
    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.Raise)
        # A raise of nothing is a syntax of its own; a harmless expression can't replace the node in place.
        node.exc = ast.Call(ast.Name("KeyboardInterrupt", ast.Load()), [], [])
        node.cause = None


_positive, _negated, _renamed, _become_pass = _Positive(), _Negated(), _Renamed(), _BecomePass()


class _Loader(importlib.abc.Loader):
    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.source, str(self.mutant.path), "exec"), module.__dict__)  # noqa: S102


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, *_rest: object) -> importlib.machinery.ModuleSpec | None:
        if name != self.mutant.module:
            return None
        return importlib.util.spec_from_loader(name, _Loader(self.mutant), origin=str(self.mutant.path))


def _try_out(mutant: Mutant, tests: list[str]) -> None:
    """Run in a fork: exit 0 where the tests notice nothing."""
    import pytest

    sys.meta_path.insert(0, _Finder(mutant))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.environ["CI"] = "1"
    os._exit(int(pytest.main(["-x", "-q", "-n0", "-p", "no:cacheprovider", "-o", "filterwarnings=", *tests])))


def survives(mutant: Mutant, tests: list[str]) -> bool:
    """Say whether the tests pass with the mutant; one that hangs has been noticed."""
    process = multiprocessing.get_context("fork").Process(target=_try_out, args=(mutant, tests))
    process.start()
    process.join(TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
        return False
    return process.exitcode == 0


def _runs(room: str, module: str) -> Iterator[list[str]]:
    """Return the runs that a mutant must survive: the tests of its own module, then each pattern's."""
    stem = module.split(".")[-1]
    own = ROOT / f"tests/unit/test_{room.split('/')[-1]}_{FIRST.get(stem, stem)}.py"
    other = own.with_name("test_policy_evaluate.py")
    if own.exists() or room == "custody/policy":
        yield [str(own if own.exists() else other)]
    for pattern in TESTS[room]:
        yield [str(path) for path in sorted(ROOT.glob(pattern))]


def _judge(task: tuple[str, Mutant]) -> tuple[Mutant, bool]:
    room, mutant = task
    return mutant, all(survives(mutant, tests) for tests in _runs(room, mutant.module))


def _is_sound(room: str, path: Path) -> bool:
    """Say whether a module that is read back and changed nowhere passes: else every mutant would seem noticed."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    control = Mutant(module, path, 0, 0, "nothing", ast.unparse(ast.parse(path.read_text())))
    return _judge((room, control))[1]


def _preload() -> None:
    """Import what every fork would import again; nothing of the room itself."""
    import hypothesis
    import jsonschema
    import pytest
    import yaml

    import custody.bitcoin.amount
    import custody.spend.proposal

    assert (hypothesis, jsonschema, pytest, yaml, custody) is not None


def main() -> int:
    """Print every mutant that survives; exit 0 whatever their number."""
    parser = argparse.ArgumentParser(description="break one thing at a time and see whether the tests notice")
    parser.add_argument("room", nargs="?", default="custody/policy", choices=sorted(TESTS))
    parser.add_argument("--only", help="part of a module's name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    choice = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    os.chdir(ROOT)
    _preload()
    paths = [path for path in sorted((ROOT / choice.room).glob("*.py")) if (choice.only or "") in path.stem]
    tasks = [(choice.room, mutant) for path in paths for mutant in mutants_of(path)]
    if not _is_sound(choice.room, paths[0]):
        print("the tests fail without any mutant, or can't run in a fork: run them by themselves first")
        return 1
    started, alive = time.monotonic(), []
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(choice.jobs) as pool:
        for mutant, is_alive in pool.map(_judge, tasks):
            if is_alive:
                alive.append(mutant)
                print(f"alive: {mutant.path.relative_to(ROOT)}:{mutant.line} {mutant.what}", flush=True)
    took = int(time.monotonic() - started)
    print(f"{len(tasks)} mutants of {choice.room}, {len(tasks) - len(alive)} noticed, {len(alive)} alive, {took} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
