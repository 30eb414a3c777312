"""`custody audit reserves verify --bip127`: a proof that some other program made."""

from collections.abc import Iterator

import click

from custody.audit.reserves.statement import MAX_PROOF, NOT_PROVEN
from custody.bitcoin.amount import format_btc
from custody.bitcoin.bip322_model import MessageVerdict
from custody.bitcoin.network import Network
from custody.bitcoin.transaction import Transaction
from custody.errors import InvalidInput
from custody.spend.document import malformed
from custody.workflow.psbt_files import read_returned
from custody.workflow.verify_bip127_file import Bip127Verdict, judge_bip127
from custody_cli.audit_sources import ChainChoice
from custody_cli.options import read_input
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.session import Session

MAX_MESSAGE_BYTES = 10_000
_EXITS = {MessageVerdict.VALID: 0, MessageVerdict.INVALID: 3, MessageVerdict.INCONCLUSIVE: 9}


def judge_bip127_file(
    session: Session, proof_file: str, message_file: str, source: ChainChoice, network: str | None
) -> Answer:
    """Judge a BIP 127 proof in a file by the verifier's node; the message is the file's bytes, to the last one."""
    if network is None:
        raise click.UsageError("--bip127 needs --network")
    message = read_input(message_file, max_bytes=MAX_MESSAGE_BYTES)
    proof = _transaction(read_input(proof_file, max_bytes=MAX_PROOF))
    with source.opened(session, Network(network)) as backend:
        verdict = judge_bip127(backend, message, proof, session.progress)
    outcome = MessageVerdict.INVALID if verdict.missing else verdict.result.verdict
    return Answer(
        {
            "result": str(outcome),
            "reason": _reason(verdict),
            "total_sats": verdict.total if outcome is MessageVerdict.VALID else 0,
            "coins": [{"outpoint": str(one.outpoint), "value_sats": one.value} for one in verdict.coins],
            "missing": [str(one) for one in verdict.missing],
            "tip_height": verdict.tip.height,
            "tip_hash": verdict.tip.block_hash,
            "source": source.describe(),
            "not_proven": list(NOT_PROVEN),
        },
        lambda: _lines(verdict, outcome, source),
        exit_code=_EXITS[outcome],
    )


def _transaction(data: bytes) -> Transaction:
    try:
        read = read_returned(data)
    except InvalidInput:
        raise malformed("the proof is no transaction in hex or binary") from None
    if not isinstance(read, Transaction):
        raise malformed("the proof is a PSBT, which is not finished")
    return read


def _reason(verdict: Bip127Verdict) -> str:
    if verdict.missing:
        return f"coin `{verdict.missing[0]}` is spent or was never there, by your view of the chain"
    return verdict.result.reason


def _lines(verdict: Bip127Verdict, outcome: MessageVerdict, source: ChainChoice) -> Iterator[Line]:
    if outcome is MessageVerdict.VALID:
        words = f"VALID: {format_btc(verdict.total)} BTC ({verdict.total} sat) in {len(verdict.coins)} coin(s)"
        yield Styled(words, Style.GOOD)
    else:
        word = "NOT VALID" if outcome is MessageVerdict.INVALID else "INCONCLUSIVE"
        yield Styled(f"{word}: {_reason(verdict)}", Style.BAD)
    if outcome is MessageVerdict.VALID:
        yield f"the coins are unspent at block {verdict.tip.height}, says {source.describe()}"
    yield "the message is the file's bytes: read it, and see whether it names you, a day or block, and something new"
    yield "NOT PROVEN, whatever stands above:"
    yield from (f"  - {text}" for text in NOT_PROVEN)
