"""Run the real command line in this process: the root, its errors and its exit codes, all as `custody` has them."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from custody_cli.app import execute


@dataclass(frozen=True)
class Result:
    """What a command line left behind."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def error(self) -> Any:
        """The JSON error object on stderr."""
        return json.loads(self.stderr)


def run(
    argv: Sequence[str | Path | int],
    stdin: str | bytes | None = None,
    env: Mapping[str, str | None] | None = None,
) -> Result:
    """Run `custody ARGV…` and return exit code, stdout and stderr. CUSTODY_VAULT is unset unless `env` sets it."""
    environment = {"CUSTODY_VAULT": None, **(env or {})}
    with CliRunner().isolation(input=stdin, env=environment) as (stdout, stderr, _both):
        try:
            code = execute([str(argument) for argument in argv])
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
        sys.stdout.flush()
        sys.stderr.flush()
    return Result(code, stdout.getvalue().decode(), stderr.getvalue().decode())


def run_json(argv: Sequence[str | Path | int], stdin: str | bytes | None = None, *, exit_code: int = 0) -> Any:
    """Run `custody ARGV… --json`, demand the exit code, and return the document of stdout."""
    result = run([*argv, "--json"], stdin)
    assert result.exit_code == exit_code, (result.exit_code, result.stderr, result.stdout)
    return result.json
