import stat

import pytest

from custody.codes import Code
from custody.errors import InvalidInput
from custody.workspace.layout import Workspace, find_workspace


def _vault(folder):
    folder.mkdir(parents=True)
    (folder / "vault.yaml").write_text("x")
    return folder


def test_finds_the_nearest_parent_with_a_vault(tmp_path):
    outer = _vault(tmp_path / "outer")
    inner = _vault(outer / "inner")
    deep = inner / "outbox" / "deep"
    deep.mkdir(parents=True)
    assert find_workspace(None, None, deep) == Workspace(inner)
    assert find_workspace(None, None, inner) == Workspace(inner)
    assert find_workspace(None, "", outer) == Workspace(outer)


def test_the_option_goes_before_the_environment_and_both_before_the_search(tmp_path):
    one, two, three = (_vault(tmp_path / name) for name in ("one", "two", "three"))
    assert find_workspace(one, str(two), three) == Workspace(one)
    assert find_workspace(None, str(two), three) == Workspace(two)


def test_a_named_folder_is_never_searched_from(tmp_path):
    outer = _vault(tmp_path / "outer")
    (outer / "empty").mkdir()
    for explicit, environment in ((outer / "empty", None), (None, str(outer / "empty")), (outer / "missing", None)):
        with pytest.raises(InvalidInput) as caught:
            find_workspace(explicit, environment, outer)
        assert (caught.value.code, caught.value.exit_code) == (Code.VAULT_NOT_FOUND, 6)


def test_says_when_there_is_no_vault(tmp_path):
    with pytest.raises(InvalidInput) as caught:
        find_workspace(None, None, tmp_path)
    assert caught.value.code is Code.VAULT_NOT_FOUND


def test_a_linked_vault_file_does_not_send_the_search_on(tmp_path):
    outer = _vault(tmp_path / "outer")
    (outer / "inner").mkdir()
    (outer / "inner" / "vault.yaml").symlink_to("nowhere")
    assert find_workspace(None, None, outer / "inner") == Workspace(outer / "inner")


def test_the_names_in_a_workspace(tmp_path):
    workspace = Workspace(tmp_path / "w")
    workspace.make_folders()
    workspace.make_folders()
    assert sorted(path.name for path in workspace.folder.iterdir()) == ["chain", "inbox", "outbox"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in workspace.folder.iterdir()} == {0o700}
    names = (workspace.vault_yaml, workspace.custody_yaml, workspace.journal_db, workspace.lock_file)
    assert [path.name for path in names] == ["vault.yaml", "custody.yaml", "journal.db", ".lock"]
