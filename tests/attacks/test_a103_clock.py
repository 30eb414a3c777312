"""A103: a clock set back, or an old chain shown to the office: a warning on an intact journal, and no verdict.

Each journal is written as somebody with the disk could write it: every hash and link is right, and
the steps in its times are the only trace.
"""

from pathlib import Path
from typing import Any

import pytest

from custody.audit.journal import GENESIS_PREV, Entry, EntryTip
from custody.errors import JsonValue
from custody.vault.vault import Vault
from custody.workflow.open_vault import read_vault_file
from custody.workspace.sqlite_store import SqliteJournal
from support.cli import run, run_json
from support.vaults import create_arguments, make_vault

HASH = "ab" * 32
MTP = 1_790_000_000


def tip(height: int, median_time_past: int = MTP) -> EntryTip:
    return EntryTip(height, HASH, median_time_past)


def frozen(time: str, seen: EntryTip | None = None) -> tuple[str, dict[str, JsonValue], str, EntryTip | None]:
    return "coins_frozen", {"outpoints": [], "reason": None}, time, seen


def observed(time: str, now: EntryTip) -> tuple[str, dict[str, JsonValue], str, EntryTip | None]:
    body: dict[str, JsonValue] = {
        "tip": now.to_document(),
        "complete": True,
        "compared_with_utxo_set": True,
        "incomplete": [],
        "scanned": {"receive": 1000, "change": 1000},
        "transactions": [],
        "vanished_blocks": [],
        "gone": [],
    }
    return "chain_observed", body, time, None


def journal_of(vault: Vault, *events: tuple[str, dict[str, JsonValue], str, EntryTip | None]) -> list[Entry]:
    """Return a whole journal: the adoption, then these."""
    body: dict[str, JsonValue] = {"document": vault.to_document(), "vault_id": vault.vault_id, "ungoverned": False}
    entries: list[Entry] = []
    for kind, event, time, seen in [("vault_adopted", body, "2026-11-24T12:00:00Z", None), *events]:
        entries.append(
            Entry.make(
                journal_id="5f" * 16,
                seq=len(entries),
                time=time,
                tip=seen,
                actor=None,
                kind=kind,
                body=event,
                request_id=f"r{len(entries)}",
                prev=entries[-1].hash if entries else GENESIS_PREV,
            )
        )
    return entries


def verified(folder: Path, *events: tuple[str, dict[str, JsonValue], str, EntryTip | None]) -> Any:
    """Write the journal as an export, and return what `journal verify` says to it; it must be exit 0."""
    export = folder / "export.jsonl"
    export.write_bytes(b"".join(entry.export_line() for entry in journal_of(make_vault(), *events)))
    answer = run_json(["journal", "verify", "--file", export])
    assert answer["ok"] is True
    assert all((one["code"], one["severity"]) == ("CLOCK_STEPPED_BACK", "warn") for one in answer["findings"])
    return answer


def places(answer: Any) -> list[str]:
    return [one["where"] for one in answer["findings"]]


def test_a103_a_clock_that_steps_back_by_more_than_ten_minutes_is_listed(tmp_path: Path) -> None:
    answer = verified(
        tmp_path,
        frozen("2026-11-24T13:00:00Z"),
        frozen("2026-11-24T12:50:00Z"),
        frozen("2026-11-24T12:39:59Z"),
        frozen("2026-11-24T12:45:00Z"),
        frozen("2025-11-24T12:45:00Z"),
    )
    assert places(answer) == ["entry:3", "entry:5"]
    assert "2026-11-24T12:39:59Z after 2026-11-24T12:50:00Z" in answer["findings"][0]["message"]


