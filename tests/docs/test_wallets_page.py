"""The page on wallet formats lists every format, and says rightly which of them are written."""

import re
from pathlib import Path

from custody.vault.formats.detect import VaultFormat
from custody.vault.formats.registry import WRITERS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats" / "wallets.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| ((?:`[a-z0-9-]+`(?:, )?)+) \|[^|]*\| (yes|no) \|", re.MULTILINE)


def test_every_format_stands_on_the_page_as_written_or_read_only() -> None:
    rows = {name: written for names, written in _ROW.findall(PAGE) for name in re.findall(r"`([a-z0-9-]+)`", names)}
    assert rows == {str(kind): "yes" if kind in WRITERS else "no" for kind in VaultFormat}
