"""Evidence in a snapshot file: to the document and back, each field checked for its form.

Whether it proves anything is judged by `custody.bitcoin.block_evidence`.
"""

from collections.abc import Mapping

from custody.bitcoin.block import HEADER_SIZE, BlockHeader
from custody.bitcoin.block_evidence import ChainEvidence, HeaderChain, ProvenBlock
from custody.bitcoin.merkle import MerkleBranch
from custody.bitcoin.transaction import Transaction
from custody.chain.snapshot_values import hash_of, hex_of, integer_of, invalid_snapshot, list_of, object_of
from custody.errors import InvalidInput, JsonValue


def evidence_document(evidence: ChainEvidence) -> dict[str, JsonValue]:
    """Return the document's `evidence`."""
    chain = evidence.chain
    return {
        "blocks": [_block_entry(block) for block in evidence.blocks],
        "headers": None
        if chain is None
        else {"start": chain.start, "headers": b"".join(one.serialize() for one in chain.headers).hex()},
    }


def _block_entry(block: ProvenBlock) -> dict[str, JsonValue]:
    proofs: list[JsonValue] = [
        {"txid": txid, "position": branch.position, "branch": _hashes(branch)}
        for txid, branch in sorted(block.branches.items())
    ]
    return {
        "height": block.height,
        "header": block.header.serialize().hex(),
        "transactions": block.coinbase_branch.leaves,
        "coinbase": block.coinbase.serialize_without_witness().hex(),
        "coinbase_branch": _hashes(block.coinbase_branch),
        "proofs": proofs,
    }


def _hashes(branch: MerkleBranch) -> list[JsonValue]:
    return [one[::-1].hex() for one in branch.siblings]


def read_evidence(value: JsonValue) -> ChainEvidence:
    """Read the document's `evidence`.

    Raises:
        InvalidInput: SNAPSHOT_INVALID for another form; EVIDENCE_INVALID for a branch that can't be one.
    """
    entry = object_of(value, "evidence")
    blocks = tuple(_read_block(object_of(one, "evidence")) for one in list_of(entry["blocks"], "evidence"))
    chain = None if entry["headers"] is None else _read_chain(object_of(entry["headers"], "evidence"))
    return ChainEvidence(blocks, chain)


def _read_block(entry: Mapping[str, JsonValue]) -> ProvenBlock:
    leaves = integer_of(entry["transactions"], "evidence")
    proofs = [object_of(one, "evidence") for one in list_of(entry["proofs"], "evidence")]
    return ProvenBlock(
        integer_of(entry["height"], "evidence"),
        _header(hex_of(entry["header"], "evidence")),
        _coinbase(entry["coinbase"]),
        _branch(0, leaves, entry["coinbase_branch"]),
        {
            hash_of(one["txid"], "evidence"): _branch(integer_of(one["position"], "evidence"), leaves, one["branch"])
            for one in proofs
        },
    )


def _branch(position: int, leaves: int, value: JsonValue) -> MerkleBranch:
    hashes = tuple(bytes.fromhex(hash_of(one, "evidence"))[::-1] for one in list_of(value, "evidence"))
    return MerkleBranch(position, leaves, hashes)


def _coinbase(value: JsonValue) -> Transaction:
    try:
        return Transaction.parse_without_witness(hex_of(value, "evidence"))
    except InvalidInput as error:
        raise invalid_snapshot("a coinbase can't be read") from error


def _header(raw: bytes) -> BlockHeader:
    if len(raw) != HEADER_SIZE:
        raise invalid_snapshot(f"a block header has {len(raw)} bytes, expected {HEADER_SIZE}")
    return BlockHeader.parse(raw)


def _read_chain(entry: Mapping[str, JsonValue]) -> HeaderChain:
    raw = hex_of(entry["headers"], "evidence")
    if len(raw) % HEADER_SIZE:
        raise invalid_snapshot("its headers have no whole number of 80 bytes")
    pieces = (raw[at : at + HEADER_SIZE] for at in range(0, len(raw), HEADER_SIZE))
    return HeaderChain(integer_of(entry["start"], "evidence"), tuple(_header(piece) for piece in pieces))
