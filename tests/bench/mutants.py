"""Mutants: break one thing at a time in a room and see whether its tests notice. `make mutants`.

    python tests/bench/mutants.py custody/policy [--only rules_windows] [--jobs 2]

Each mutant changes one place of one module: a comparison, `and`/`or`, `not`, a number, a word without
spaces, an operator of arithmetic, a condition, a filter, a statement that is left out. Sentences for people
aren't mutated: their wording is no behaviour. Pytest collects the room's tests once; each mutant gets a fork
in which the functions of its module have the changed code, the module's own tests run first, and the first
failure ends it. What survives is tried again with the module imported anew, which is slower and also sees
changed constants. Mutmut and its like start Python anew per mutant, which takes hours here.
"""

import argparse
import ast
import copy
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 300

TESTS = {
    "custody/policy": ("tests/unit/test_policy_*.py", "tests/properties/test_policy_[!s]*.py"),
    "custody/people": ("tests/unit/test_people.py", "tests/properties/test_bad_approvals.py"),
}
"""By room, its quick tests for the first round, and those that only a survivor meets."""

FIRST = {"differences": "diff", "quorums": "check", "limit": "load", "reading": "load", "model": "load"}
"""Where the test of a module has another name; all else that has no test of its own is `evaluate`."""

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
    line: int
    what: str
    source: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.what}"


# Making them


class Change:
    """What is done to a node of a copied tree, in place."""

    def __init__(self, **fields: object) -> None:
        self.fields = fields

    def __call__(self, node: ast.AST) -> None:
        for name, value in self.fields.items():
            setattr(node, name, value)


class _Comparison(Change):
    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.Compare)
        node.ops[self.at] = COMPARISONS[type(node.ops[self.at])]()


class _Negated(Change):
    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.If | ast.IfExp | ast.While)
        node.test = ast.UnaryOp(ast.Not(), node.test)


class _NotTaken(Change):
    def __call__(self, node: ast.AST) -> None:
        assert isinstance(node, ast.UnaryOp)
        # `not not x` is `bool(x)`, whatever x is.
        node.operand = ast.UnaryOp(ast.Not(), node.operand)


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Return every mutant of a module."""
    tree = ast.parse(path.read_text())
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    untouched = _untouched(tree)
    for place, node in enumerate(ast.walk(tree)):
        if id(node) in untouched:
            continue
        for what, change in _changes(node):
            changed = copy.deepcopy(tree)
            change(next(one for at, one in enumerate(ast.walk(changed)) if at == place))
            line = getattr(node.target if isinstance(node, ast.comprehension) else node, "lineno", 0)
            yield Mutant(module, path, line, what, ast.unparse(ast.fix_missing_locations(changed)))


def _untouched(tree: ast.Module) -> set[int]:
    """Docstrings, annotations, parameters, decorators, and the text of f-strings."""
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


def _changes(node: ast.AST) -> Iterator[tuple[str, Change]]:
    if isinstance(node, ast.Compare):
        for at, operator in enumerate(node.ops):
            yield f"{type(operator).__name__} -> {COMPARISONS[type(operator)].__name__}", _Comparison(at)
    elif isinstance(node, ast.BoolOp):
        yield "and <-> or", Change(op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
    elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in ARITHMETIC:
        other = ARITHMETIC[type(node.op)]
        yield f"{type(node.op).__name__} -> {other.__name__}", Change(op=other())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not x -> bool(x)", _NotTaken()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "-x -> +x", Change(op=ast.UAdd())
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node.value)
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "if x -> if not x", _Negated()
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield "filter left out", Change(ifs=[])
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        other_name = CALLS[node.func.id]
        yield f"{node.func.id} -> {other_name}", Change(func=ast.Name(other_name, ast.Load()))
    elif isinstance(node, ast.Raise):
        yield "another exception", Change(exc=ast.Call(ast.Name("KeyError", ast.Load()), [], []), cause=None)
    elif isinstance(node, ast.Expr):
        yield "statement left out", Change(value=ast.Constant(None))
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield "return None", Change(value=ast.Constant(None))


def _other_constants(value: object) -> Iterator[tuple[str, Change]]:
    if isinstance(value, bool):
        yield f"{value} -> {not value}", Change(value=not value)
    elif isinstance(value, int):
        yield f"{value} -> {value + 1}", Change(value=value + 1)
    elif isinstance(value, str) and value and " " not in value:
        yield f"{value!r} -> other", Change(value=f"{value}x")


# Trying them out


class Collected:
    """A pytest plugin that doesn't run the tests it collected, but forks for each mutant and runs them there."""

    def __init__(self, mutants: list[Mutant], jobs: int) -> None:
        self.mutants = mutants
        self.jobs = jobs
        self.alive: list[Mutant] = []
        self.is_sound = False

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        gc.freeze()
        control = os.fork()
        if control == 0:
            _quietly(lambda: self._run(session, None))
        self.is_sound = os.waitstatus_to_exitcode(os.waitpid(control, 0)[1]) == 0
        waiting, running = list(reversed(self.mutants)) if self.is_sound else [], {}
        while waiting or running:
            while waiting and len(running) < self.jobs:
                mutant = waiting.pop()
                process = os.fork()
                if process == 0:
                    _quietly(lambda mutant=mutant: self._run(session, mutant))
                running[process] = mutant
            process, status = os.wait()
            mutant = running.pop(process)
            if status == 0:
                self.alive.append(mutant)
                print(f"survives the quick tests: {mutant}", file=sys.stderr, flush=True)
        return True

    def _run(self, session: pytest.Session, mutant: Mutant | None) -> int:
        signal.alarm(TIMEOUT_S)
        if mutant is not None:
            _replace_code(mutant)
        own = "" if mutant is None else _own_test(mutant.module)
        items = sorted(session.items, key=lambda item: not item.path.name.endswith(own))
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return 1
        return 0


