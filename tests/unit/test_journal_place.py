"""One place for a journal: the file, or the database that custody.yaml names; only who asks pays for it."""

import subprocess
import sys
from pathlib import Path

import pytest

from custody.codes import Code
from custody.errors import Altered, Conflict, InvalidInput
from custody.workspace.journal_store import open_journal
from custody.workspace.journal_url import JournalUrl
from custody.workspace.layout import Workspace
from custody.workspace.settings import JournalSettings, Settings, save_settings
from custody.workspace.sqlite_store import SqliteJournal
from support.journals import JOURNAL_ID, make_journal

DATABASE = JournalSettings(JournalUrl.parse("postgresql://127.0.0.1:9/reserve"), JOURNAL_ID)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty folder."""
    return Workspace(tmp_path)


def test_without_settings_it_is_the_file(workspace: Workspace) -> None:
    made = make_journal(workspace.folder, 2)
    opened = open_journal(workspace)
    assert isinstance(opened, SqliteJournal)
    assert opened.entries() == made.entries()


def test_neither_file_nor_database_is_an_alteration(workspace: Workspace) -> None:
    with pytest.raises(Altered) as caught:
        open_journal(workspace)
    assert (caught.value.code, caught.value.exit_code) == (Code.JOURNAL_MISSING, 10)


def test_a_database_is_connected_only_when_it_is_asked(workspace: Workspace) -> None:
    save_settings(workspace.custody_yaml, Settings(journal=DATABASE))
    opened = open_journal(workspace)
    with pytest.raises(Conflict) as caught:
        opened.head()
    assert caught.value.code is Code.DATABASE_UNAVAILABLE


@pytest.mark.parametrize("what", ["journal", "link", "folder"])
def test_both_are_refused_before_either_is_read(workspace: Workspace, what: str) -> None:
    save_settings(workspace.custody_yaml, Settings(journal=DATABASE))
    if what == "journal":
        make_journal(workspace.folder, 1)
    elif what == "link":
        workspace.journal_db.symlink_to("nowhere")
    else:
        workspace.journal_db.mkdir()
    with pytest.raises(Conflict) as caught:
        open_journal(workspace)
    assert (caught.value.code, caught.value.exit_code) == (Code.JOURNAL_RELOCATED, 7)
    assert "journal move postgresql://127.0.0.1:9/reserve" in caught.value.advice


def test_unreadable_settings_open_no_journal(workspace: Workspace) -> None:
    make_journal(workspace.folder, 1)
    workspace.custody_yaml.write_text("format: custody-settings/1\njournl:\n  url: postgresql:///reserve\n")
    with pytest.raises(InvalidInput) as caught:
        open_journal(workspace)
    assert caught.value.code is Code.UNKNOWN_FIELD


def run_python(program: str, *arguments: str | Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_file_never_loads_the_databases_library(workspace: Workspace) -> None:
    make_journal(workspace.folder, 1)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "import custody_cli.journal_commands, custody.workflow.move_journal, custody.workflow.office\n"
        "from custody.workspace.journal_store import open_journal\nfrom custody.workspace.layout import Workspace\n"
        "open_journal(Workspace(Path(sys.argv[1]))).entries()\n"
        "print('psycopg' in sys.modules)"
    )
    assert run_python(program, workspace.folder) == "False"


def test_a_missing_library_is_said_where_it_is_needed(workspace: Workspace) -> None:
    save_settings(workspace.custody_yaml, Settings(journal=DATABASE))
    program = (
        "import sys\nfrom pathlib import Path\nsys.modules['psycopg'] = None\n"
        "from custody.errors import Conflict\n"
        "from custody.workspace.journal_store import open_journal\nfrom custody.workspace.layout import Workspace\n"
        "try:\n    open_journal(Workspace(Path(sys.argv[1])))\n"
        "except Conflict as error:\n    print(error.code, error.exit_code)"
    )
    assert run_python(program, workspace.folder) == "COMPONENT_MISSING 7"
