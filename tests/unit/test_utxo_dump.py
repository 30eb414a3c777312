"""A `dumptxoutset` file read as a stream: every coin, its hash, and every kind of damage by its position."""

import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.coin_compression import compress_script, decompress_amount, decompress_script, varint
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint
from custody.chain import utxo_dump
from custody.chain.utxo_dump import DumpReading, UtxoDump
from custody.chain.utxo_dump_coins import DumpCoins
from custody.codes import Code
from custody.errors import CheckFailed, CustodyError, InvalidInput
from custody.ports import ChainCoin, no_progress
from support.node import Node
from support.signing_vault import SigningVault
from support.utxo_dumps import DumpCoin, base128, dump, header, set_hash, small_amount, small_script, transaction

HEADER_SIZE = 51
BLOCK = "00" * 4 + "5c" * 28
GENERATOR = bytes.fromhex(
    "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"
)
KEYS = [GENERATOR[:33].replace(b"\x04", b"\x02", 1), b"\x03" + bytes(range(32))]
SCRIPTS = [
    b"\x00\x20" + bytes(range(32)),
    b"\xa9\x14" + bytes(range(20)) + b"\x87",
    b"\x76\xa9\x14" + bytes(range(20)) + b"\x88\xac",
    *(b"\x21" + key + b"\xac" for key in KEYS),
    b"\x41" + GENERATOR + b"\xac",
    b"\x41" + GENERATOR[:-1] + b"\x00" + b"\xac",
    b"",
    b"\x51",
    b"\x51" * 121,
    b"\x51" * 122,
    b"\x51" * 253,
    b"\x51" * 10_000,
]


def txid_of(number: int) -> str:
    return number.to_bytes(32, "big")[::-1].hex()


def coin(number: int, vout: int = 0, value: int = 5_000, script: bytes = SCRIPTS[0], height: int = 7) -> DumpCoin:
    return DumpCoin(txid_of(number), vout, value, script, height)


def write(folder: Path, content: bytes) -> UtxoDump:
    path = folder / "utxo.dat"
    path.write_bytes(content)
    return UtxoDump.open(path)


def read(folder: Path, content: bytes, *scripts: bytes) -> DumpReading:
    return write(folder, content).read_hashed(frozenset(scripts), no_progress)


def position_of(folder: Path, content: bytes) -> object:
    with pytest.raises(InvalidInput) as caught:
        read(folder, content)
    assert caught.value.code is Code.UTXO_DUMP_INVALID
    return caught.value.details.get("position")


def fed(content: bytes, count: int, size: int, scripts: Sequence[bytes]) -> DumpCoins:
    """Read coins in blocks of `size` bytes."""
    coins = DumpCoins(scripts, offset=0, hashing=True)
    blocks = [content[start : start + size] for start in range(0, len(content), size)]
    assert list(coins.feed(blocks, count))[-1] == count
    return coins


def as_chain_coin(one: DumpCoin) -> ChainCoin:
    return ChainCoin(OutPoint(one.txid, one.vout), one.value, one.script, one.height, one.coinbase)  # type: ignore[arg-type]


coins_drawn = st.lists(
    st.builds(
        DumpCoin,
        st.integers(1, 40).map(txid_of),
        st.one_of(st.integers(0, 300), st.integers(16_000, 17_000), st.integers(65_500, 111_110)),
        st.one_of(st.integers(0, 10**6), st.integers(0, 10**13), st.sampled_from([10**9, 21 * 10**12, 50 * 10**8])),
        st.one_of(st.sampled_from(SCRIPTS), st.binary(max_size=300)),
        st.integers(0, 2**31 - 1),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda one: (one.txid, one.vout),
)


@given(coins_drawn, st.integers(1, 40_000))
def test_every_coin_is_found_whatever_the_blocks_and_the_hash_is_a_nodes(
    drawn: list[DumpCoin], block_bytes: int
) -> None:
    content = dump(drawn)[HEADER_SIZE:]
    found = fed(content, len(drawn), block_bytes, [one.script for one in drawn])
    assert sorted(found.found, key=lambda one: one.outpoint) == sorted(
        map(as_chain_coin, drawn), key=lambda one: one.outpoint
    )
    assert found.total == sum(one.value for one in drawn)
    assert found.highest >> 1 == max(one.height for one in drawn)
    assert found.txoutset_hash == set_hash(drawn)


@given(coins_drawn, st.data())
def test_only_wanted_scripts_are_found(drawn: list[DumpCoin], data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.sampled_from([one.script for one in drawn])))
    found = fed(dump(drawn)[HEADER_SIZE:], len(drawn), 1 << 20, list(wanted))
    assert {str(one.outpoint) for one in found.found} == {
        f"{one.txid}:{one.vout}" for one in drawn if one.script in wanted
    }


@given(st.integers(0, 21 * 10**14))
def test_an_amount_is_read_back(value: int) -> None:
    assert decompress_amount(small_amount(value)) == value


@given(st.integers(0, 2**40))
def test_a_varint_is_cores(number: int) -> None:
    assert varint(number) == base128(number)


