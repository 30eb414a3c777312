"""Long lines on a terminal: broken between words, so that columns and indents stay readable at any width.

Only a terminal gets this. What goes to a file or to another program keeps one line for one thing.
"""

import re
import textwrap

LEAST = 40
"""Columns below which nothing is broken: a terminal this narrow, or one that doesn't say its width."""
_LABEL = re.compile(r"(?: *- |(?:REFUSE|WARN {2}|NOTE {2}) | *\S+(?: \S+)* {2,})")
_COMMAND = re.compile(r" *(?:\$ )?(?:custody|bitcoin-cli|ssh-keygen) ")


def fitted(line: str, columns: int) -> list[str]:
    """Return `line` in pieces of at most `columns`, those after the first under where its words begin.

    A command is left whole, because it is copied, and so is a line with columns of its own or without any word
    (a QR code); a single word that is longer (a hash, an address, a descriptor) is left to the terminal.
    """
    if len(line) <= columns or columns < LEAST or _COMMAND.match(line) or not re.search(r"[A-Za-z]{2}", line):
        return [line]
    label = _LABEL.match(line)
    begin = label.end() if label else len(line) - len(line.lstrip(" "))
    if begin > columns // 2 or "  " in line[begin:].strip():
        return [line]
    return textwrap.wrap(
        line[begin:],
        columns,
        initial_indent=line[:begin],
        subsequent_indent=" " * begin,
        break_long_words=False,
        break_on_hyphens=False,
    )
