"""What evidence in a snapshot shows, in words and as JSON, and never more than it shows."""

from collections.abc import Iterator
from dataclasses import replace

from custody.bitcoin.block_evidence import EvidenceSummary
from custody.chain.snapshot import SnapshotBackend
from custody.errors import JsonValue
from custody_cli.output import Answer, Line, Style, Styled

_NOT_SHOWN = "only a node can tell that the coins are still unspent, and that nothing was left out"


def evidence_of(backend: object) -> EvidenceSummary | None:
    """Return the evidence that a view of the chain brings along: a snapshot's, None for any other."""
    return backend.snapshot.evidence_summary if isinstance(backend, SnapshotBackend) else None


def evidence_json(shown: EvidenceSummary) -> dict[str, JsonValue]:
    """Return it for `--json`; work is text, because it passes what a JSON number holds exactly."""
    return {
        "transactions": shown.transactions,
        "blocks": shown.blocks,
        "headers_to_tip": shown.headers,
        "least_work_hashes": str(shown.least_work),
        "total_work_hashes": str(shown.total_work),
        "proves_work": shown.is_proof,
        "not_shown": _NOT_SHOWN,
    }


def with_evidence(answer: Answer, shown: EvidenceSummary) -> Answer:
    """Return an answer from a snapshot with what the snapshot's evidence shows."""
    return replace(
        answer,
        json={**answer.json, "evidence": evidence_json(shown)},
        text=lambda: (*answer.text(), "", *evidence_lines(shown)),
    )


def evidence_lines(shown: EvidenceSummary) -> Iterator[Line]:
    """Yield what it shows and what it doesn't."""
    yield f"evidence: {shown.transactions} transaction(s) stand in {shown.blocks} block(s), by their merkle proofs"
    if shown.headers:
        yield f"{shown.headers:,} headers lead without a gap to the tip"
    if shown.is_proof:
        yield Styled(
            f"proof of work: the easiest block took {_power(shown.least_work)} hashes, "
            f"all headers together {_power(shown.total_work)}",
            Style.GOOD,
        )
    else:
        yield Styled("proof of work means nothing on this network: anybody can make such blocks", Style.CARE)
    yield f"not shown: {_NOT_SHOWN}"


def _power(number: int) -> str:
    """Return a large whole number in two digits: `5.1 * 10**23`."""
    digits = str(number)
    return digits if len(digits) < 4 else f"{digits[0]}.{digits[1]} * 10**{len(digits) - 1}"
