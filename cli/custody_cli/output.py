"""The one place that prints: an answer, an error or a usage error, as text or as JSON.

Commands return an `Answer`; they never print. Text is a sequence of lines, and each line is
escaped as a whole, so that nothing from a file, a label or a device can move the cursor,
reorder text or forge a line. Colour is added after that, only to a terminal, only as a
second sign beside a word.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TextIO, TypeAlias

from custody.documents.display import escape
from custody.errors import CustodyError, Finding, JsonValue
from custody_cli.wrapping import fitted


class Style(Enum):
    """How a line looks on a terminal that shows colour (SGR parameters)."""

    GOOD = "32"
    BAD = "1;31"
    CARE = "33"
    STRONG = "1"
    FAINT = "2"


@dataclass(frozen=True, slots=True)
class Styled:
    """A line with a look of its own."""

    text: str
    style: Style


Line: TypeAlias = str | Styled
AnswerValue: TypeAlias = "bool | int | str | Decimal | Sequence[AnswerValue] | Mapping[str, AnswerValue] | None"
"""What an answer's JSON is made of: JSON without floats, and exact decimals that are printed as numbers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found out. Exactly one of its forms is printed, on stdout."""

    json: "Mapping[str, AnswerValue]"
    """A Decimal (a fee rate to read, never an amount) is printed as a JSON number."""
    text: Callable[[], Iterable[Line]]
    """Called only when text is wanted."""
    exit_code: int = 0
    """0, or 3, 4, 9, 10 for an answer that is no or incomplete; it is printed whole all the same."""
    raw: bytes | None = None
    """Where set, printed unchanged instead of text: a document that was asked for on stdout."""


@dataclass(frozen=True, slots=True)
class StreamedAnswer:
    """An answer that is too long to be held: its pieces are made while they are printed.

    Where a piece can't be made, the error ends it: what stands on stdout by then must not look complete,
    so the last piece says that it is, and a JSON document is closed by it.
    """

    json: Callable[[], Iterable[str]]
    """Pieces of one JSON document, with its line feeds."""
    text: Callable[[], Iterable[Line]]
    raw: Callable[[], Iterable[bytes]] | None = None
    """Where set, printed unchanged instead of text."""


def print_stream(answer: StreamedAnswer, *, as_json: bool) -> int:
    """Print piece by piece to stdout and return the exit code."""
    if as_json:
        sys.stdout.writelines(answer.json())
    elif answer.raw is not None:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(answer.raw())
    else:
        print_lines(answer.text(), sys.stdout)
    sys.stdout.flush()
    return 0


def print_answer(answer: Answer, *, as_json: bool) -> int:
    """Print to stdout and return the exit code."""
    if as_json:
        sys.stdout.write(json.dumps(answer.json, indent=2, default=_number) + "\n")
    elif answer.raw is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(answer.raw)
    else:
        print_lines(answer.text(), sys.stdout)
    sys.stdout.flush()
    return answer.exit_code


def _number(value: object) -> int | float:
    """Return a Decimal as the number that JSON shows; nothing else gets here that JSON can't say."""
    if not isinstance(value, Decimal):
        raise TypeError(type(value).__name__)
    return int(value) if value == value.to_integral_value() else float(value)


def print_lines(lines: Iterable[Line], stream: TextIO) -> None:
    """Print lines, each escaped as a whole; on a terminal long ones are broken between words."""
    terminal = stream.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = shutil.get_terminal_size((0, 0)).columns if terminal else 0
    for line in lines:
        for text in fitted(escape(line.text if isinstance(line, Styled) else line), columns):
            look = f"\x1b[{line.style.value}m{text}\x1b[0m" if colour and isinstance(line, Styled) else text
            stream.write(look + "\n")


def finding_lines(findings: Sequence[Finding]) -> list[Line]:
    """Return findings as lines: severity, code and place, message, advice."""
    styles = {"refuse": Style.BAD, "warn": Style.CARE, "note": Style.FAINT}
    lines: list[Line] = []
    for finding in findings:
        head = f"{finding.severity.upper():<6} {finding.code}@{finding.where}: {finding.message}"
        lines.append(Styled(head, styles[str(finding.severity)]))
        lines.append(f"       {finding.advice}")
    return lines


def findings_json(findings: Sequence[Finding]) -> list[JsonValue]:
    """Return findings as every JSON answer shows them."""
    return [finding.to_json() for finding in findings]


def print_error(error: CustodyError, *, as_json: bool, exit_code: int | None = None) -> int:
    """Print a refusal to stderr and return its exit code."""
    listed = () if as_json or len(error.points) < 2 else error.points
    message = error.lead if listed else error.message
    _print_failure(str(error.code), message, error.advice, error.details, points=listed, as_json=as_json)
    return error.exit_code if exit_code is None else exit_code


def print_usage_error(message: str, *, advice: str, as_json: bool) -> int:
    """Print what is wrong with the command line and return 2."""
    _print_failure("USAGE", message, advice, {}, as_json=as_json)
    return 2


def print_interrupted(*, as_json: bool) -> int:
    """Say that the person stopped the command and return 130."""
    _print_failure(
        "INTERRUPTED", "interrupted", "Nothing was left half done; run the command again.", {}, as_json=as_json
    )
    return 130


def print_bug(error: Exception, *, as_json: bool) -> int:
    """Report a bug by type and place alone and return 1: the exception's text may hold a secret."""
    import hashlib  # only a bug pays for it

    kind, place = type(error).__name__, _place_of(error)
    digest = hashlib.sha256(f"{kind}@{place}".encode()).hexdigest()[:16]
    _print_failure(
        "INTERNAL_BUG",
        f"a bug in this program: {kind} at {place}, report {digest}",
        "Report these words and the command that you ran; they hold nothing of your input.",
        {"type": kind, "place": place, "digest": digest},
        as_json=as_json,
    )
    return 1


def _place_of(error: Exception) -> str:
    import traceback  # only a bug pays for it

    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "unknown"
    ours = [frame for frame in frames if "custody" in PurePath(frame.filename).parent.as_posix()]
    frame = (ours or frames)[-1]
    return f"{'/'.join(PurePath(frame.filename).parts[-3:])}:{frame.lineno}"


def _print_failure(
    code: str,
    message: str,
    advice: str,
    details: Mapping[str, JsonValue],
    *,
    points: Sequence[str] = (),
    as_json: bool,
) -> None:
    if as_json:
        failure = {"error": code, "message": escape(message), "advice": advice, "details": dict(details)}
        sys.stderr.write(json.dumps(failure, indent=2) + "\n")
    else:
        lines: list[Line] = [Styled(f"error: {message} [{code}]", Style.BAD)]
        lines += [*(f"  - {point}" for point in points), advice]
        plain = {key: value for key, value in details.items() if _is_plain(value) and code != "INTERNAL_BUG"}
        lines += [f"  {key}: {_words(value)}" for key, value in plain.items()]
        print_lines(lines, sys.stderr)
    sys.stderr.flush()


def _is_plain(value: JsonValue) -> bool:
    """Whether a detail can be read in a line: whole decisions and findings are for --json, their words are above."""
    return not isinstance(value, dict | list) or (
        isinstance(value, list) and all(isinstance(item, str | int) for item in value)
    )


def _words(value: JsonValue) -> str:
    """Return a plain detail for people: lists joined, everything else as it is."""
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)
