"""The lock says what pyproject.toml says, and every package in it is pinned by hash."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LOCKS = ("build.txt", "run.txt", "dev.txt")


def _stated(lines: list[str]) -> set[str]:
    return {line.split("#")[0].strip() for line in lines if line.strip() and not line.startswith(("#", "-r"))}


def _packages(name: str) -> dict[str, str]:
    """Return the text of each requirement of a lock, continuation lines and hashes included, by its first line."""
    blocks = re.split(r"^(?=[a-z0-9])", (ROOT / "requirements" / name).read_text(), flags=re.MULTILINE)
    return {block.splitlines()[0].removesuffix(" \\"): block for block in blocks if block.strip()}


def test_the_run_requirements_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    written = _stated((ROOT / "requirements" / "run.in").read_text().splitlines())
    assert written == set(project["dependencies"])


@pytest.mark.parametrize("name", _LOCKS)
def test_every_locked_package_has_one_version_and_a_hash(name: str) -> None:
    packages = _packages(name)
    assert packages
    for first, block in packages.items():
        assert "==" in first, first
        assert "--hash=sha256:" in block, first


def test_tests_run_on_the_versions_that_users_get() -> None:
    assert _versions("run.txt") <= _versions("dev.txt")


def _versions(name: str) -> set[str]:
    """Return `name==version` of each package, without the marker that says on which Python it is needed."""
    return {first.split(";")[0].strip() for first in _packages(name)}
