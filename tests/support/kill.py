"""Run a command and kill it (SIGKILL, its whole process group) after a random moment.

The moments come from a seeded generator that the test passes in, so that a failing run can be
told apart from bad luck; what the machine does in between stays random.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random


def seeded(seed: int) -> Random:
    """Return the generator of a test: reproducible, and for nothing secret."""
    return Random(seed)  # noqa: S311


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command said before it ended or was killed."""

    killed: bool
    exit_code: int
    stdout: bytes
    stderr: bytes


def run_and_kill(
    command: Sequence[str | Path],
    *,
    random: Random,
    within_ms: int,
    after_first_line: bool = False,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Outcome:
    """Kill the command at a random moment in the first `within_ms` after its start, unless it ends by itself.

    `after_first_line` counts from the first line that it prints, so that its start-up is not where most kills fall.
    """
    delay_s = random.randrange(within_ms * 1_000) / 1_000_000
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=cwd,
        env=None if environment is None else dict(environment),
        start_new_session=True,
    )
    with process:
        first = process.stdout.readline() if after_first_line and process.stdout is not None else b""
        killed = False
        try:
            stdout, stderr = process.communicate(timeout=delay_s)
        except subprocess.TimeoutExpired:
            killed = True
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
    return Outcome(killed, process.returncode, first + stdout, stderr)
