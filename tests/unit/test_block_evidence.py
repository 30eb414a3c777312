"""Merkle branches, block headers and their work: what proves something passes, every forgery doesn't."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from custody.bitcoin.amount import Sats
from custody.bitcoin.block import Block, BlockHeader, coinbase_transaction, merkle_root, mine_block
from custody.bitcoin.block_evidence import ChainEvidence, HeaderChain, Placed, ProvenBlock
from custody.bitcoin.hashing import sha256d
from custody.bitcoin.merkle import MAX_LEAVES, MerkleBranch, branch_of, depth_of
from custody.bitcoin.network import Network
from custody.bitcoin.proof_of_work import is_proof, require_linked, require_work, work_of
from custody.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from custody.chain.evidence import take_evidence
from custody.codes import Code
from custody.errors import InvalidInput
from custody.ports import no_progress
from support.node import Node
from support.signing_vault import SigningVault

SCRIPT = b"\x00\x20" + bytes(32)
REAL = BlockHeader(
    1073733636,
    bytes.fromhex("0000000000000000000aa3ce000eb559f4143be419108134e0ce71042fc636eb")[::-1],
    bytes.fromhex("1f8d213c864bfe9fb0098cecc3165cce407de88413741b0300d56ea0f4ec9c65")[::-1],
    1631333672,
    386877668,
    2881644503,
)
"""Block 700,000 of main."""
FIRST = BlockHeader(
    1,
    bytes(32),
    bytes.fromhex("3ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a"),
    1231006505,
    0x1D00FFFF,
    2083236893,
)
"""The first block of main."""


def payment(number: int) -> Transaction:
    return Transaction(2, (TxInput(OutPoint(f"{number:064x}", 0)),), (TxOutput(Sats(1_000 + number), SCRIPT),), number)


def mined(height: int, count: int, previous: str = "00" * 32) -> Block:
    """Return a regtest block of a coinbase and `count` payments."""
    payments = [payment(100 * height + number) for number in range(count)]
    coinbase = coinbase_transaction(height, Sats(50), SCRIPT, payments)
    return mine_block(previous, 1_700_000_000 + height, [coinbase, *payments])


def proven(block: Block, height: int, *places: int) -> ProvenBlock:
    hashes = [sha256d(one.serialize_without_witness()) for one in block.transactions]
    branches = {block.transactions[place].txid: branch_of(hashes, place) for place in places}
    return ProvenBlock(height, block.header, block.transactions[0], branch_of(hashes, 0), branches)


def placed(block: Block, height: int, *places: int) -> tuple[Placed, ...]:
    return tuple(Placed(block.transactions[place], height, block.header.block_hash) for place in places)


def refused(words: str) -> "pytest.RaisesExc[InvalidInput]":
    return pytest.raises(InvalidInput, match=words, check=lambda error: error.code is Code.EVIDENCE_INVALID)


def require(evidence: ChainEvidence, claims: tuple[Placed, ...], block: Block, height: int) -> None:
    evidence.require(Network.REGTEST, claims, (height, block.header.block_hash))


@given(st.integers(1, 70), st.data())
def test_every_place_of_every_tree_leads_to_its_root(count: int, data: st.DataObject) -> None:
    payments = [payment(number) for number in range(count)]
    hashes = [sha256d(one.serialize_without_witness()) for one in payments]
    place = data.draw(st.integers(0, count - 1))
    branch = branch_of(hashes, place)
    assert len(branch.siblings) == depth_of(count)
    assert branch.root_from(payments[place]) == merkle_root(hashes)


@given(st.integers(2, 40), st.data())
def test_no_branch_leads_another_transaction_or_place_to_the_root(count: int, data: st.DataObject) -> None:
    payments = [payment(number) for number in range(count)]
    hashes = [sha256d(one.serialize_without_witness()) for one in payments]
    place, other = data.draw(st.permutations(range(count)))[:2]
    branch = branch_of(hashes, place)
    for forged, transaction in (
        (branch, payments[other]),
        (MerkleBranch(other, count, branch.siblings), payments[place]),
        (MerkleBranch(place, count, tuple(bytes([one[0] ^ 1]) + one[1:] for one in branch.siblings)), payments[place]),
    ):
        try:
            assert forged.root_from(transaction) != merkle_root(hashes)
        except InvalidInput as error:
            assert error.code is Code.EVIDENCE_INVALID


def test_a_published_tree_of_four() -> None:
    # Block 100,000 of main.
    ids = [
        "8c14f0db3df150123e6f3dbbf30f8b955a8249b62ac1d1ff16284aefa3d06d87",
        "fff2525b8931402dd09222c50775608f75787bd2b87e56995a7bdd30f79702c4",
        "6359f0868171b1d194cbee1af2f16ea598ae8fad666d9b012c8ed2b79a236ec4",
        "e9a66845e05d5abc0ad04ec80f774a7e585c6e8db975962d069a522137b80c1d",
    ]
    root = "f3e94742aca4b5ef85488dc37c06c3282295ffec960994b2c0d5ac2a25a95766"
    hashes = [bytes.fromhex(one)[::-1] for one in ids]
    branch = branch_of(hashes, 2)
    assert branch.siblings[0][::-1].hex() == ids[3]
    assert sha256d(branch.siblings[1] + sha256d(hashes[2] + hashes[3]))[::-1].hex() == root


def test_cve_2012_2459_a_second_place_for_the_last_transaction_is_refused() -> None:
    # Five leaves: the fifth is paired with itself, so six leaves with it twice have the same root.
    payments = [payment(number) for number in range(5)]
    hashes = [sha256d(one.serialize_without_witness()) for one in payments]
    assert merkle_root([*hashes, hashes[4]]) == merkle_root(hashes)
    twice = branch_of([*hashes, hashes[4]], 5)
    with refused("pairs a node with itself"):
        twice.root_from(payments[4])
    with refused("pairs a node with itself"):
        MerkleBranch(4, 6, branch_of(hashes, 4).siblings).root_from(payments[4])


def test_a_transaction_of_64_bytes_is_refused() -> None:
    small = Transaction(2, (TxInput(OutPoint("11" * 32, 0)),), (TxOutput(Sats(1), b"\x51" * 4),), 0)
    assert len(small.serialize_without_witness()) == 64
    with refused("64 bytes"):
        branch_of([sha256d(small.serialize_without_witness()), bytes(32)], 0).root_from(small)


def test_a_node_of_the_tree_can_t_pass_for_a_leaf_below_the_true_ones() -> None:
    # A true block of two whose second transaction is 64 bytes: its halves are hashes of transactions that never were.
    never = payment(9)
    half = sha256d(never.serialize_without_witness())
    coinbase = coinbase_transaction(7, Sats(50), SCRIPT, [])
    leaf = half + bytes(32)
    root = merkle_root([sha256d(coinbase.serialize_without_witness()), sha256d(leaf)])
    header = replace(mine_block("00" * 32, 1, [coinbase]).header, merkle_root=root)
    while not header.meets_target:
        header = replace(header, nonce=header.nonce + 1)
    deeper = MerkleBranch(2, 4, (bytes(32), sha256d(coinbase.serialize_without_witness())))
    assert deeper.root_from(never) == root
    own = branch_of([sha256d(coinbase.serialize_without_witness()), sha256d(leaf)], 0)
    block = ProvenBlock(7, header, coinbase, own, {never.txid: deeper})
    with refused("unlike size"):
        block.require(Network.REGTEST, {never.txid: never})


@pytest.mark.parametrize(
    ("position", "leaves", "siblings"),
    [(-1, 2, 1), (2, 2, 1), (0, 0, 0), (0, 2, 0), (0, 2, 2), (0, MAX_LEAVES + 1, 15)],
)
def test_a_branch_that_can_t_be_is_refused(position: int, leaves: int, siblings: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        MerkleBranch(position, leaves, (bytes(32),) * siblings)
    assert caught.value.code is Code.EVIDENCE_INVALID


def test_evidence_for_some_transactions_of_two_linked_blocks() -> None:
    first = mined(5, 6)
    second = mined(6, 0, first.header.block_hash)
    evidence = ChainEvidence(
        (proven(first, 5, 1, 6), proven(second, 6, 0)), HeaderChain(5, (first.header, second.header))
    )
    require(evidence, placed(first, 5, 1, 6) + placed(second, 6, 0), second, 6)
    shown = evidence.summary(Network.REGTEST)
    assert (shown.blocks, shown.transactions, shown.headers, shown.is_proof) == (2, 3, 2, False)
    assert (shown.least_work, shown.total_work) == (2, 4)


def test_each_forgery_is_refused() -> None:
    first = mined(5, 6)
    second = mined(6, 3, first.header.block_hash)
    good, after = proven(first, 5, 1, 4), proven(second, 6, 1)
    claims, tip = placed(first, 5, 1, 4), second
    txid, other = first.transactions[1].txid, first.transactions[4].txid

    def check(block: ProvenBlock, words: str, *, claimed: tuple[Placed, ...] = claims) -> None:
        with refused(words):
            require(ChainEvidence((block,), None), claimed, tip, 6)

    require(ChainEvidence((good,), None), claims, tip, 6)
    check(replace(good, branches={txid: good.branches[other], other: good.branches[txid]}), "is not at place")
    check(replace(good, branches={txid: good.branches[txid]}), "nothing proves")
    check(good, "isn't there", claimed=claims[:1])
    check(replace(good, header=replace(first.header, merkle_root=bytes(32))), "work|is not at place")
    check(replace(good, coinbase=first.transactions[1]), "no coinbase")
    check(replace(good, coinbase_branch=good.branches[txid]), "no coinbase")
    check(replace(good, coinbase=second.transactions[0]), "is not at place 0")
    check(replace(good, header=second.header), "is not at place 0")
    check(after, "nothing proves|isn't there")
    moved = tuple(replace(one, height=6) for one in claims)
    check(replace(good, height=6), "names another height", claimed=moved)
    elsewhere = tuple(replace(one, block_hash="ab" * 32) for one in claims)
    check(good, "not of the block", claimed=elsewhere)
    with refused("not in their order"):
        require(ChainEvidence((after, good), None), claims + placed(second, 6, 1), tip, 6)
    with refused("not in their order"):
        require(ChainEvidence((good, good), None), claims, tip, 6)


def test_headers_that_don_t_hang_together_are_refused() -> None:
    first = mined(5, 1)
    second = mined(6, 0, first.header.block_hash)
    third = mined(7, 1, second.header.block_hash)
    stranger = mined(6, 2, "cd" * 32)
    good = proven(first, 5, 1)
    claims = placed(first, 5, 1)

    def check(chain: HeaderChain, words: str, *, blocks: tuple[ProvenBlock, ...] = (good,)) -> None:
        with refused(words):
            require(ChainEvidence(blocks, chain), claims, third, 7)

    whole = HeaderChain(5, (first.header, second.header, third.header))
    require(ChainEvidence((good,), whole), claims, third, 7)
    check(HeaderChain(5, whole.headers[:2]), "end at the tip")
    check(HeaderChain(5, ()), "end at the tip")
    check(HeaderChain(6, whole.headers), "end at the tip")
    check(HeaderChain(5, (first.header, stranger.header, third.header)), "doesn't follow")
    check(HeaderChain(6, whole.headers[1:]), "not in the chain of headers")
    easy = replace(second.header, nonce=second.header.nonce)
    while easy.meets_target:
        easy = replace(easy, nonce=easy.nonce + 1)
    check(HeaderChain(5, (first.header, easy, third.header)), "the work that it claims")
    with refused("doesn't follow"):
        require(ChainEvidence((good, proven(stranger, 6, 1)), None), claims + placed(stranger, 6, 1), third, 7)


def test_work_is_what_the_target_costs() -> None:
    assert work_of(0x1D00FFFF) == 0x100010001
    assert work_of(0x207FFFFF) == 2
    assert 7.5 * 10**22 < work_of(REAL.bits) < 8 * 10**22
    assert [network for network in Network if is_proof(network)] == [Network.MAIN]


def test_a_real_block_of_main_has_the_work() -> None:
    assert REAL.block_hash == "0000000000000000000590fc0f3eba193a278534220b2b37e9849e1a770ca959"
    require_work(REAL, 700_000, Network.MAIN)
    require_work(REAL, 799_999, Network.MAIN)


def test_a_true_but_cheap_header_is_refused_on_main() -> None:
    require_work(FIRST, 700_000, Network.TESTNET4)
    for height in (0, 700_000):
        with refused("shows a difficulty of 1,"):
            require_work(FIRST, height, Network.MAIN)
    with refused("shows a difficulty of 18415156832118, less than the 40000000000000"):
        require_work(REAL, 800_000, Network.MAIN)


@pytest.mark.parametrize("network", [Network.MAIN, Network.TESTNET4, Network.SIGNET])
def test_a_target_easier_than_the_network_s_is_refused(network: Network) -> None:
    with refused("doesn't allow"):
        require_work(mined(1, 0).header, 1, network)


@pytest.mark.parametrize("bits", [0, 0x00800000, 0x1D800001, 0x2100FFFF, 0xFF00FFFF])
def test_a_target_that_is_none_is_refused(bits: int) -> None:
    with refused("doesn't allow"):
        require_work(replace(FIRST, bits=bits), 1, Network.REGTEST)


def test_on_main_the_target_moves_only_at_its_turn_and_not_too_far() -> None:
    before = replace(REAL, bits=0x170F48E4)
    follows = replace(REAL, previous=bytes.fromhex(before.block_hash)[::-1])
    require_linked(before, follows, 700_001, Network.MAIN)
    with refused("the target changes at height 700001"):
        require_linked(before, replace(follows, bits=0x170F48E3), 700_001, Network.MAIN)
    require_linked(before, replace(follows, bits=0x173D2390), 2_016 * 348, Network.MAIN)
    with refused("the target changes"):
        require_linked(before, replace(follows, bits=0x173D2391), 2_016 * 348, Network.MAIN)
    require_linked(before, replace(follows, bits=0x1E0377AE), 700_001, Network.SIGNET)


@pytest.mark.node
def test_a_real_node_s_blocks_give_evidence_that_holds(node: Node) -> None:
    vault = SigningVault(first_seed=226)
    for index in range(6):
        node.pay(vault.address(index % 2, index), "0.01")
    node.mine(3)
    with node.backend() as backend:
        seen = backend.watch(vault.request(), no_progress)
        evidence = take_evidence(backend, seen.transactions, seen.tip, up_to_tip=True, progress=no_progress)
        claims = tuple(Placed(one.transaction, one.height or 0, one.block_hash or "") for one in seen.transactions)
        tip = (seen.tip.height, seen.tip.block_hash)
        evidence.require(Network.REGTEST, claims, tip)
        shown = evidence.summary(Network.REGTEST)
        assert (shown.blocks, shown.transactions, shown.headers) == (1, 6, 3)
        proof = node.rpc("gettxoutproof", [claims[0].transaction.txid])
        assert str(proof).startswith(evidence.blocks[0].header.serialize().hex())
        with pytest.raises(InvalidInput) as caught:
            evidence.require(Network.REGTEST, (*claims[1:], replace(claims[0], block_hash=tip[1])), tip)
    assert caught.value.code is Code.EVIDENCE_INVALID
