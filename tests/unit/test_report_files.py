"""A report of an incomplete view: said on screen and in JSON with exit 9, and never written to a file."""

from dataclasses import replace
from pathlib import Path

import pytest

from custody.codes import Code
from custody.errors import ChainUnavailable
from custody_cli.audit_report_files import form_of, shown, written
from custody_cli.audit_report_page import report_page
from support.demo_reserve import QUARTER, YEAR, report_of, the_demo

GAP = "the node has pruned block 300"


def test_an_incomplete_view_is_said_and_never_written(tmp_path: Path) -> None:
    made = replace(report_of(the_demo(), QUARTER), incomplete=(GAP,))
    answer = shown(made, "text")
    assert answer.exit_code == 9
    assert answer.json["complete"] is False and answer.json["incomplete"] == [GAP]
    assert any(GAP in str(line) for line in answer.text())
    assert shown(made, "json").exit_code == 9
    for form in ("csv", "html"):
        with pytest.raises(ChainUnavailable) as refused:
            shown(made, form)
        assert refused.value.code is Code.SYNC_INCOMPLETE
    for target in ("report.html", "report.json", "folder/"):
        with pytest.raises(ChainUnavailable):
            written(made, "json", str(tmp_path / target) + ("/" if target.endswith("/") else ""))
    assert list(tmp_path.iterdir()) == []
    assert b"INCOMPLETE." in report_page(made) and b"Reconciled to the satoshi" not in report_page(made)


def test_a_complete_one_is_exit_0_in_every_form(tmp_path: Path) -> None:
    made = report_of(the_demo(), QUARTER)
    assert [shown(made, form).exit_code for form in ("text", "json", "csv", "html")] == [0, 0, 0, 0]
    answer = written(made, "text", str(tmp_path / "report.txt"))
    assert answer.exit_code == 0
    assert "what this doesn't prove" in (tmp_path / "report.txt").read_text()


def test_an_alarm_is_exit_3_and_written_all_the_same(tmp_path: Path) -> None:
    made = report_of(the_demo(), YEAR)
    assert Code.UNEXPLAINED_OUTFLOW in [finding.code for finding in made.findings]
    assert [shown(made, form).exit_code for form in ("text", "json", "csv", "html")] == [3, 3, 3, 3]
    assert written(made, "html", str(tmp_path / "report.html")).exit_code == 3
    assert b"ALARM" in (tmp_path / "report.html").read_bytes()
    assert shown(replace(made, incomplete=(GAP,)), "text").exit_code == 3


@pytest.mark.parametrize(
    ("output", "form"),
    [
        (None, "text"),
        ("-", "text"),
        ("x/", "text"),
        ("a.HTML", "html"),
        ("a.json", "json"),
        ("a.csv", "csv"),
        ("a.txt", "text"),
    ],
)
def test_a_file_s_ending_says_its_form(output: str | None, form: str) -> None:
    assert form_of(output) == form
