"""A second office on the first one's journal: a folder of its own, a copy of the vault file, the database's name."""

from pathlib import Path

from custody.workspace.layout import Workspace
from custody.workspace.settings import Settings, load_settings, save_settings
from support.rehearsal import Rehearsal


class SecondOffice(Rehearsal):
    """An office that joined; it has no journal of its own and never had one."""

    def __init__(self, first: Rehearsal, folder: Path) -> None:
        self.folder = folder
        self.vault = first.vault
        folder.mkdir()
        (folder / "vault.yaml").write_bytes((first.folder / "vault.yaml").read_bytes())
        settings = load_settings(Workspace(first.folder).custody_yaml)
        save_settings(Workspace(folder).custody_yaml, Settings(officer="bo", journal=settings.journal))
