"""A connection that breaks around COMMIT: written is success, not written says so, unknown says that."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from custody.codes import Code
from custody.errors import Conflict
from custody.workspace.postgres_store import PostgresJournal
from support.cutting_proxy import Cut, CuttingProxy
from support.databases import QUICK, Database
from support.journals import JOURNAL_ID, make_chain

pytestmark = pytest.mark.postgres


@pytest.fixture
def proxy(database: Database, password_file: Path) -> Iterator[CuttingProxy]:
    """A proxy that cuts nothing yet."""
    with CuttingProxy(database.server.port) as made:
        yield made


@pytest.fixture
def journal(database: Database, proxy: CuttingProxy) -> PostgresJournal:
    """A journal of one entry, reached by the proxy."""
    database.journal(1)
    return PostgresJournal(database.loopback_url(port=proxy.port), JOURNAL_ID, limits=QUICK)


def cut_once(proxy: CuttingProxy, cut: Cut) -> None:
    plan = iter([cut])
    proxy.choose = lambda: next(plan, Cut.NONE)


def test_a_step_whose_answer_was_lost_is_found_and_is_a_success(journal: PostgresJournal, proxy: CuttingProxy) -> None:
    head = journal.entries()[0]
    step = make_chain(3, after=head)
    cut_once(proxy, Cut.ANSWER)
    journal.append(step, expected_head=head.hash)
    assert proxy.cuts == [Cut.ANSWER]
    assert journal.entries() == (head, *step)


def test_a_step_that_never_arrived_is_said_to_be_not_written(journal: PostgresJournal, proxy: CuttingProxy) -> None:
    head = journal.entries()[0]
    step = make_chain(1, after=head)
    cut_once(proxy, Cut.REQUEST)
    with pytest.raises(Conflict) as caught:
        journal.append(step, expected_head=head.hash)
    assert (caught.value.code, caught.value.exit_code) == (Code.WRITE_FAILED, 7)
    assert "it was not written" in caught.value.message
    assert journal.entries() == (head,)
    journal.append(step, expected_head=head.hash)
    assert journal.entries() == (head, *step)


@pytest.mark.parametrize("cut", [Cut.ANSWER, Cut.REQUEST])
def test_where_nobody_can_look_nothing_is_claimed(journal: PostgresJournal, proxy: CuttingProxy, cut: Cut) -> None:
    head = journal.entries()[0]
    step = make_chain(1, after=head)

    def cut_and_be_gone() -> Cut:
        proxy.refuses = True
        return cut

    proxy.choose = cut_and_be_gone
    with pytest.raises(Conflict) as caught:
        journal.append(step, expected_head=head.hash)
    assert (caught.value.code, caught.value.exit_code) == (Code.ACKNOWLEDGEMENT_LOST, 7)
    proxy.refuses = False
    found = journal.find_request(step[0].request_id)
    assert found == (tuple(step) if cut is Cut.ANSWER else ())


def test_a_request_that_is_there_from_before_is_no_proof(journal: PostgresJournal, proxy: CuttingProxy) -> None:
    head = journal.entries()[0]
    mine = make_chain(1, after=head, mark="mine")
    theirs = make_chain(1, after=head, mark="theirs")
    assert mine[0].request_id == theirs[0].request_id

    def lose_and_let_another_win() -> Cut:
        # The other's append waits for the lock, which goes with the cut connection.
        threading.Thread(target=journal.append, args=(theirs,), kwargs={"expected_head": head.hash}).start()
        proxy.choose = lambda: Cut.NONE
        return Cut.REQUEST

    proxy.choose = lose_and_let_another_win
    with pytest.raises(Conflict) as caught:
        journal.append(mine, expected_head=head.hash)
    assert caught.value.code is Code.WRITE_FAILED
    deadline = threading.Event()
    for _ in range(100):
        if journal.head() == (1, theirs[0].hash):
            break
        deadline.wait(0.05)
    assert journal.entries() == (head, *theirs)


def test_a_session_that_the_server_ends_before_the_commit_wrote_nothing(
    database: Database, journal: PostgresJournal
) -> None:
    head = journal.entries()[0]
    with pytest.raises(Conflict) as caught, journal.writing() as cursor:
        database.as_owner(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        cursor.execute("SELECT 1")
    assert caught.value.code is Code.WRITE_FAILED
    assert journal.entries() == (head,)


def test_a_cut_while_reading_is_a_conflict(journal: PostgresJournal, proxy: CuttingProxy) -> None:
    proxy.refuses = True
    with pytest.raises(Conflict) as caught:
        journal.entries()
    assert caught.value.code is Code.DATABASE_UNAVAILABLE