def _own_test(module: str) -> str:
    stem = module.split(".")[-1]
    name = f"test_policy_{FIRST.get(stem, stem)}.py"
    return name if (ROOT / "tests/unit" / name).exists() else "test_policy_evaluate.py"


def _quietly(run: "object") -> None:
    """End this fork with what `run` returns; whatever goes wrong has been noticed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        os._exit(run())  # type: ignore[operator]
    except BaseException:  # noqa: BLE001
        os._exit(1)


def _replace_code(mutant: Mutant) -> None:
    """Give the functions of the imported module the mutant's code, wherever they were imported to."""
    changed = ModuleType(mutant.module)
    changed.__file__ = str(mutant.path)
    exec(compile(mutant.source, str(mutant.path), "exec"), changed.__dict__)  # noqa: S102
    original = sys.modules[mutant.module]
    for name, value in vars(changed).items():
        if getattr(value, "__module__", mutant.module) != mutant.module or name.startswith("__"):
            continue
        if isinstance(value, FunctionType | type):
            _copy_code(getattr(original, name), value)
        else:
            setattr(original, name, value)


def _copy_code(original: object, changed: object) -> None:
    if isinstance(changed, FunctionType) and isinstance(original, FunctionType):
        original.__code__ = changed.__code__
    elif isinstance(changed, property) and isinstance(original, property):
        _copy_code(original.fget, changed.fget)
    elif isinstance(changed, classmethod | staticmethod) and isinstance(original, classmethod | staticmethod):
        _copy_code(original.__func__, changed.__func__)
    elif isinstance(changed, type) and isinstance(original, type):
        for name, member in vars(changed).items():
            # Methods that dataclasses generate hold cells of their own class; they aren't the module's code.
            if name in vars(original) and (name == "__post_init__" or not name.startswith("__")):
                _copy_code(vars(original)[name], member)


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


def _survives_anew(mutant: Mutant, tests: list[str]) -> bool:
    """Run the tests with the mutant imported anew, in a fork that hasn't imported the room yet."""

    def run() -> int:
        signal.alarm(TIMEOUT_S)
        sys.meta_path.insert(0, _Finder(mutant))
        return int(pytest.main(["-x", *ARGUMENTS, *tests]))

    process = os.fork()
    if process == 0:
        _quietly(run)
    return os.waitpid(process, 0)[1] == 0


ARGUMENTS = ["-q", "-n0", "-p", "no:cacheprovider", "-o", "filterwarnings="]


def main() -> int:
    """Print every mutant that survives; exit 0 whatever their number."""
    parser = argparse.ArgumentParser(description="break one thing at a time and see whether the tests notice")
    parser.add_argument("room", nargs="?", default="custody/policy", choices=sorted(TESTS))
    parser.add_argument("--only", default="", help="parts of modules' names, with commas")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    choice = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests"))
    os.chdir(ROOT)
    os.environ["CI"] = "1"
    started = time.monotonic()
    paths = [
        path
        for path in sorted((ROOT / choice.room).glob("*.py"))
        if any(part in path.stem for part in choice.only.split(","))
    ]
    mutants = [mutant for path in paths for mutant in mutants_of(path)]
    quick, slow = ([str(path) for path in sorted(ROOT.glob(pattern))] for pattern in TESTS[choice.room])
    survivors = _first_round(mutants, quick, choice.jobs)
    print(f"{len(mutants) - len(survivors)} of {len(mutants)} noticed by the quick tests", flush=True)
    alive = []
    for mutant in survivors:
        if _survives_anew(mutant, quick) and _survives_anew(mutant, slow):
            alive.append(mutant)
            print(f"alive: {mutant}", flush=True)
    took = int(time.monotonic() - started)
    print(f"{len(mutants)} mutants of {choice.room}, {len(mutants) - len(alive)} noticed, {len(alive)} alive, {took} s")
    return 0


def _first_round(mutants: list[Mutant], tests: list[str], jobs: int) -> list[Mutant]:
    """Return the survivors of the quick round. It is held in a fork, so that this process imports nothing."""
    read, write = os.pipe()
    process = os.fork()
    if process == 0:
        collected = Collected(mutants, jobs)
        pytest.main([*ARGUMENTS, "-s", *tests], plugins=[collected])
        numbers = [str(mutants.index(mutant)) for mutant in collected.alive]
        os.write(write, (",".join(numbers) if collected.is_sound else "unsound").encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answers:
        answer = answers.read()
    os.waitpid(process, 0)
    if answer == "unsound":
        sys.exit("the tests fail without any mutant: run them by themselves first")
    return [mutants[int(number)] for number in answer.split(",") if number]


if __name__ == "__main__":
    sys.exit(main())
