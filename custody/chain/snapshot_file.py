"""The snapshot file, `custody-snapshot/1` and `/2`: what a node told about one vault at one block.

Canonical JSON with a digest over everything else, closed by a line feed. Reading believes
nothing that can be checked: each transaction is parsed, each coin must be an output of a
transaction in the file with the same value and script, and be spent by none of them. That
the file is complete, and of the real chain, is the claim of whoever wrote it. Version 2 carries evidence for
the second: block headers with their work, and where in those blocks each transaction stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from custody.bitcoin.amount import FeeRate, Sats, sats
from custody.bitcoin.block import is_coinbase
from custody.bitcoin.block_evidence import ChainEvidence, EvidenceSummary, HeaderChain, Placed
from custody.bitcoin.merkle import invalid_evidence
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import OutPoint, Transaction
from custody.chain.snapshot_evidence import evidence_document, read_evidence
from custody.chain.snapshot_values import (
    hash_of,
    hex_of,
    integer_of,
    invalid_snapshot,
    list_of,
    object_of,
    optional_integer_of,
    text_of,
    texts_of,
)
from custody.codes import Code
from custody.documents.canonical_json import canonical, digest, parse_json
from custody.errors import InvalidInput, JsonValue, UpgradeNeeded
from custody.ports import ChainCoin, ChainTransaction, Tip

FORMAT = "custody-snapshot/1"
FORMAT_WITH_EVIDENCE = "custody-snapshot/2"
MAX_SNAPSHOT_BYTES = 256_000_000
_FORMAT_FAMILY = "custody-snapshot/"
_MAX_SCANNED = 2**31
_MAX_TIME = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one view of the chain knew about one vault at one block."""

    network: Network
    vault_id: str
    birth_height: int
    scanned: tuple[int, int]
    """How many scripts of the receive and of the change branch were watched, from index 0."""
    tip: Tip
    transactions: tuple[ChainTransaction, ...]
    """Every transaction that touches the vault, whole, blocks first, then mempool.

    Those that pay the vault are the previous transactions that a PSBT of its coins needs.
    """
    coins: tuple[ChainCoin, ...]
    incomplete: tuple[str, ...]
    """Why it is not the whole truth; empty when the writer claimed completeness."""
    compared_with_utxo_set: bool
    """Whether the writer found the same coins in the node's set of unspent outputs."""
    fee_estimates: tuple[tuple[int, FeeRate], ...]
    """(target in blocks, rate), as the node gave them."""
    minimum_fee_rate: FeeRate | None
    evidence: ChainEvidence | None = None
    """That the transactions in blocks stand there; it makes the file one of version 2."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def evidence_summary(self) -> EvidenceSummary | None:
        """What its evidence comes to, None where it has none. It was checked when this object was made."""
        return None if self.evidence is None else self.evidence.summary(self.network)


def write_snapshot(snapshot: Snapshot) -> bytes:
    """Return the file's bytes; equal snapshots give equal bytes."""
    document = _to_document(snapshot)
    return canonical({**document, "digest": digest(document)}) + b"\n"


def parse_snapshot(data: bytes) -> Snapshot:
    """Read the file's bytes, checking all that can be checked.

    Raises:
        InvalidInput: SNAPSHOT_INVALID, also when the bytes are not the canonical ones; EVIDENCE_INVALID.
        UpgradeNeeded: a later version of the format.
    """
    document = object_of(parse_json(data, max_bytes=MAX_SNAPSHOT_BYTES), "the file")
    if document.get("format") not in (FORMAT, FORMAT_WITH_EVIDENCE):
        raise _unknown_format(document.get("format"))
    if canonical(dict(document)) + b"\n" != data:
        raise invalid_snapshot("the file is not in its canonical form")
    body = {name: value for name, value in document.items() if name != "digest"}
    if document.get("digest") != digest(body):
        raise invalid_snapshot("the digest does not fit the content")
    try:
        snapshot = _from_document(body)
    except KeyError as error:
        raise invalid_snapshot(f"the field `{error.args[0]}` is missing") from error
    if _to_document(snapshot) != body:
        raise invalid_snapshot("a field is unknown or has another form than this program writes")
    return snapshot


