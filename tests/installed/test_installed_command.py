"""The command as an installed wheel runs it, away from the checkout. CI sets CUSTODY to its path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CUSTODY = os.environ.get("CUSTODY")
pytestmark = pytest.mark.skipif(CUSTODY is None, reason="CUSTODY names no installed command; .ci/run installs one")

needs_embedded_chain = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="the demo needs libbitcoinkernel, which has no wheel for 3.14"
)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command in `cwd`, with nothing of the checkout in its environment."""
    assert CUSTODY is not None
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "LANG": "C.UTF-8"}
    return subprocess.run([CUSTODY, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120)


def test_the_wheel_holds_every_package(tmp_path: Path) -> None:
    result = run("--version", cwd=tmp_path)
    assert result.returncode == 0
    assert "0.1.0" in result.stdout


def test_help_lists_the_nouns(tmp_path: Path) -> None:
    result = run("--help", cwd=tmp_path)
    assert result.returncode == 0
    for noun in ("vault", "address", "coins", "proposal", "psbt", "journal", "demo", "status"):
        assert f"\n  {noun} " in result.stdout


def test_an_unknown_key_is_refused_without_a_traceback(tmp_path: Path) -> None:
    arguments = ("vault", "create", "w", "--name", "w", "--network", "regtest", "--threshold", "1", "--cosigner", "a=x")
    result = run(*arguments, "--json", cwd=tmp_path)
    assert result.returncode == 6
    assert "Traceback" not in result.stderr
    assert json.loads(result.stderr)["error"] == "INVALID_XPUB"
    assert not (tmp_path / "w").exists()


@needs_embedded_chain
def test_the_demo_runs_from_the_wheel(tmp_path: Path) -> None:
    result = run("demo", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "refused" in result.stdout


def test_the_wheel_holds_the_sql_of_a_journals_database(tmp_path: Path) -> None:
    result = run("journal", "schema", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "CREATE TABLE custody.entry" in result.stdout


@needs_embedded_chain
def test_the_wheel_brings_what_talks_to_a_database(tmp_path: Path) -> None:
    assert run("demo", "--keep", "practice", cwd=tmp_path).returncode == 0
    url = "postgresql://127.0.0.1:9/reserve"
    result = run("--vault", "practice", "journal", "move", url, "--json", cwd=tmp_path)
    assert (result.returncode, json.loads(result.stderr)["error"]) == (7, "DATABASE_UNAVAILABLE")


def test_the_wheel_holds_the_device_profiles(tmp_path: Path) -> None:
    assert CUSTODY is not None
    python = Path(CUSTODY).parent / "python"
    code = "from custody_hardware.device_profiles import load_profiles as p; print(len([v for v in p().values()]))"
    result = subprocess.run([python, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.stdout.strip() == "17", result.stderr


@needs_embedded_chain
def test_the_wheel_holds_the_template_of_a_report(tmp_path: Path) -> None:
    assert run("demo", "--keep", "kept", cwd=tmp_path).returncode == 0
    told = json.loads(run("--vault", "kept", "coins", "list", "--json", cwd=tmp_path).stdout)
    asked = ("audit", "report", "--from-height", "0", "--to-height", str(told["height"]), "-o", "report.html")
    result = run("--vault", "kept", *asked, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Reconciled to the satoshi" in (tmp_path / "report.html").read_text()
