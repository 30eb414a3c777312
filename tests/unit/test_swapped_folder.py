from pathlib import Path

import pytest

from custody.codes import Code
from custody.errors import Conflict, InvalidInput
from custody.workspace.swapped_folder import publish_folder, replace_folder

OLD = {"index.html": b"old", "gone.txt": b"old alone"}
NEW = {"index.html": b"new", "more.txt": b"new alone"}


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _cannot_exchange(_one: Path, _other: Path) -> bool:
    return False


def test_a_new_folder_is_whole_and_readable_by_everybody(tmp_path: Path) -> None:
    publish_folder(tmp_path / "site", NEW, unique="one")
    assert _content(tmp_path / "site") == NEW
    assert (tmp_path / "site").stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "site").iterdir()} == {0o644}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    publish_folder(tmp_path / "site", NEW, unique="one")
    assert _content(tmp_path / "site") == NEW


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.txt").write_text("mine")
    with pytest.raises(Conflict) as caught:
        publish_folder(tmp_path / "site", NEW, unique="one")
    assert caught.value.code is Code.FILE_EXISTS
    assert _content(tmp_path / "site") == {"mine.txt": b"mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize("exchange", [None, _cannot_exchange], ids=["at once", "stepping aside"])
def test_replacing_leaves_nothing_of_the_old_folder(tmp_path: Path, exchange: object) -> None:
    publish_folder(tmp_path / "site", OLD, unique="one")
    replace_folder(tmp_path / "site", NEW, unique="two", exchange=exchange)  # type: ignore[arg-type]
    assert _content(tmp_path / "site") == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_two_folders_change_places_in_one_step(tmp_path: Path) -> None:
    publish_folder(tmp_path / "site", OLD, unique="one")
    before = (tmp_path / "site").stat().st_ino
    seen: list[dict[str, bytes]] = []

    def watched(new: Path, place: Path) -> bool:
        # Until the exchange the old one stands, whole, and the new one is whole beside it.
        seen.extend((_content(place), _content(new)))
        return False

    replace_folder(tmp_path / "site", NEW, unique="two", exchange=watched)
    assert seen == [OLD, NEW]
    assert (tmp_path / "site").stat().st_ino != before


def test_a_failed_exchange_leaves_the_old_folder(tmp_path: Path) -> None:
    publish_folder(tmp_path / "site", OLD, unique="one")

    def fails(_new: Path, place: Path) -> bool:
        raise Conflict(Code.WRITE_FAILED, f"`{place}` can't be replaced", advice="Try again.")

    with pytest.raises(Conflict):
        replace_folder(tmp_path / "site", NEW, unique="two", exchange=fails)
    assert _content(tmp_path / "site") == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_a_link_is_not_replaced(tmp_path: Path) -> None:
    publish_folder(tmp_path / "real", OLD, unique="one")
    (tmp_path / "site").symlink_to(tmp_path / "real")
    with pytest.raises(Conflict):
        replace_folder(tmp_path / "site", NEW, unique="two")
    assert _content(tmp_path / "real") == OLD


def test_the_current_folder_and_one_without_a_parent_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match="current one"):
        publish_folder(Path(), NEW, unique="one")
    with pytest.raises(InvalidInput, match="does not exist"):
        publish_folder(tmp_path / "none" / "site", NEW, unique="one")
