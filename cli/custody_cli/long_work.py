"""Progress of long work, for a person at a terminal: how much is done, how fast, and how long it may still take.

One line that is written over, on stderr. With -v every report is a line of its own, and no terminal is
needed. Nothing is shown with --json, nor where the results themselves run down the same terminal.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from custody.documents.display import escape
from custody.ports import Progress
from custody_cli.session import Session

_FIRST_AFTER_S = 1.0
_EVERY_S = 0.5
_CLEAR = "\r\x1b[K"


@contextmanager
def shown_progress(session: Session, *, results_on_stdout: bool) -> Iterator[Progress]:
    """Yield where long work reports to, and leave no half line behind, however it ends."""
    busy = results_on_stdout and sys.stdout.isatty()
    if session.verbose or session.as_json or busy or not sys.stderr.isatty():
        yield session.progress
        return
    line = LongWork(sys.stderr, time.monotonic)
    try:
        yield line
    finally:
        line.clear()


@dataclass(slots=True)
class LongWork:
    """A `custody.ports.Progress` that keeps one line up to date."""

    stream: TextIO
    clock: Callable[[], float]
    """Seconds that only grow; shown, never judged by."""
    _started: float | None = field(default=None, init=False)
    _shown: float | None = field(default=None, init=False)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show it, at most twice a second, and clear the line at the end."""
        now = self.clock()
        if self._started is None:
            self._started = now
        if total and done >= total:
            self.clear()
        elif now - (self._shown or self._started) >= (_EVERY_S if self._shown else _FIRST_AFTER_S):
            self._shown = now
            self.stream.write(_CLEAR + escape(progress_text(what, done, total, now - self._started)))
            self.stream.flush()

    def clear(self) -> None:
        """Take the line away; the next report begins anew."""
        if self._shown is not None:
            self.stream.write(_CLEAR)
            self.stream.flush()
        self._started = self._shown = None


def progress_text(what: str, done: int, total: int, seconds: float) -> str:
    """Return the line: `what: 12,000 of 200,000 (6 %), 2,900 a second, about 1 min left`."""
    rate = done / seconds if seconds > 0 else 0.0
    shown = f"{what}: {done:,}"
    if total:
        shown += f" of {total:,} ({100 * done // total} %)"
    if rate >= 1:
        shown += f", {rate:,.0f} a second"
        if total:
            shown += f", about {_span((total - done) / rate)} left"
    return shown


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
