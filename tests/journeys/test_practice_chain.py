"""A practice chain handed to a real node: what an auditor's rehearsal stands on."""

from pathlib import Path

import pytest

from custody.chain.core_rpc import CoreRpcBackend
from custody.ports import no_progress
from custody.workflow.sync_coins import watch_request
from support.node import find_bitcoind, start, stop
from support.rehearsal import Rehearsal

_NEVER_OLD = "-maxtipage=1000000000"


@pytest.mark.node
def test_a_real_node_reads_the_exported_practice_chain(tmp_path: Path, node: object) -> None:
    office = Rehearsal(tmp_path / "office")
    office.fund(2)
    blocks = tmp_path / "blocks.dat"
    answer = office.json(["regtest", "export", "-o", blocks])
    program = find_bitcoind()
    assert program is not None
    (tmp_path / "node").mkdir()
    process, running = start(program, tmp_path / "node", f"-loadblock={blocks}", _NEVER_OLD)
    try:
        backend = running.backend()
        assert isinstance(backend, CoreRpcBackend)
        while backend.tip().height < answer["height"]:
            running.rpc("waitforblockheight", answer["height"], 1_000)
        with office.chain() as chain:
            assert backend.tip() == chain.tip()
            request = watch_request(office.vault, 50, 50)
            ours, theirs = (one.scan(request, no_progress).coins for one in (chain, backend))
        assert set(ours) == set(theirs)
        assert sum(coin.value for coin in theirs) == 100 * 100_000_000
    finally:
        stop(process)


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    office = Rehearsal(tmp_path / "office")
    (tmp_path / "blocks.dat").write_bytes(b"mine")
    error = office.error(["regtest", "export", "-o", tmp_path / "blocks.dat"], exit_code=7)
    assert error["error"] == "FILE_EXISTS"
    assert (tmp_path / "blocks.dat").read_bytes() == b"mine"
