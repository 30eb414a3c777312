"""A report as an answer or as files: text, JSON, CSV, HTML, or a folder with all that a reader needs."""

import json
from pathlib import Path

import click

from custody import atomic
from custody.audit.report.csv_form import report_csv
from custody.audit.report.json_form import report_json
from custody.audit.report.report import Report
from custody.codes import Code
from custody.documents.display import escape
from custody.errors import ChainUnavailable, Severity
from custody.workspace.fresh_folder import fresh_folder
from custody_cli.audit_report_text import report_lines
from custody_cli.options import STDIO
from custody_cli.output import Answer, Line
from custody_cli.system import SystemNonces

FORMATS = ("text", "json", "csv", "html")
_IN_FOLDER = ("html", "json", "csv")
"""What a folder gets, as `report.FORMAT`."""
_ALARM, _INCOMPLETE, _CONTRADICTED = 3, 9, 10


def form_of(output: str | None) -> str:
    """Return the form that a file's name asks for; on the screen it is text."""
    if output is None or output == STDIO or _is_folder(output):
        return "text"
    ending = Path(output).suffix.removeprefix(".").lower()
    found = {"txt": "text"}.get(ending, ending)
    if found not in FORMATS:
        raise click.UsageError(f"`{output}` doesn't end with .html, .json, .csv or .txt: give --format")
    return found


def shown(made: Report, form: str) -> Answer:
    """Return the answer for stdout. Raises as `written` for the forms that have no place for a warning."""
    code = _exit_code(made)
    if form == "text":
        return Answer(report_json(made), lambda: report_lines(made), code)
    if form != "json":
        _require_complete(made)
    return Answer(report_json(made), lambda: (), code, raw=_content(made, form))


def written(made: Report, form: str, output: str) -> Answer:
    """Write a file, or a new folder with every form, and say so.

    Raises:
        ChainUnavailable: SYNC_INCOMPLETE. Conflict: FILE_EXISTS or VAULT_EXISTS, nothing is overwritten.
    """
    _require_complete(made)
    names = _write_folder(made, Path(output)) if _is_folder(output) else _write_file(made, Path(output), form)
    return Answer({**report_json(made), "files": [*names]}, lambda: _written_lines(made, names), _exit_code(made))


def _exit_code(made: Report) -> int:
    if made.is_contradicted:
        return _CONTRADICTED
    if any(finding.severity is Severity.REFUSE for finding in made.findings):
        return _ALARM
    return _INCOMPLETE if made.incomplete else 0


def _is_folder(output: str) -> bool:
    return output.endswith("/") or Path(output).is_dir()


def _content(made: Report, form: str) -> bytes:
    if form == "html":
        from custody_cli.audit_report_page import report_page  # only a page pays for its templates

        return report_page(made)
    if form == "csv":
        return report_csv(made)
    if form == "json":
        return (json.dumps(report_json(made), indent=2) + "\n").encode()
    return "".join(f"{_plain(line)}\n" for line in report_lines(made)).encode()


def _write_file(made: Report, path: Path, form: str) -> tuple[str, ...]:
    atomic.create_file(path, _content(made, form))
    return (str(path),)


def _write_folder(made: Report, folder: Path) -> tuple[str, ...]:
    names = [f"report.{form}" for form in _IN_FOLDER]
    with fresh_folder(folder, unique=SystemNonces().nonce()) as temporary:
        for name, form in zip(names, _IN_FOLDER, strict=True):
            atomic.create_file(temporary / name, _content(made, form))
    return tuple(str(folder / name) for name in names)


def _require_complete(made: Report) -> None:
    """Demand a whole view: a file has no place to say that something is missing.

    Raises:
        ChainUnavailable: SYNC_INCOMPLETE.
    """
    if made.incomplete:
        raise ChainUnavailable(
            Code.SYNC_INCOMPLETE,
            f"the history is not known whole: {made.incomplete[0]}",
            advice="Run `custody coins sync`, then report again.",
        )


def _written_lines(made: Report, written: tuple[str, ...]) -> list[Line]:
    lines = list(report_lines(made))[:2]
    return [*lines, f"{len(made.findings)} finding(s)", *(f"wrote {one}" for one in written)]


def _plain(line: Line) -> str:
    return escape(line if isinstance(line, str) else line.text)
