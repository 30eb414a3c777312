"""Many writers on one journal, with random `kill -9` and dropped connections: one chain, nothing acknowledged and
lost, nothing twice.

A small size is part of every run. The full one (8 writers, 2,000 events each, on either store) takes minutes, is
marked `slow` and run by name: `pytest -n0 -s -m slow tests/journeys/test_journal_storm.py`.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from custody.workspace.postgres_store import PostgresJournal
from custody.workspace.sqlite_store import SqliteJournal
from support.cutting_proxy import Cut, CuttingProxy
from support.databases import Database
from support.journal_storm import EverySoOften, demand_one_chain, run_storm
from support.journals import JOURNAL_ID, LOCAL_DISK
from support.kill import seeded


@dataclass(frozen=True)
class Size:
    """How much happens."""

    writers: int
    events: int
    kills: int
    cut_every_s: tuple[float, float]
    lost_commits_percent: int


SMALL = Size(4, 40, 2, (0.2, 0.6), 4)
FULL = Size(8, 2_000, 12, (0.2, 1.0), 1)
SIZES = [pytest.param(SMALL, id="small"), pytest.param(FULL, id="full", marks=pytest.mark.slow)]


@pytest.mark.parametrize("size", SIZES)
def test_writers_on_the_file(tmp_path: Path, size: Size) -> None:
    journal = SqliteJournal.create(tmp_path / "journal.db", JOURNAL_ID, mount_table=LOCAL_DISK)
    storm = run_storm(
        str(tmp_path),
        writers=size.writers,
        events=size.events,
        kills=size.kills,
        seed=20_261_126,
    )
    print(f"SQLite: {storm.report()}")
    demand_one_chain(storm, journal, writers=size.writers, events=size.events)
    assert storm.kills > 0


@pytest.mark.postgres
@pytest.mark.parametrize("size", SIZES)
def test_writers_on_the_database(database: Database, password_file: Path, size: Size) -> None:
    journal = PostgresJournal.create(database.url, JOURNAL_ID)
    random = seeded(20_261_126)

    def lose_some() -> Cut:
        drawn = random.randrange(100)
        return (
            Cut.ANSWER
            if drawn < size.lost_commits_percent
            else (Cut.REQUEST if drawn < 2 * size.lost_commits_percent else Cut.NONE)
        )

    with CuttingProxy(database.server.port, choose=lose_some) as proxy:

        def drop(chance: Random) -> None:
            if chance.random() < 0.5:
                proxy.cut_some(chance)
                return
            database.as_owner(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                f"WHERE usename = '{database.login}' ORDER BY random() LIMIT 1"
            )

        with EverySoOften(drop, every_s=size.cut_every_s, seed=20_261_127) as drops:
            storm = run_storm(
                database.loopback_url(port=proxy.port).text,
                writers=size.writers,
                events=size.events,
                kills=size.kills,
                seed=20_261_128,
            )
    lost = {cut: proxy.cuts.count(cut) for cut in (Cut.ANSWER, Cut.REQUEST)}
    print(
        f"PostgreSQL: {storm.report()}; {drops.times} connections dropped, "
        f"{lost[Cut.ANSWER]} answers and {lost[Cut.REQUEST]} requests of a COMMIT lost"
    )
    demand_one_chain(storm, journal, writers=size.writers, events=size.events)
    assert storm.kills > 0
    assert lost[Cut.ANSWER] > 0
