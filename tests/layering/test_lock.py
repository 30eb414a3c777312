"""The lock says what pyproject.toml says, and every package in it is pinned by hash."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LOCKS = ("build.txt", "run.txt", "dev.txt", "usb.txt", "hwi.txt", "interop.txt")


def _stated(lines: list[str]) -> set[str]:
    return {line.split("#")[0].strip() for line in lines if line.strip() and not line.startswith(("#", "-r", "-c"))}


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


def test_hwi_brings_no_other_version_of_what_everybody_has() -> None:
    ours = dict(pair.split("==") for pair in _versions("dev.txt"))
    theirs = dict(pair.split("==") for pair in _versions("usb.txt") if not pair.startswith("protobuf"))
    assert {name: theirs[name] for name in theirs.keys() & ours.keys()} == {
        name: ours[name] for name in theirs.keys() & ours.keys()
    }
    assert "protobuf" not in ours


def test_the_usb_extra_is_what_make_hwi_installs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    hwi = _stated((ROOT / "requirements" / "hwi.in").read_text().splitlines())
    assert project["optional-dependencies"]["usb"] == [f"{one}; python_version < '3.13'" for one in hwi]


@pytest.mark.parametrize("name", _LOCKS)
def test_requests_is_never_installed(name: str) -> None:
    """Beside `requests` the Jade driver of HWI talks to a server."""
    assert not [first for first in _packages(name) if re.match(r"requests\b", first)]


def _versions(name: str) -> set[str]:
    """Return `name==version` of each package, without the marker that says on which Python it is needed."""
    return {first.split(";")[0].strip() for first in _packages(name)}
