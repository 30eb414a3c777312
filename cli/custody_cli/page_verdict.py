"""Verdicts about a public page: before it is written by its publisher, and afterwards by anybody.

Both ask a node. A page is for one block and stays readable for years, so the age of its challenge's block
speaks neither for nor against it; the page says the date.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from custody.audit.publish.page import Disclosure, PageFacts
from custody.audit.reserves.challenge import MAX_HEIGHT, Challenge
from custody.audit.reserves.descriptor import KnownVault
from custody.audit.reserves.statement import Statement
from custody.audit.reserves.verify import Reserve, ReservesVerdict
from custody.bitcoin.amount import format_btc
from custody.codes import Code
from custody.errors import ChainUnavailable, Finding, JsonValue, Severity
from custody.ports import ChainBackend, Tip
from custody.workflow.verify_reserves import verify_reserves
from custody_cli.audit_reserves_screen import EXITS, verdict_answer
from custody_cli.audit_sources import ChainChoice, is_word_of_writer
from custody_cli.output import Answer, Line, Style, Styled, finding_lines, findings_json
from custody_cli.page_check import PageCheck, PageFolder, check_page
from custody_cli.session import Session


@dataclass(frozen=True, slots=True)
class PageEvidence:
    """What a node said about the statements behind a page."""

    verdict: ReservesVerdict
    block: Tip
    """The challenge's block."""
    tip: Tip


@dataclass(frozen=True, slots=True)
class PageQuestion:
    """What a reader asks about a page besides its folder."""

    statements: tuple[Statement, ...] = ()
    """Those that a reader of a page of commitments was given."""
    challenges: tuple[Challenge, ...] = ()
    known: KnownVault | None = None


def confirm_statements(session: Session, source: ChainChoice, statements: Sequence[Statement]) -> PageEvidence | Answer:
    """Return what a publisher's node says, or the answer that forbids to publish: the statements are not valid.

    Raises:
        ChainUnavailable: no node answers; a snapshot is not enough.
    """
    if source.snapshot is not None:
        raise ChainUnavailable(
            Code.UTXO_UNVERIFIED,
            "a snapshot only repeats its writer's word; a public total needs a node",
            advice="Name your node with --node and --cookie.",
        )
    evidence = _asked(session, source, PageQuestion(tuple(statements)))
    if evidence.verdict.result is Reserve.VALID and evidence.verdict.coins_unspent is Reserve.VALID:
        return evidence
    return verdict_answer(evidence.verdict, statements[0].challenge, evidence.tip, source.describe())


def page_answer(session: Session, source: ChainChoice, page: PageFolder, question: PageQuestion) -> Answer:
    """Return what there is to say about a page: its bytes against its statements, these against the reader's node."""
    check = check_page(page, question.statements)
    if not check.is_counted:
        return _not_counted(page.facts, check)
    evidence = _asked(session, source, replace(question, statements=check.statements))
    findings = (*check.findings, *_date_findings(page.facts, evidence), *evidence.verdict.findings)
    result = evidence.verdict.result
    if any(finding.severity is Severity.REFUSE for finding in findings):
        result = Reserve.INVALID
    verdict = replace(evidence.verdict, findings=findings, result=result)
    answer = verdict_answer(verdict, check.statements[0].challenge, evidence.tip, source.describe())
    return _with_page(answer, page, check.findings)


def _with_page(answer: Answer, page: PageFolder, findings: Sequence[Finding]) -> Answer:
    """Return the answer with a line about the page itself, before what its statements say."""
    differs = sum(finding.severity is Severity.REFUSE for finding in findings)
    own = len(page.content) - sum(finding.severity is Severity.WARN for finding in findings)
    words = f"{differs} file(s) of {own} are not what the statements give"
    if not differs and page.facts.disclosure is Disclosure.COMMITMENTS:
        words = f"all of its {own} files are what the statements and their commitments give; no commitment was opened"
    elif not differs:
        words = f"all of its {own} files are what the statements give, to the byte"
    if own < len(page.content):
        words += f"; {len(page.content) - own} more are none of its own"

    def lines() -> Iterator[Line]:
        first, *rest = answer.text()
        yield first
        yield f"page            {words}"
        yield from rest

    json = {**answer.json, "page": {"files": own, "differing": differs, "foreign": len(page.content) - own}}
    return Answer(json, lines, exit_code=answer.exit_code)


def _asked(session: Session, source: ChainChoice, question: PageQuestion) -> PageEvidence:
    challenge = question.statements[0].challenge
    with source.opened(session, challenge.network) as backend:
        verdict = verify_reserves(
            backend,
            question.statements,
            question.challenges,
            session.progress,
            known=question.known,
            max_age=MAX_HEIGHT,
            is_word_of_writer=is_word_of_writer(backend),
        )
        return PageEvidence(verdict, _block(backend, challenge), backend.tip())


def _block(backend: ChainBackend, challenge: Challenge) -> Tip:
    block = backend.block_at(challenge.height)
    if block is None:
        raise ChainUnavailable(
            Code.BLOCK_UNKNOWN,
            f"the chain that was asked ends before block {challenge.height}",
            advice="Wait until the node has caught up, then run the command again.",
        )
    return block


def _date_findings(facts: PageFacts, evidence: PageEvidence) -> list[Finding]:
    if facts.block.median_time == evidence.block.median_time_past:
        return []
    message = f"it dates the block {facts.block.median_time}, the node says {evidence.block.median_time_past}"
    advice = "Believe nothing on this page; take it again from its publisher, and tell them."
    return [Finding(Code.PAGE_DIFFERS, Severity.REFUSE, "page:page.json", message, advice)]


def _not_counted(facts: PageFacts, check: PageCheck) -> Answer:
    refused = any(finding.severity is Severity.REFUSE for finding in check.findings)
    result = Reserve.INVALID if refused else Reserve.INCONCLUSIVE

    def lines() -> list[Line]:
        word = "NOT VALID: don't rely on it" if refused else "INCONCLUSIVE: the total can't be counted from this page"
        return [
            Styled(word, Style.BAD),
            *finding_lines(check.findings),
            f"the page says    {format_btc(facts.total)} BTC at block {facts.block.height}, the custodian's word",
            Styled("NOT PROVEN, whatever stands above:", Style.STRONG),
            *(f"  - {text}" for text in facts.not_proven),
        ]

    json: dict[str, JsonValue] = {
        "result": str(result),
        "claimed_sats": facts.total,
        "height": facts.block.height,
        "block_hash": facts.block.block_hash,
        "commitments": len(facts.commitments),
        "findings": findings_json(check.findings),
        "not_proven": list(facts.not_proven),
    }
    return Answer(json, lines, exit_code=EXITS[result])
