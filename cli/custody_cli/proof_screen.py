"""A proof on the screen: its message whole, its hashes and the block that it names, before anything else.

Some devices sign such a transaction without showing its message: this is where it is read.
"""

import textwrap
from collections.abc import Iterator

from custody.bitcoin.amount import format_btc
from custody.documents.display import group_address
from custody.errors import JsonValue
from custody.spend.proof_model import ProofClaim, ProofKind
from custody.workflow.psbt_files import FinishedProof
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json

_FRAME = "| "
_ADDRESS_WIDTH = 50
"""Columns of an address beside its label: ten groups."""


def proof_lines(proof: ProofClaim) -> Iterator[Line]:
    """Show what a proof signs and proves."""
    yield Styled("MESSAGE", Style.STRONG)
    for line in proof.shown_lines:
        yield Styled(f"{_FRAME}{line}", Style.STRONG)
    yield f"SHA-256 of the message  {proof.sha256}"
    if proof.message_hash is not None:
        yield f"BIP 322 hash of it      {proof.message_hash}"
    block = proof.block
    if block is not None:
        height = "height not said" if block.height is None else f"height {block.height}"
        yield f"block it names          {height}, {block.block_hash or 'hash not said'}"
    if proof.address is not None:
        first, *rest = textwrap.wrap(group_address(proof.address), _ADDRESS_WIDTH)
        yield f"signs for the address   {first}"
        yield from (f"{'':<24}{line}" for line in rest)
    if proof.coins or proof.kind is ProofKind.BIP127:
        coins = "1 coin" if proof.coins == 1 else f"{proof.coins} coins"
        yield f"proves control of       {coins}, {format_btc(proof.total)} BTC; none of it moves"


def finished_answer(finished: FinishedProof, output_json: dict[str, JsonValue], raw: bytes | None) -> Answer:
    """Return a finished proof as the answer of a command."""
    json: dict[str, JsonValue] = {
        "purpose": str(finished.review.purpose),
        "unsigned_txid": finished.review.unsigned_txid,
        "proof": finished.proof.to_json(),
        "signature" if finished.proof.kind is ProofKind.BIP322 else "proof_transaction": finished.text,
        "signing": finished.review.signing.to_json(),
        "findings": findings_json(finished.review.findings),
        **output_json,
    }
    return Answer(json, lambda: _finished_lines(finished, output_json), raw=raw)


def _finished_lines(finished: FinishedProof, output_json: dict[str, JsonValue]) -> Iterator[Line]:
    yield from proof_lines(finished.proof)
    yield Styled(f"wrote {output_json.get('file', '-')}: a proof for whoever asked for it, never a payment", Style.GOOD)
    yield from finding_lines([finding for finding in finished.review.findings if finding.severity != "note"])