def _unknown_format(found: JsonValue) -> InvalidInput:
    if isinstance(found, str) and found.startswith(_FORMAT_FAMILY):
        return UpgradeNeeded(
            Code.UNKNOWN_FORMAT,
            "the snapshot has a format that this version does not know",
            advice="Update this program, or write the snapshot with an older version.",
        )
    return invalid_snapshot(f"the file is no `{FORMAT}`")


def _to_document(snapshot: Snapshot) -> dict[str, JsonValue]:
    tip, rate = snapshot.tip, snapshot.minimum_fee_rate
    estimates: list[JsonValue] = [
        {"target_blocks": target, "sat_kvb": estimate.sat_kvb} for target, estimate in snapshot.fee_estimates
    ]
    document: dict[str, JsonValue] = {
        "format": FORMAT,
        "network": snapshot.network.value,
        "vault_id": snapshot.vault_id,
        "birth_height": snapshot.birth_height,
        "scanned": {"receive": snapshot.scanned[0], "change": snapshot.scanned[1]},
        "tip": {"height": tip.height, "hash": tip.block_hash, "median_time_past": tip.median_time_past},
        "complete": not snapshot.incomplete,
        "incomplete": list(snapshot.incomplete),
        "compared_with_utxo_set": snapshot.compared_with_utxo_set,
        "coins": [_coin_entry(coin) for coin in snapshot.coins],
        "transactions": [_transaction_entry(one) for one in snapshot.transactions],
        "fee_estimates": estimates,
        "minimum_fee_rate_sat_kvb": None if rate is None else rate.sat_kvb,
    }
    if snapshot.evidence is not None:
        document |= {"format": FORMAT_WITH_EVIDENCE, "evidence": evidence_document(snapshot.evidence)}
    return document


def _coin_entry(coin: ChainCoin) -> dict[str, JsonValue]:
    return {
        "outpoint": str(coin.outpoint),
        "value_sats": coin.value,
        "script_pubkey": coin.script_pubkey.hex(),
        "height": coin.height,
        "coinbase": coin.is_coinbase,
    }


def _transaction_entry(one: ChainTransaction) -> dict[str, JsonValue]:
    return {
        "transaction": one.transaction.serialize().hex(),
        "height": one.height,
        "block_hash": one.block_hash,
        "fee_sats": one.fee,
        "coinbase": one.is_coinbase,
    }


def _from_document(body: Mapping[str, JsonValue]) -> Snapshot:
    tip, scanned = object_of(body["tip"], "tip"), object_of(body["scanned"], "scanned")
    rate = optional_integer_of(body["minimum_fee_rate_sat_kvb"], "minimum_fee_rate_sat_kvb")
    estimates = [object_of(value, "fee_estimates") for value in list_of(body["fee_estimates"], "fee_estimates")]
    return Snapshot(
        network=_network_of(body["network"]),
        vault_id=hash_of(body["vault_id"], "vault_id"),
        birth_height=integer_of(body["birth_height"], "birth_height"),
        scanned=(
            integer_of(scanned["receive"], "scanned", high=_MAX_SCANNED),
            integer_of(scanned["change"], "scanned", high=_MAX_SCANNED),
        ),
        tip=Tip(
            integer_of(tip["height"], "tip"),
            hash_of(tip["hash"], "tip"),
            integer_of(tip["median_time_past"], "tip", high=_MAX_TIME),
        ),
        transactions=tuple(_read_transaction(value) for value in list_of(body["transactions"], "transactions")),
        coins=tuple(_read_coin(value) for value in list_of(body["coins"], "coins")),
        incomplete=texts_of(body["incomplete"], "incomplete"),
        compared_with_utxo_set=body["compared_with_utxo_set"] is True,
        fee_estimates=tuple(
            (integer_of(one["target_blocks"], "fee_estimates"), FeeRate(integer_of(one["sat_kvb"], "fee_estimates")))
            for one in estimates
        ),
        minimum_fee_rate=None if rate is None else FeeRate(rate),
        evidence=read_evidence(body["evidence"]) if body["format"] == FORMAT_WITH_EVIDENCE else None,
    )


def _network_of(value: JsonValue) -> Network:
    try:
        return Network(text_of(value, "network"))
    except ValueError as error:
        raise invalid_snapshot("the network is unknown") from error


