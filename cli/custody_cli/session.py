"""What one run of the command knows from its global options, and where its talk goes.

The only mutable object of the command line: options fill it while they are parsed.
Results go to stdout through `output.py`; `talk` is for progress and remarks, on stderr.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from custody.documents.display import escape


@dataclass(slots=True)
class Session:
    """Global options of one run."""

    as_json: bool = False
    verbose: bool = False
    vault_directory: Path | None = None
    """From --vault or CUSTODY_VAULT; None means: search upwards from the current folder."""
    actor: str | None = None
    """Who says that they act (--as): a claim, shown as such."""

    def talk(self, line: str) -> None:
        """Say something to the person at the terminal; with --json stderr is kept for an error's one document."""
        if self.as_json:
            return
        print(escape(line), file=sys.stderr, flush=True)  # noqa: T201 (the edge prints)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show progress (a `custody.ports.Progress`), only to a person and only with --verbose."""
        if self.verbose:
            self.talk(f"{what}: {done} of {total}" if total else f"{what}: {done}")
