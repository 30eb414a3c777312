"""Addresses rebuilt as a stream: order, digest, a difference between the engines, helpers that die, flat memory."""

import hashlib
import io
import multiprocessing
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.audit.reconstruct import CHUNK, AddressRange, Engines, RunningDigest, Span, TwoAnswers, agreed, branches_of
from custody.bitcoin.descriptor import Branch, ScriptType
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CheckFailed, InvalidInput
from custody.ports import no_progress
from custody.vault.formats.registry import ImportTerms, read_vault
from custody.vault.vault import Vault
from custody.workflow import rebuild_addresses as work
from custody.workflow.rebuild_addresses import WORTH_HELPERS, rebuild_addresses
from custody_cli.long_work import LongWork, progress_text
from support.psbt_builder import TestVault
from support.vaults import rechecksummed

BOTH = (Branch.RECEIVE, Branch.CHANGE)


def vault_of(text: str, *, receive_only: bool = False) -> Vault:
    return read_vault(text.encode(), ImportTerms("audited", Network.REGTEST, receive_only=receive_only))[0]


@pytest.fixture(scope="module")
def vault() -> Vault:
    return vault_of(TestVault(threshold=1, key_count=2).descriptor_text)


def rebuilt(vault: Vault, wanted: AddressRange, *, processes: int = 1) -> tuple[list[str], str]:
    digest = RunningDigest()
    lines: list[str] = []
    for piece in rebuild_addresses(vault, wanted, no_progress, processes=processes):
        digest.add(piece)
        lines += [one.to_line() for one in piece]
    return lines, digest.sha256


@given(st.integers(0, 3_000), st.integers(1, 3_000), st.sampled_from([BOTH, (Branch.CHANGE,)]))
def test_the_pieces_are_the_whole_range_in_order(start: int, count: int, branches: tuple[Branch, ...]) -> None:
    wanted = AddressRange(branches, start, count)
    spans = list(wanted.spans())
    assert all(1 <= span.count <= CHUNK for span in spans)
    places = [(span.branch, index) for span in spans for index in span.indexes]
    assert places == [(branch, index) for branch in branches for index in range(start, start + count)]
    assert wanted.total == len(places)


