"""QR codes on a terminal: half blocks, black on white, one frame after another until the person stops it.

This is the one place beside `output.py` that writes to stdout, because an animation moves the cursor. Nothing
but blocks and fixed words is written: no byte of the payload reaches the terminal as text.
"""

import os
import select
import shutil
import sys
import time
from collections.abc import Iterator
from typing import TextIO

from custody.codes import Code
from custody.documents.qr.refusals import too_large
from custody.errors import InvalidInput
from custody_hardware.qr_blocks import BORDER, block_lines, version_that_fits
from custody_hardware.qr_matrix import MAX_VERSION, MIN_VERSION, Matrix, matrix_of, size_of
from custody_hardware.qr_show import Show, one_version

_TALK_LINES = 2
"""Lines below the code, for the frame's number and the cursor."""
_LARGEST_COMFORTABLE = 20
_BLACK_ON_WHITE, _PLAIN, _HIDE, _SHOW = "\x1b[38;5;16;48;5;231m", "\x1b[0m", "\x1b[?25l", "\x1b[?25h"


def is_screen(stream: TextIO) -> bool:
    """Whether an animation can be shown on `stream`."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def density_for_screen(asked: int | None) -> int:
    """Return the density asked for, or the largest comfortable one that this terminal shows whole.

    Raises:
        InvalidInput: QR_TOO_LARGE: not even the smallest fits, or not the one asked for.
    """
    size = shutil.get_terminal_size()
    lines = size.lines - _TALK_LINES
    fitting = version_that_fits(size.columns, lines, MIN_VERSION - 1, MAX_VERSION)
    if fitting < MIN_VERSION or (asked is not None and asked > fitting):
        side = size_of(asked or MIN_VERSION) + 2 * BORDER
        raise InvalidInput(
            Code.QR_TOO_LARGE,
            f"the terminal has {size.columns} columns and {size.lines} lines, "
            f"codes of density {asked or MIN_VERSION} need {side} and {-(-side // 2) + _TALK_LINES}",
            advice="Make the window larger or its letters smaller, choose a smaller --density, or use --html.",
        )
    return asked or min(fitting, _LARGEST_COMFORTABLE)


def animate(show: Show, *, frames_per_second: int, rounds: int | None, stream: TextIO) -> int:
    """Show frames until `rounds` are over, Enter is pressed or Ctrl-C comes; return how many were shown.

    Raises:
        InvalidInput: QR_TOO_LARGE: a code is larger than the terminal.
    """
    first_round = show.round()
    version = one_version(first_round)
    limit = None if rounds is None else rounds * len(first_round)
    shown = 0
    stream.write(_HIDE)
    try:
        for frame in _without_end(show):
            shown += 1
            matrix = matrix_of(frame, None if version is None else show.density)
            _draw(matrix, f"{show.show_as}, frame {shown}, Enter ends the show", stream)
            if (limit is not None and shown >= limit) or _enter_within(1 / frames_per_second):
                return shown
            stream.write(f"\x1b[{len(block_lines(matrix)) + 1}A\r")
    finally:
        stream.write(_PLAIN + _SHOW + "\x1b[J")
        stream.flush()
    return shown


def _without_end(show: Show) -> Iterator[str]:
    while True:
        yield from show.endless()


def _draw(matrix: Matrix, words: str, stream: TextIO) -> None:
    lines = block_lines(matrix)
    size = shutil.get_terminal_size()
    if len(lines[0]) > size.columns or len(lines) + _TALK_LINES > size.lines:
        raise too_large("the code is larger than the terminal; choose another dialect, or use --html")
    for line in lines:
        stream.write(f"{_BLACK_ON_WHITE}{line}{_PLAIN}\n")
    stream.write(f"\x1b[2K{words}\n")
    stream.flush()


def _enter_within(seconds: float) -> bool:
    """Wait; whether the person pressed Enter meanwhile."""
    if sys.stdin is None or not sys.stdin.isatty():
        time.sleep(seconds)
        return False
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and sys.stdin.readline() is not None
