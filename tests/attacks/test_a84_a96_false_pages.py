"""A84, A96: pages that say more than their statements, each made by our own renderer so that every file agrees."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from custody.documents.canonical_json import canonical
from custody_cli.page_render import render_site
from support.cli import run
from support.pages import sample_facts, sample_head, sample_site, sample_statement

STATEMENT = sample_statement()
NODE = ["--node", "http://127.0.0.1:1"]
"""Nobody listens there: what is refused by it is refused before any node is asked."""


def written(folder: Path, site: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in site.items():
        (folder / name).write_bytes(content)
    return folder


def changed(site: dict[str, bytes], change: Callable[[Any], None]) -> dict[str, bytes]:
    facts = json.loads(site["page.json"])
    change(facts)
    return {**site, "page.json": canonical(facts) + b"\n"}


def put(*path: str | int, value: object) -> Callable[[Any], None]:
    def change(facts: Any) -> None:
        for step in path[:-1]:
            facts = facts[step]
        facts[path[-1]] = value

    return change


LIES = {
    "who wrote it": put("generator", value="custody 0.1.0, audited and insured in full by the central bank"),
    "what was signed": put("challenge", "message", value="All debts are covered."),
    "who holds it": put("challenge", "holder", value="Another bank"),
    "what is not proven": put("not_proven", value=[]),
    "what is not proven, in other words": put("not_proven", value=["nothing: all is proven"]),
    "a proof of no kind": put("proofs", 0, "kind", value="notary"),
    "a date that no calendar has": put("block", "median_time", value=10**15),
    "a clock that is a sentence": put("checkpoints", 0, "time", value="audited by all ministries"),
    "an officer that is a sentence": put("checkpoints", 0, "officers", value=["The President, with all ministers"]),
}


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("by_commitment", [False, True])
def test_a96_a_page_can_say_nothing_of_its_own(lie: str, by_commitment: bool, tmp_path: Path) -> None:
    site = sample_site(STATEMENT, by_commitment=by_commitment, heads=(sample_head(),))
    page = written(tmp_path / "page", changed(site, LIES[lie]))
    done = run(["audit", "reserves", "verify", "--page", page, *NODE, "--json"])
    assert (done.exit_code, done.error["error"]) in ((6, "MALFORMED_DOCUMENT"), (6, "NAME_INVALID"))


def test_a84_a_checkpoint_that_nobody_signed_is_found(tmp_path: Path) -> None:
    honest = sample_head()
    forged = replace(honest, length=9_999)  # with the signatures of the true one
    site = sample_site(STATEMENT, by_commitment=True, heads=(forged,))
    page = written(tmp_path / "page", site)
    done = run(["audit", "reserves", "verify", "--page", page, "--json"])
    assert (done.exit_code, done.json["result"]) == (3, "invalid")
    assert {(one["code"], one["where"]) for one in done.json["findings"]} >= {
        ("PAGE_DIFFERS", "page:checkpoint-1.json")
    }
    good = written(tmp_path / "good", sample_site(STATEMENT, by_commitment=True, heads=(honest,)))
    assert run(["audit", "reserves", "verify", "--page", good, "--json"]).exit_code == 9


def test_a96_officers_of_a_commitments_page_are_those_of_its_checkpoint(tmp_path: Path) -> None:
    facts = sample_facts(STATEMENT, by_commitment=True, heads=(sample_head(),))
    shown = replace(facts, checkpoints=(replace(facts.checkpoints[0], officers=("governor", "minister")),))
    honest = sample_site(STATEMENT, by_commitment=True, heads=(sample_head(),))
    attached = {name: honest[name] for name in ("challenge.json", "checkpoint-1.json")}
    page = written(tmp_path / "page", render_site(shown, attached))
    done = run(["audit", "reserves", "verify", "--page", page, "--json"])
    assert (done.exit_code, done.json["result"]) == (3, "invalid")


def test_a96_a_challenge_beside_a_commitments_page_is_the_page_s(tmp_path: Path) -> None:
    facts = sample_facts(STATEMENT, by_commitment=True)
    other = replace(STATEMENT.challenge, purpose="another audit").to_bytes()
    page = written(tmp_path / "page", render_site(facts, {"challenge.json": other}))
    done = run(["audit", "reserves", "verify", "--page", page, "--json"])
    assert (done.exit_code, done.json["result"]) == (3, "invalid")
    assert "page:challenge.json" in {one["where"] for one in done.json["findings"]}
