"""One question to a person, on stderr; the answer comes from stdin, so that a script can give it too."""

import sys

from custody.codes import Code
from custody.documents.display import escape
from custody.documents.secret_gate import scan_text
from custody.errors import NotYet

_LONGEST_ANSWER = 100


def ask(question: str) -> str:
    """Return what was typed, without the white space around it.

    Raises:
        NotYet: CONFIRMATION_EMPTY. SecretRefused: somebody typed a key or a seed.
    """
    sys.stderr.write("\n".join(escape(line) for line in question.split("\n")))
    sys.stderr.flush()
    line = _read_line()
    scan_text(line, place="the answer")
    answer = line.strip()
    if not answer:
        raise NotYet(Code.CONFIRMATION_EMPTY, "nothing was typed: nothing was done", advice="Run the command again.")
    return answer


def _read_line() -> str:
    """Return the answer; stdin may be closed, or hold bytes that are no text, which match nothing."""
    if sys.stdin is None:
        return ""
    try:
        return sys.stdin.readline(_LONGEST_ANSWER)
    except UnicodeDecodeError:
        return "?"
