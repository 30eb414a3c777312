"""The facts of a public page as a file, `custody-page/1`: written, and read strictly."""

from custody.audit.publish.page import PageAddress, PageBlock, PageCheckpoint, PageFacts, PageProof, PageStatement
from custody.bitcoin.amount import sats
from custody.bitcoin.network import Network
from custody.documents.canonical_json import canonical, parse_canonical
from custody.documents.format_tag import require_format
from custody.errors import JsonValue
from custody.spend.document import fields_of, hash_of, integer_of, list_of, malformed, optional_of, sats_of, text_of

PAGE_FORMAT = "custody-page/1"
MAX_BYTES = 16_000_000

_KEYS = (
    "format",
    "generator",
    "network",
    "challenge",
    "block",
    "total_sats",
    "proved_sats",
    "addresses",
    "commitments",
    "proofs",
    "statements",
    "checkpoints",
    "not_proven",
)
_CHALLENGE_KEYS = ("holder", "purpose", "nonce", "expires_height", "message")


def page_bytes(facts: PageFacts) -> bytes:
    """Return a page's facts as a file: the canonical document and a line feed."""
    return canonical(_document_of(facts)) + b"\n"


def parse_page(data: bytes) -> PageFacts:
    """Read a page's facts, strictly.

    Raises:
        InvalidInput: MALFORMED_DOCUMENT, UNKNOWN_FIELD, UNKNOWN_FORMAT, FILE_TOO_LARGE, or an amount out of range.
        CheckFailed: PAGE_DIFFERS, the amounts contradict the total.
        UpgradeNeeded: another version of the format.
    """
    if not data.endswith(b"\n"):
        raise malformed("the page's facts do not end with a line feed")
    document = parse_canonical(data[:-1], max_bytes=MAX_BYTES)
    require_format(document, PAGE_FORMAT, "the page", advice="Give the folder of a page that `audit publish` wrote.")
    found = fields_of(document, "the page", _KEYS)
    challenge = fields_of(found["challenge"], "challenge", _CHALLENGE_KEYS)
    network = text_of(found["network"], "network")
    if network not in {str(one) for one in Network}:
        raise malformed("network is none that this version knows")
    return PageFacts(
        generator=text_of(found["generator"], "generator"),
        network=Network(network),
        holder=text_of(challenge["holder"], "holder"),
        purpose=text_of(challenge["purpose"], "purpose"),
        nonce=hash_of(challenge["nonce"], "nonce"),
        expires_height=integer_of(challenge["expires_height"], "expires_height"),
        message=text_of(challenge["message"], "message"),
        block=_block_of(found["block"], "block"),
        total=sats_of(found["total_sats"], "total_sats"),
        proved=sats_of(found["proved_sats"], "proved_sats"),
        addresses=list_of(_address_of, found["addresses"], "addresses"),
        commitments=list_of(hash_of, found["commitments"], "commitments"),
        proofs=list_of(_proof_of, found["proofs"], "proofs"),
        statements=list_of(_statement_of, found["statements"], "statements"),
        checkpoints=list_of(_checkpoint_of, found["checkpoints"], "checkpoints"),
        not_proven=list_of(text_of, found["not_proven"], "not_proven"),
    )


def _document_of(facts: PageFacts) -> dict[str, JsonValue]:
    return {
        "format": PAGE_FORMAT,
        "generator": facts.generator,
        "network": str(facts.network),
        "challenge": {
            "holder": facts.holder,
            "purpose": facts.purpose,
            "nonce": facts.nonce,
            "expires_height": facts.expires_height,
            "message": facts.message,
        },
        "block": {
            "height": facts.block.height,
            "hash": facts.block.block_hash,
            "median_time": facts.block.median_time,
        },
        "total_sats": facts.total,
        "proved_sats": facts.proved,
        "addresses": [
            {"address": one.address, "value_sats": one.value, "coins": one.coins, "proofs": list(one.proofs)}
            for one in facts.addresses
        ],
        "commitments": list(facts.commitments),
        "proofs": [{"statement": one.statement, "kind": one.kind, "addresses": one.addresses} for one in facts.proofs],
        "statements": [{"name": one.name, "digest": one.digest} for one in facts.statements],
        "checkpoints": [
            {
                "name": one.name,
                "network": one.network,
                "vault_id": one.vault_id,
                "journal_id": one.journal_id,
                "entries": one.entries,
                "head": one.head,
                "time": one.time,
                "officers": list(one.officers),
            }
            for one in facts.checkpoints
        ],
        "not_proven": list(facts.not_proven),
    }


def _block_of(value: JsonValue, what: str) -> PageBlock:
    found = fields_of(value, what, ("height", "hash", "median_time"))
    return PageBlock(
        integer_of(found["height"], "height"),
        hash_of(found["hash"], "hash"),
        integer_of(found["median_time"], "median_time"),
    )


def _address_of(value: JsonValue, what: str) -> PageAddress:
    found = fields_of(value, what, ("address", "value_sats", "coins", "proofs"))
    return PageAddress(
        text_of(found["address"], f"{what}.address"),
        sats(integer_of(found["value_sats"], f"{what}.value_sats")),
        integer_of(found["coins"], f"{what}.coins"),
        list_of(text_of, found["proofs"], f"{what}.proofs"),
    )


def _proof_of(value: JsonValue, what: str) -> PageProof:
    found = fields_of(value, what, ("statement", "kind", "addresses"))
    return PageProof(
        integer_of(found["statement"], f"{what}.statement"),
        text_of(found["kind"], f"{what}.kind"),
        integer_of(found["addresses"], f"{what}.addresses"),
    )


def _statement_of(value: JsonValue, what: str) -> PageStatement:
    found = fields_of(value, what, ("name", "digest"))
    return PageStatement(
        optional_of(text_of, found["name"], f"{what}.name"), hash_of(found["digest"], f"{what}.digest")
    )


def _checkpoint_of(value: JsonValue, what: str) -> PageCheckpoint:
    found = fields_of(value, what, ("name", "network", "vault_id", "journal_id", "entries", "head", "time", "officers"))
    return PageCheckpoint(
        text_of(found["name"], f"{what}.name"),
        text_of(found["network"], f"{what}.network"),
        hash_of(found["vault_id"], f"{what}.vault_id"),
        text_of(found["journal_id"], f"{what}.journal_id"),
        integer_of(found["entries"], f"{what}.entries"),
        hash_of(found["head"], f"{what}.head"),
        text_of(found["time"], f"{what}.time"),
        list_of(text_of, found["officers"], f"{what}.officers"),
    )