def test_a103_a_chain_that_falls_further_than_a_reorganization_is_listed(tmp_path: Path) -> None:
    time = "2026-11-24T12:00:00Z"
    answer = verified(
        tmp_path,
        frozen(time, tip(800)),
        frozen(time, tip(794, MTP - 3_600)),
        frozen(time, tip(787, MTP - 3_600)),
        frozen(time, tip(786, MTP - 20_000)),
        frozen(time, tip(786, MTP - 20_001)),
        frozen(time, tip(900, MTP)),
    )
    assert places(answer) == ["entry:3", "entry:4", "entry:5"]
    words = [one["message"] for one in answer["findings"]]
    assert "falls from height 794 to 787" in words[0]
    assert all("median time past falls" in one for one in words[1:])


def test_a103_an_old_chain_shows_at_the_observation_itself(tmp_path: Path) -> None:
    time = "2026-11-24T12:00:00Z"
    answer = verified(tmp_path, observed(time, tip(800)), frozen(time, tip(800)), observed(time, tip(500, MTP - 9**9)))
    assert places(answer) == ["entry:3"]


def test_a103_odd_times_are_compared_and_never_a_bug(tmp_path: Path) -> None:
    answer = verified(
        tmp_path,
        frozen("9999-12-31T23:59:60Z"),
        frozen("2026-02-31T00:00:00Z"),
        frozen("0000-01-01T00:00:00Z"),
        frozen("0000-01-01T00:00:00Z"),
    )
    assert places(answer) == ["entry:2", "entry:3"]


def test_a103_the_workspace_lists_the_warning_and_stays_intact(tmp_path: Path) -> None:
    folder = tmp_path / "reserve"
    vault = make_vault()
    assert run(create_arguments(vault, folder)).exit_code == 0
    journal = SqliteJournal(folder / "journal.db")
    (adopted,) = journal.entries()
    late = Entry.make(
        journal_id=adopted.journal_id,
        seq=1,
        time="2020-01-01T00:00:00Z",
        tip=None,
        actor="ann",
        kind="coins_frozen",
        body={"outpoints": [], "reason": None},
        request_id="r1",
        prev=adopted.hash,
    )
    journal.append([late], expected_head=adopted.hash)
    answer = run_json(["--vault", folder, "journal", "verify"])
    assert (answer["ok"], answer["entries"], places(answer)) == (True, 2, ["entry:1"])
    shown = run(["--vault", folder, "journal", "verify"])
    assert shown.exit_code == 0
    assert "intact: 2 entries" in shown.stdout
    assert "WARN   CLOCK_STEPPED_BACK@entry:1" in shown.stdout
    # Nothing else looks at the writer's clock: the vault still opens.
    assert read_vault_file(folder / "vault.yaml").vault_id == vault.vault_id
    assert run_json(["--vault", folder, "vault", "show"])["vault_id"] == vault.vault_id


def test_a103_an_alteration_is_listed_before_the_warning(tmp_path: Path) -> None:
    lines = [
        entry.export_line()
        for entry in journal_of(make_vault(), frozen("2020-01-01T00:00:00Z"), frozen("2020-01-01T00:00:01Z"))
    ]
    export = tmp_path / "export.jsonl"
    export.write_bytes(b"".join([*lines[:2], lines[2].replace(b"00:00:01Z", b"00:00:02Z")]))
    answer = run_json(["journal", "verify", "--file", export], exit_code=10)
    assert answer["ok"] is False
    assert [(one["code"], one["where"]) for one in answer["findings"]] == [
        ("JOURNAL_ALTERED", "line:3"),
        ("CLOCK_STEPPED_BACK", "entry:1"),
    ]


@pytest.mark.parametrize("back_s", [0, 1, 599, 600])
def test_a103_clocks_that_differ_a_little_are_no_finding(tmp_path: Path, back_s: int) -> None:
    at = 600 - back_s
    answer = verified(
        tmp_path,
        frozen("2026-11-24T13:10:00Z", tip(800)),
        frozen(f"2026-11-24T13:{at // 60:02d}:{at % 60:02d}Z", tip(800)),
    )
    assert answer["findings"] == []
