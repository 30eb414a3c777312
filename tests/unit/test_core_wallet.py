"""Bitcoin Core's wallet database: read from its bytes, refused where keys may be in it, never a crash."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.bitcoin.descriptor import ScriptType
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import CustodyError, InvalidInput
from custody.vault.formats.core_wallet import parse
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.formats.registry import ImportTerms, read_vault
from custody.vault.formats.sqlite_table import SqliteFile
from custody.vault.vault import Vault
from support.cli import run
from support.vaults import make_vault

REGTEST = 0xFABFB5DA
WATCH_ONLY = (1 << 32) | (1 << 33) | (1 << 34)
VAULT = make_vault(3, 5)
BIG = make_vault(8, 15)
Record = tuple[bytes, bytes]


def record(kind: str, rest: bytes, value: bytes) -> Record:
    return bytes((len(kind),)) + kind.encode() + rest, value


def text(value: str) -> bytes:
    length = len(value)
    head = bytes((length,)) if length < 0xFD else b"\xfd" + length.to_bytes(2, "little")
    return head + value.encode() + bytes(20)


def of_vault(vault: Vault, *, flags: int = WATCH_ONLY, active: bool = True) -> list[Record]:
    records = [record("flags", b"", flags.to_bytes(8, "little")), record("minversion", b"", b"\x00" * 4)]
    for branch in vault.descriptor.branches:
        name = bytes((branch + 1,)) * 32
        records.append(
            record("walletdescriptor", name, text(vault.descriptor.single_branch_text(branch, vault.network)))
        )
        records.append(record("walletdescriptorcache", name + bytes(4), bytes(74)))
        if active:
            records.append(record("activeinternalspk" if branch else "activeexternalspk", b"\x02", name))
    return records


def database(folder: Path, records: Iterable[Record], *, page: int = 4096, mark: int = REGTEST) -> bytes:
    """Write a database as Core does: its table, its mark, by the real SQLite."""
    path = folder / "wallet.dat"
    path.unlink(missing_ok=True)
    signed = mark - (1 << 32) if mark >= 1 << 31 else mark
    with closing(sqlite3.connect(path)) as wallet:
        wallet.execute(f"PRAGMA page_size = {page}")
        wallet.execute(f"PRAGMA application_id = {signed}")
        wallet.execute("CREATE TABLE main(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)")
        wallet.executemany("INSERT INTO main VALUES (?, ?)", records)
        wallet.commit()
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A sound wallet file."""
    return database(tmp_path_factory.mktemp("wallet"), of_vault(VAULT))


def refusal(data: bytes, network: Network = Network.REGTEST) -> Code:
    with pytest.raises(InvalidInput) as caught:
        parse(data, network)
    return caught.value.code


@pytest.mark.parametrize("page", [512, 1024, 4096, 65_536])
@pytest.mark.parametrize("vault", [VAULT, BIG, make_vault(2, 3, script_type=ScriptType.SH_WSH_SORTEDMULTI)])
def test_a_watch_only_wallet_is_the_vault(tmp_path: Path, page: int, vault: Vault) -> None:
    noise = [record("tx", number.to_bytes(32), bytes(number * 37 % 6_000)) for number in range(400)]
    data = database(tmp_path, [*noise[:200], *of_vault(vault), *noise[200:]], page=page)
    assert detect_format(data) is VaultFormat.CORE_WALLET
    read, findings = read_vault(data, ImportTerms("back", Network.REGTEST))
    assert (read.vault_id, findings) == (vault.vault_id, ())
    # The same rows as the real SQLite reads, whatever the page size: overflow and inner pages too.
    with closing(sqlite3.connect(tmp_path / "wallet.dat")) as wallet:
        theirs = wallet.execute("SELECT key, value FROM main ORDER BY rowid").fetchall()
    assert list(SqliteFile(data).rows("main")) == theirs


def test_what_is_not_active_is_joined_by_its_branches(tmp_path: Path) -> None:
    data = database(tmp_path, of_vault(VAULT, active=False))
    assert read_vault(data, ImportTerms("back", Network.REGTEST))[0].vault_id == VAULT.vault_id


def test_a_flag_that_contradicts_its_branch_is_refused(tmp_path: Path) -> None:
    one = VAULT.descriptor.single_branch_text(1, VAULT.network)
    records = [
        *of_vault(VAULT)[:2],
        record("walletdescriptor", b"\x02" * 32, text(one)),
        record("activeexternalspk", b"\x02", b"\x02" * 32),
    ]
    assert refusal(database(tmp_path, records)) is Code.IMPORT_INCONSISTENT