def _parsed(value: JsonValue) -> Transaction:
    try:
        return Transaction.parse(hex_of(value, "transaction"))
    except InvalidInput as error:
        raise invalid_snapshot("a transaction can't be read") from error


def _amount_of(value: JsonValue, where: str) -> Sats:
    try:
        return sats(integer_of(value, where, high=2**53 - 1))
    except InvalidInput as error:
        raise invalid_snapshot("an amount is out of range") from error


def _read_transaction(value: JsonValue) -> ChainTransaction:
    entry = object_of(value, "transactions")
    transaction, block, fee = _parsed(entry["transaction"]), entry["block_hash"], entry["fee_sats"]
    return ChainTransaction(
        transaction,
        optional_integer_of(entry["height"], "transactions"),
        None if block is None else hash_of(block, "transactions"),
        None if fee is None else _amount_of(fee, "transactions"),
        is_coinbase(transaction),
    )


def _read_coin(value: JsonValue) -> ChainCoin:
    entry = object_of(value, "coins")
    try:
        outpoint = OutPoint.parse(text_of(entry["outpoint"], "coins"))
    except InvalidInput as error:
        raise invalid_snapshot("a coin has no outpoint") from error
    return ChainCoin(
        outpoint,
        _amount_of(entry["value_sats"], "coins"),
        hex_of(entry["script_pubkey"], "coins"),
        optional_integer_of(entry["height"], "coins"),
        entry["coinbase"] is True,
    )


def _check(snapshot: Snapshot) -> None:
    known = {one.transaction.txid: one for one in snapshot.transactions}
    if len(known) != len(snapshot.transactions):
        raise invalid_snapshot("a transaction stands in it twice")
    for one in snapshot.transactions:
        _check_place(one, snapshot.tip)
    spent = {item.outpoint for one in snapshot.transactions for item in one.transaction.inputs}
    if len({coin.outpoint for coin in snapshot.coins}) != len(snapshot.coins):
        raise invalid_snapshot("a coin stands in it twice")
    for coin in snapshot.coins:
        _check_coin(coin, known, spent)
    if snapshot.evidence is not None:
        placed = tuple(
            Placed(one.transaction, one.height, one.block_hash)
            for one in snapshot.transactions
            if one.height is not None and one.block_hash is not None
        )
        snapshot.evidence.require(snapshot.network, placed, (snapshot.tip.height, snapshot.tip.block_hash))
        _check_time(snapshot.evidence.chain, snapshot.tip)


def _check_time(chain: HeaderChain | None, tip: Tip) -> None:
    """Demand that the tip's time is that of its headers: a date is answered by it."""
    shown = None if chain is None else chain.median_time_past(tip.height)
    if shown not in (None, tip.median_time_past):
        raise invalid_evidence(f"the tip's median time past is {tip.median_time_past}, by its headers it is {shown}")


def _check_place(one: ChainTransaction, tip: Tip) -> None:
    if (one.height is None) != (one.block_hash is None):
        raise invalid_snapshot(f"transaction `{one.transaction.txid}` has a height or a block hash, not both")
    if one.height is not None and one.height > tip.height:
        raise invalid_snapshot(f"transaction `{one.transaction.txid}` lies above the tip")
    if one.height == tip.height and one.block_hash != tip.block_hash:
        raise invalid_snapshot(f"transaction `{one.transaction.txid}` lies in another block than the tip")


def _check_coin(coin: ChainCoin, known: Mapping[str, ChainTransaction], spent: set[OutPoint]) -> None:
    parent = known.get(coin.outpoint.txid)
    if parent is None or coin.outpoint.vout >= len(parent.transaction.outputs):
        raise invalid_snapshot(f"coin `{coin.outpoint}` is no output of a transaction in it")
    output = parent.transaction.outputs[coin.outpoint.vout]
    if (output.value, output.script_pubkey) != (coin.value, coin.script_pubkey):
        raise invalid_snapshot(f"coin `{coin.outpoint}` differs from the output that it is")
    if (coin.height, coin.is_coinbase) != (parent.height, parent.is_coinbase):
        raise invalid_snapshot(f"coin `{coin.outpoint}` lies in another block than its transaction")
    if coin.outpoint in spent:
        raise invalid_snapshot(f"coin `{coin.outpoint}` is spent by a transaction in it")
