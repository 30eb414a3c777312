"""The project's own modules as syntax trees, for tests that hold the house to its plan."""

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("custody", "cli/custody_cli", "hardware/custody_hardware", "policies/custody_policies")


@dataclass(frozen=True)
class Module:
    """One source file of the project."""

    name: str
    """Dotted, `custody.bitcoin.keys`; a package goes by its own name."""
    path: Path
    text: str
    tree: ast.Module

    def imports(self) -> Sequence[tuple[str, int]]:
        """Return each dotted name that the module imports, anywhere in it, with its line."""
        return self._imports

    @functools.cached_property
    def _imports(self) -> tuple[tuple[str, int], ...]:
        return tuple(self._found())

    def _found(self) -> Iterator[tuple[str, int]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                yield base, node.lineno
                yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)

    def at(self, line: int) -> str:
        """Return a place that an editor can open."""
        return f"{self.path.relative_to(ROOT)}:{line}"

    def _absolute(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        package = self.name.split(".")
        if self.path.name != "__init__.py":
            package = package[:-1]
        kept = package[: len(package) - node.level + 1]
        return ".".join([*kept, *([node.module] if node.module else [])])


@functools.cache
def modules() -> tuple[Module, ...]:
    """Return every module of the four packages, in the order of their names."""
    return tuple(_read(path, ROOT / package) for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))


def within(name: str, room: str) -> bool:
    """Whether a dotted name is `room` itself or lies inside it."""
    return name == room or name.startswith(f"{room}.")


def _read(path: Path, package: Path) -> Module:
    parts = list(path.relative_to(package.parent).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    text = path.read_text(encoding="utf-8")
    return Module(".".join(parts), path, text, ast.parse(text, filename=str(path)))