@pytest.mark.parametrize("kind", ["walletdescriptorkey", "walletdescriptorckey", "mkey", "key", "ckey", "hdchain"])
def test_a90_a_wallet_with_a_private_key_is_refused(tmp_path: Path, kind: str) -> None:
    secret = bytes(range(1, 33))
    path = tmp_path / "wallet.dat"
    database(tmp_path, [*of_vault(VAULT), record(kind, b"\x01" * 32, secret)])
    refused = run(["vault", "import", path, tmp_path / "new", "--name", "new", "--network", "regtest", "--json"])
    assert (refused.exit_code, refused.error["error"]) == (6, "SECRET_MATERIAL")
    assert secret.hex() not in refused.stderr
    assert not (tmp_path / "new").exists()


def test_a90_a_wallet_that_is_not_marked_watch_only_is_refused(tmp_path: Path) -> None:
    assert refusal(database(tmp_path, of_vault(VAULT, flags=1 << 34))) is Code.SECRET_MATERIAL
    assert refusal(database(tmp_path, of_vault(VAULT)[1:])) is Code.SECRET_MATERIAL


def test_the_mark_of_the_network_must_agree(tmp_path: Path) -> None:
    data = database(tmp_path, of_vault(VAULT), mark=0x0A03CF40)
    assert refusal(data) is Code.NETWORK_MISMATCH
    assert refusal(database(tmp_path, of_vault(VAULT)), Network.SIGNET) is Code.NETWORK_MISMATCH
    assert refusal(database(tmp_path, of_vault(VAULT), mark=7)) is Code.NETWORK_MISMATCH


def test_other_databases_are_refused(tmp_path: Path) -> None:
    assert refusal(database(tmp_path, of_vault(VAULT)[:2])) is Code.MALFORMED_DOCUMENT
    assert refusal(database(tmp_path, [(b"", b"x")])) is Code.MALFORMED_DOCUMENT
    data = bytearray(database(tmp_path, of_vault(VAULT)))
    data[18] = data[19] = 2
    assert refusal(bytes(data)) is Code.MALFORMED_DOCUMENT
    assert refusal(b"SQLite format 3\0" + bytes(84)) is Code.MALFORMED_DOCUMENT
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE notes(text TEXT)")
        other.commit()
    assert refusal((tmp_path / "other.db").read_bytes()) is Code.MALFORMED_DOCUMENT


@settings(deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_is_still_a_wallet(whole: bytes, data: st.DataObject) -> None:
    bent = bytearray(whole)
    for _change in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, len(bent) - 1), st.integers(4096, 4196)))
        bent[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.just(len(bent)), st.integers(0, len(bent))))
    try:
        descriptor, _findings = parse(bytes(bent[:cut]), Network.REGTEST)
    except CustodyError as error:
        assert error.exit_code == 6
    else:
        # A descriptor's own checksum stands between a flipped bit and another vault.
        assert (descriptor.keys, descriptor.threshold) == (VAULT.descriptor.keys, VAULT.threshold)


def test_rows_and_columns_without_end_are_refused_early(tmp_path: Path) -> None:
    path = tmp_path / "wide.dat"
    with closing(sqlite3.connect(path)) as wide:
        wide.execute(f"CREATE TABLE main({', '.join(f'c{number}' for number in range(150))})")
        wide.execute(f"INSERT INTO main VALUES ({', '.join(['NULL'] * 150)})")
        wide.commit()
    with pytest.raises(InvalidInput, match="more than 100 columns"):
        list(SqliteFile(path.read_bytes()).rows("main"))
    with pytest.raises(InvalidInput, match="more than 500000 rows"):
        list(SqliteFile(_one_cell_again_and_again(leaves=20, cells=32_000)).rows("main"))


def _one_cell_again_and_again(*, leaves: int, cells: int) -> bytes:
    """A table whose leaves have one row of two zero-length columns each, and say so `cells` times."""
    page, cell = 65_536, b"\x02\x01\x02\x00"
    leaf = b"\x0d\0\0" + cells.to_bytes(2) + bytes(3) + (page - len(cell)).to_bytes(2) * cells
    leaf = leaf.ljust(page - len(cell), b"\0") + cell
    places = b"".join((page - 4 * number).to_bytes(2) for number in range(1, leaves))
    root = b"SQLite format 3\0\0\x01\x01\x01".ljust(100, b"\0") + b"\x05\0\0" + (leaves - 1).to_bytes(2) + bytes(3)
    root += (leaves + 1).to_bytes(4) + places
    children = b"".join(number.to_bytes(4) for number in range(leaves, 1, -1))
    return root.ljust(page - len(children), b"\0") + children + leaf * leaves