@given(st.one_of(st.sampled_from(SCRIPTS), st.binary(max_size=400)))
def test_a_script_is_compressed_as_core_does_and_read_back(script: bytes) -> None:
    assert compress_script(script) == small_script(script)
    assert decompress_script(compress_script(script)) == script


def test_the_header_names_network_block_and_count(tmp_path: Path) -> None:
    for name in ("main", "testnet4", "signet", "regtest"):
        found = write(tmp_path, dump([coin(1)], network=name, block_hash=BLOCK))
        assert (found.network, found.block_hash, found.coin_count) == (Network(name), BLOCK, 1)


def test_progress_ends_at_the_number_of_coins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utxo_dump, "_BLOCK_BYTES", 30_000)
    seen: list[tuple[int, int]] = []
    opened = write(tmp_path, dump([coin(number) for number in range(1, 2_001)]))
    opened.scan(frozenset(), lambda _what, done, total: seen.append((done, total)))
    assert seen[-1] == (2_000, 2_000)
    assert seen == sorted(seen)
    assert len(seen) > 3


def test_another_hash_than_the_trusted_one_is_refused(tmp_path: Path) -> None:
    coins = [coin(1), coin(2, value=700)]
    reading = read(tmp_path, dump(coins))
    reading.require_hash(set_hash(coins))
    with pytest.raises(CheckFailed) as caught:
        reading.require_hash(set_hash([coin(1), coin(2, value=701)]))
    assert caught.value.code is Code.TXOUTSET_HASH_DIFFERS


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"", "begin"),
        (bytes(60), "begin"),
        (header("regtest", BLOCK, 1, version=1), "version 1"),
        (header("regtest", BLOCK, 1, version=3), "version 3"),
        (header("regtest", BLOCK, 1).replace(bytes.fromhex("fabfb5da"), bytes.fromhex("0b110907")), "0b110907"),
        (header("regtest", BLOCK, 0), "0 coins"),
        (header("regtest", BLOCK, 10**11), "coins"),
        (header("regtest", BLOCK, 1)[:50], "header"),
    ],
)
def test_another_header_is_refused(tmp_path: Path, start: bytes, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        write(tmp_path, start)
    assert caught.value.code is Code.UTXO_DUMP_INVALID


def body_of(*parts: bytes, count: int = 1) -> bytes:
    return header("regtest", BLOCK, count) + b"".join(parts)


FIRST = transaction(txid_of(1), [coin(1)])
RAW_ID = bytes.fromhex(txid_of(1))[::-1]
PLACE = b"\x00" + base128(14)
"""Output 0, at height 7."""
AMOUNT = base128(small_amount(5_000))
P2WSH = small_script(SCRIPTS[0])


@pytest.mark.parametrize(
    ("content", "position"),
    [
        pytest.param(body_of(), HEADER_SIZE, id="no coin"),
        pytest.param(body_of(FIRST, count=2), HEADER_SIZE + len(FIRST), id="fewer coins than announced"),
        pytest.param(body_of(FIRST, b"\0"), HEADER_SIZE + len(FIRST), id="a byte after the end"),
        pytest.param(
            body_of(FIRST, transaction(txid_of(2), [coin(2)])), HEADER_SIZE + len(FIRST), id="more coins than announced"
        ),
        pytest.param(body_of(FIRST[:-1]), HEADER_SIZE, id="cut within a coin"),
        pytest.param(body_of(FIRST[:20]), HEADER_SIZE, id="cut within an id"),
        pytest.param(body_of(FIRST, FIRST, count=2), HEADER_SIZE + len(FIRST), id="a transaction twice"),
        pytest.param(
            body_of(transaction(txid_of(2), [coin(2)]), FIRST, count=2),
            HEADER_SIZE + len(FIRST),
            id="transactions out of order",
        ),
        pytest.param(body_of(RAW_ID, b"\x00", PLACE, AMOUNT, P2WSH), HEADER_SIZE, id="a transaction without coins"),
        pytest.param(body_of(RAW_ID, b"\xfe\x08\xb2\x01\x00", PLACE), HEADER_SIZE, id="too many coins in one"),
        pytest.param(body_of(RAW_ID, b"\xfd\x01\x00", PLACE, AMOUNT, P2WSH), HEADER_SIZE + 32, id="a longer length"),
        pytest.param(body_of(RAW_ID, b"\x02", PLACE, AMOUNT, P2WSH), HEADER_SIZE + len(FIRST), id="a coin missing"),
        pytest.param(
            body_of(transaction(txid_of(1), [coin(1, 1), coin(1, 0)]), count=2),
            HEADER_SIZE + len(FIRST),
            id="outputs out of order",
        ),
        pytest.param(
            body_of(transaction(txid_of(1), [coin(1), coin(1)]), count=2),
            HEADER_SIZE + len(FIRST),
            id="an output twice",
        ),
        pytest.param(body_of(transaction(txid_of(1), [coin(1, 111_111)])), HEADER_SIZE, id="an output that can't be"),
        pytest.param(
            body_of(RAW_ID, b"\x01\x00", base128(2**32), AMOUNT, P2WSH), HEADER_SIZE, id="a height out of range"
        ),
        pytest.param(body_of(RAW_ID, b"\x01\x00", b"\xff" * 5_000), HEADER_SIZE, id="a height without end"),
        pytest.param(
            body_of(transaction(txid_of(1), [coin(1, value=21 * 10**14 + 1)])), HEADER_SIZE, id="too large an amount"
        ),
        pytest.param(body_of(RAW_ID, b"\x01", PLACE, b"\xff" * 5_000), HEADER_SIZE, id="an amount without end"),
        pytest.param(
            body_of(FIRST, transaction(txid_of(2), [coin(2, value=21 * 10**14 - 4_999)]), count=2),
            HEADER_SIZE + len(FIRST),
            id="more than 21 million together",
        ),
        pytest.param(
            body_of(RAW_ID, b"\x01", PLACE, AMOUNT, base128(10_007), b"\x51" * 10_001),
            HEADER_SIZE,
            id="too long a script",
        ),
        pytest.param(body_of(RAW_ID, b"\x01", PLACE, AMOUNT, b"\xff" * 5_000), HEADER_SIZE, id="a script without end"),
        pytest.param(
            body_of(RAW_ID, b"\x01", PLACE, AMOUNT, b"\x04", bytes(31), b"\x05"),
            HEADER_SIZE,
            id="no point of the curve",
        ),
        *(
            pytest.param(
                body_of(RAW_ID, b"\x01", PLACE, AMOUNT, base128(len(script) + 6), script),
                HEADER_SIZE,
                id=f"a script of {len(script)} bytes written whole",
            )
            for script in SCRIPTS[1:6]
        ),
    ],
)
def test_damage_is_refused_with_its_position(tmp_path: Path, content: bytes, position: int) -> None:
    assert position_of(tmp_path, content) == position


def test_the_cases_above_differ_from_a_good_file_in_one_thing(tmp_path: Path) -> None:
    good = body_of(RAW_ID, b"\x01", PLACE, AMOUNT, P2WSH)
    assert good == body_of(FIRST)
    assert read(tmp_path, good, SCRIPTS[0]).coins == (as_chain_coin(coin(1)),)


def test_every_changed_byte_is_refused_or_changes_the_hash(tmp_path: Path) -> None:
    rng = random.Random(7)  # noqa: S311
    coins = [
        coin(number, vout, rng.randrange(10**9), script)
        for number, script in enumerate(SCRIPTS[:9], 1)
        for vout in (0, 3)
    ]
    content = dump(coins)
    trusted = set_hash(coins)
    for place in range(HEADER_SIZE, len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << rng.randrange(8)
        try:
            assert read(tmp_path, bytes(changed)).txoutset_hash != trusted, place
        except CustodyError as error:
            assert error.code is Code.UTXO_DUMP_INVALID


def test_every_cut_is_refused(tmp_path: Path) -> None:
    content = dump([coin(number, script=script) for number, script in enumerate(SCRIPTS[:9], 1)])
    for length in range(len(content)):
        with pytest.raises(InvalidInput) as caught:
            read(tmp_path, content[:length])
        assert caught.value.code is Code.UTXO_DUMP_INVALID


def test_a_file_that_changes_between_two_looks_is_refused(tmp_path: Path) -> None:
    opened = write(tmp_path, dump([coin(1)]))
    opened.path.write_bytes(dump([coin(1), coin(2)]))
    with pytest.raises(InvalidInput, match="changed"):
        opened.scan(frozenset(), no_progress)


@pytest.mark.node
def test_a_real_nodes_file_is_read_in_full(node: Node, tmp_path: Path) -> None:
    vault = SigningVault(first_seed=220)
    for index, amount in enumerate(("0.5", "0.25", "0.125")):
        node.pay(vault.address(index % 2, index), amount)
    node.mine(2)
    path = tmp_path / "utxo.dat"
    written = node.rpc("dumptxoutset", str(path), "latest")
    truth = node.rpc("gettxoutsetinfo", "hash_serialized_3")
    assert isinstance(written, dict)
    assert isinstance(truth, dict)
    opened = UtxoDump.open(path)
    assert (opened.network, opened.block_hash) == (Network.REGTEST, truth["bestblock"])
    assert opened.coin_count == truth["txouts"] == written["coins_written"]
    scripts = frozenset(one.script_pubkey for one in vault.request().scripts)
    reading = opened.read_hashed(scripts, no_progress)
    assert reading.txoutset_hash == truth["hash_serialized_3"] == written["txoutset_hash"]
    assert reading.highest_height == truth["height"]
    assert reading.total == Decimal(str(truth["total_amount"])) * 10**8
    with node.backend() as backend:
        assert set(reading.coins) == set(backend.scan(vault.request(), no_progress).coins)
    assert sorted(one.value for one in reading.coins) == [12_500_000, 25_000_000, 50_000_000]