def test_every_address_is_the_vaults_and_the_digest_is_of_the_lines(vault: Vault) -> None:
    lines, digest = rebuilt(vault, AddressRange(BOTH, 498, 5))
    places = [(branch, index) for branch in BOTH for index in range(498, 503)]
    scripts = [vault.deriver.at(branch, index).script_pubkey.hex() for branch, index in places]
    assert lines == [
        f"{branch.label},{index},{vault.address_at(branch, index)},{script}\n"
        for (branch, index), script in zip(places, scripts, strict=True)
    ]
    assert digest == hashlib.sha256("".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("script_type", list(ScriptType))
@pytest.mark.parametrize("network", list(Network))
def test_both_engines_reach_the_last_index(script_type: ScriptType, network: Network) -> None:
    descriptor = TestVault(threshold=1, key_count=2, script_type=script_type, network=network).descriptor
    answers = Engines(descriptor, network).derive(Span(Branch.CHANGE, 2**31 - 3, 3))
    assert len(set(answers.first)) == 3
    assert answers.first == answers.second


def test_indexes_beyond_the_last_are_refused() -> None:
    AddressRange(BOTH, 2**31 - 1, 1)
    with pytest.raises(InvalidInput) as caught:
        AddressRange(BOTH, 2**31 - 1, 2)
    assert caught.value.code is Code.INDEX_OUT_OF_RANGE


def test_both_means_what_the_descriptor_has() -> None:
    text = TestVault().descriptor_text.replace("<0;1>", "0")
    narrow = vault_of(rechecksummed(text), receive_only=True)
    assert branches_of(narrow.descriptor, "both") == (Branch.RECEIVE,)
    with pytest.raises(InvalidInput) as caught:
        branches_of(narrow.descriptor, "change")
    assert caught.value.code is Code.INDEX_OUT_OF_RANGE


@pytest.mark.parametrize("place", [0, 2])
def test_a_difference_is_refused_at_its_index_after_what_agreed(vault: Vault, place: int) -> None:
    span = Span(Branch.CHANGE, 7, 3)
    answers = Engines(vault.descriptor, vault.network).derive(span)
    other = [*answers.second]
    other[place] = vault.address_at(Branch.RECEIVE, 7)
    seen = agreed(span, TwoAnswers(answers.first, tuple(other)), vault.network)
    assert [next(seen).index for _ in range(place)] == list(range(7, 7 + place))
    with pytest.raises(CheckFailed) as caught:
        next(seen)
    assert caught.value.code is Code.ENGINES_DISAGREE
    assert caught.value.details == {"branch": "change", "index": 7 + place}


def test_an_engine_that_gives_fewer_is_refused(vault: Vault) -> None:
    span = Span(Branch.RECEIVE, 0, 3)
    answers = Engines(vault.descriptor, vault.network).derive(span)
    with pytest.raises(CheckFailed) as caught:
        list(agreed(span, TwoAnswers(answers.first, answers.second[:2]), vault.network))
    assert caught.value.code is Code.ENGINES_DISAGREE


def test_helpers_change_nothing_even_where_one_is_killed(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "WORTH_HELPERS", 2 * CHUNK)
    wanted = AddressRange(BOTH, 0, 3 * CHUNK)
    alone = rebuilt(vault, wanted)
    assert rebuilt(vault, wanted, processes=2) == alone

    def with_a_death() -> Iterator[str]:
        for piece in rebuild_addresses(vault, wanted, no_progress, processes=2):
            for child in multiprocessing.active_children()[:1]:
                child.kill()
                child.join()
            yield from (one.to_line() for one in piece)

    assert list(with_a_death()) == alone[0]
    assert multiprocessing.active_children() == []


def test_helpers_end_when_the_reader_leaves_early(vault: Vault) -> None:
    pieces = rebuild_addresses(vault, AddressRange(BOTH, 0, WORTH_HELPERS), no_progress, processes=2)
    next(pieces)
    assert len(multiprocessing.active_children()) == 2
    pieces.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


def test_memory_stays_flat_over_20_000_addresses(vault: Vault) -> None:
    digest = RunningDigest()
    wanted = AddressRange(BOTH, 0, 10_000)
    tracemalloc.start()
    try:
        early = 0
        for piece in rebuild_addresses(vault, wanted, no_progress, processes=2):
            digest.add(piece)
            del piece
            if digest.count == 4 * CHUNK:
                early = tracemalloc.get_traced_memory()[0]
        late, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert digest.count == 20_000
    assert late - early < 100_000
    assert peak < 5_000_000


def test_progress_tells_every_piece(vault: Vault) -> None:
    seen: list[tuple[int, int]] = []
    wanted = AddressRange(BOTH, 0, CHUNK + 1)
    list(rebuild_addresses(vault, wanted, lambda _what, done, total: seen.append((done, total)), processes=1))
    assert seen == [(done, 2 * CHUNK + 2) for done in (CHUNK, CHUNK + 1, 2 * CHUNK + 1, 2 * CHUNK + 2)]


def test_a_person_sees_how_much_how_fast_and_how_long_still() -> None:
    assert progress_text("deriving", 12_000, 200_000, 4.0) == (
        "deriving: 12,000 of 200,000 (6 %), 3,000 a second, about 63 s left"
    )
    assert progress_text("deriving", 6_000, 2_000_000, 2.0).endswith("3,000 a second, about 11 min left")
    assert progress_text("reading", 5, 0, 0.0) == "reading: 5"


def test_the_line_comes_after_a_second_and_goes_at_the_end() -> None:
    stream, times = io.StringIO(), iter((0.0, 0.9, 1.1, 1.2, 1.7, 2.0))
    shown = LongWork(stream, lambda: next(times))
    lengths = []
    for done in (1, 2, 3, 4, 5, 6):
        shown("deriving", done, 6)
        lengths.append(len(stream.getvalue()))
    assert lengths[0] == lengths[1] == 0
    assert lengths[2] == lengths[3] > 0
    assert stream.getvalue().endswith("\r\x1b[K")
    assert stream.getvalue().count("of 6") == 2
