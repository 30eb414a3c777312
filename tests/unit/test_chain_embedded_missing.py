"""Without its engine the embedded chain says what is missing; this runs on every Python."""

import sys
from pathlib import Path

import pytest

from custody.bitcoin.network import Network
from custody.chain.open_backend import BackendKind, ChainSettings, open_backend
from custody.codes import Code
from custody.errors import ChainUnavailable


def test_a_missing_engine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pbk", None)
    with pytest.raises(ChainUnavailable) as caught:
        open_backend(ChainSettings(BackendKind.EMBEDDED, data_dir=tmp_path), Network.REGTEST)
    assert caught.value.code is Code.COMPONENT_MISSING
    assert "py-bitcoinkernel" in caught.value.message
