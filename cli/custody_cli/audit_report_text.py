"""A report on the screen: the balance, what stands out, what left and who stands behind it; never the whole list."""

from collections.abc import Iterator

from custody.audit.report import words as report_words
from custody.audit.report.fiat import fiat_of
from custody.audit.report.flows import People, ReportedOutflow
from custody.audit.report.report import Report
from custody.bitcoin.amount import format_btc
from custody.policy.limit import show_duration
from custody_cli.audit_keys import days_of
from custody_cli.audit_report_balance import balance_lines
from custody_cli.coins_screen import incomplete_lines
from custody_cli.output import Line, Style, Styled, finding_lines

_MOST = 50
"""Labels, payments and addresses shown here; the files have all."""


def report_lines(report: Report) -> Iterator[Line]:
    """Return the report as lines."""
    period, vault = report.period, report.vault
    yield Styled(f"report of `{vault.name}` ({vault.network}), {period.asked}", Style.STRONG)
    known = "" if report.closing_hash is None else f" {report.closing_hash}"
    yield f"closing block {period.closing}{known}"
    yield from incomplete_lines(report.incomplete)
    if report.is_contradicted:
        words = "CONTRADICTED: the journal itself proves an entry false; no figure here can be relied on"
        yield Styled(words, Style.BAD)
    yield from _balance(report)
    yield ""
    yield Styled("what stands out", Style.STRONG)
    yield from finding_lines(report.findings) or ["  nothing of what this program looks for"]
    yield ""
    yield Styled("what came in, by label", Style.STRONG)
    yield from (
        f"  {format_btc(one.value):>17} BTC  {one.count:>4} output(s)  {one.label or '(no label)'}"
        for one in report.inflows[:_MOST]
    )
    yield from _left_out(len(report.inflows), "label(s)") if report.inflows else ["  nothing"]
    yield ""
    yield Styled("what left", Style.STRONG)
    for one in report.outflows[:_MOST]:
        yield from _outflow(report, one)
    yield from _left_out(len(report.outflows), "payment(s)") if report.outflows else ["  nothing"]
    yield ""
    yield from _reserve(report)
    yield ""
    yield from _keys(report)
    yield ""
    yield Styled("what this doesn't prove", Style.STRONG)
    yield from (f"  {one}" for one in report_words.not_proven(report))
    yield Styled("what is somebody's word", Style.STRONG)
    yield from (f"  {one}" for one in report_words.claimed(report))
    yield Styled("rules", Style.STRONG)
    yield from (f"  {one}" for one in report_words.rules(report))
    yield Styled("to check it", Style.STRONG)
    yield from (f"  {one}" for one in report_words.checks(report))


def _balance(report: Report) -> Iterator[Line]:
    fiat = None if report.prices is None else fiat_of(report, report.prices)
    for line in balance_lines(report, fiat):
        worth = "" if fiat is None or line.kind == "part" else f"  {'no price' if line.fiat is None else line.fiat}"
        unit = f" {fiat.currency}" if fiat is not None and worth and line.fiat is not None else ""
        name = f"  {line.name}" if line.kind == "part" else line.name
        text = f"{name:<32} {format_btc(line.sats):>17} BTC {line.sats:>18} sat{worth}{unit}"
        yield Styled(text, Style.STRONG) if line.kind == "total" else text
    yield "reconciled to the satoshi with the coins at both ends of the period"


def _outflow(report: Report, one: ReportedOutflow) -> Iterator[Line]:
    record = one.proposal
    what = str(record.proposal.kind) if record is not None else "accepted" if one.is_accepted else "UNEXPLAINED"
    if one.is_unapproved and not one.is_accepted:
        what += ", NOT APPROVED"
    height = one.transaction.height or 0
    head = f"  {report.dating.day_of(height)} {height:>8}  {format_btc(one.paid):>17} BTC  fee {one.fee} sat  {what}"
    yield Styled(head, Style.BAD) if not one.is_explained else head
    yield f"      {one.transaction.txid}"
    if record is not None and record.proposal.reason is not None:
        yield f"      reason: {record.proposal.reason}"
    for row in one.rows:
        if row.vout is not None:
            payee = "" if row.payee is None else f" ({row.payee})"
            yield f"      {format_btc(row.value):>17} BTC to {row.address}{payee}"
    if one.people is not None:
        yield from _people(one.people)


def _people(people: People) -> Iterator[Line]:
    drafted = people.drafted_by or (None if people.said_drafter is None else f"{people.said_drafter} (unsigned claim)")
    approved = [
        one.officer if one.counts else f"{one.officer} (void: revoked before signing)" for one in people.approvers
    ]
    yield f"      drafted by {drafted or 'nobody who signed it'}"
    signed = people.signing.signed
    yield f"      approved by {', '.join(approved)} (signatures verified)" if approved else "      approved by nobody"
    yield f"      signed by {', '.join(signed)} (on every input, verified)" if signed else "      signed by no key"


def _reserve(report: Report) -> Iterator[Line]:
    cap = "no cap in force" if report.cap is None else f"cap {format_btc(report.cap)} BTC"
    yield Styled(f"{len(report.coins)} coin(s) on {len(report.addresses)} address(es), {cap}", Style.STRONG)
    for one in report.addresses[:_MOST]:
        marks = [*(["ABOVE CAP"] if one.is_above_cap else []), *(["KEYS EXPOSED"] if one.is_exposed else [])]
        yield f"  {format_btc(one.value):>17} BTC  {one.address}  {', '.join(marks)}".rstrip()
    yield from _left_out(len(report.addresses), "address(es)")
    for title, classes in (("by age", report.ages), ("by size, in BTC", report.sizes)):
        yield f"coins {title}"
        yield from (f"  {format_btc(one.value):>17} BTC  {one.count:>5}  {one.name}" for one in classes if one.count)
    late = report.late
    yield (
        f"in the last {late.blocks} blocks came {format_btc(late.came)} BTC; in the {late.seen_after} observed after "
        f"the closing one left {format_btc(late.left)} BTC"
    )


def _keys(report: Report) -> Iterator[Line]:
    asked = "no policy asks for proofs" if report.prove_every is None else f"every {show_duration(report.prove_every)}"
    yield Styled(f"keys, when each last proved that it is alive ({asked})", Style.STRONG)
    for one in report.keys:
        age = "age unknown" if one.age_days is None else f"{days_of(one.age_days)} ago"
        age = "never" if one.proof is None else f"{age}, {one.proof.kind}"
        yield f"  {one.cosigner:<20} {one.fingerprint}  {age}{'  OVERDUE' if one.is_overdue else ''}"


def _left_out(count: int, what: str) -> Iterator[Line]:
    if count > _MOST:
        yield f"  and {count - _MOST} more {what}: write the report to a file"
