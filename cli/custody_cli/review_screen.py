"""A review on one screen: who gets what, what comes back, the fee, what is wrong, the verdict.

Made to be read by a tired person on 80 columns: amounts on the left, the full address in
groups of four beside them, findings by weight, the verdict last, in words. Plain ASCII.
"""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from custody.bitcoin.amount import format_btc
from custody.documents.display import group_address
from custody.errors import Finding, Severity
from custody.spend.review_fees import fee_percent
from custody.spend.review_model import OutputRole, Purpose, Review, ReviewOutput, Verdict
from custody.vault.vault import Vault
from custody_cli.output import Answer, Line, Style, Styled
from custody_cli.proof_screen import proof_lines

WIDTH = 80
_LABEL = 8
_LEFT = 41
"""Columns left of an address; eight groups of four need 39 more."""
_GROUPS_PER_LINE = 39
_SHOWN_PER_CODE = 3
_MAX_FOREIGN_INPUTS = 5
_WHAT = {Purpose.PAYMENT: "Payment from", Purpose.PROOF: "Proof of", Purpose.REHEARSAL: "Rehearsal of"}
_WORDS = {Severity.REFUSE: "REFUSE", Severity.WARN: "WARN", Severity.NOTE: "note"}
_STYLES = {Severity.REFUSE: Style.BAD, Severity.WARN: Style.CARE, Severity.NOTE: Style.FAINT}


def review_answer(review: Review, vault: Vault) -> Answer:
    """Return a review as the answer of a command: exit 0 when clean or warned, 3 when refused."""
    return Answer(review.to_json(), lambda: review_lines(review, vault), exit_of(review))


def exit_of(review: Review) -> int:
    """Return the exit code of a review."""
    return 3 if review.verdict is Verdict.REFUSED else 0


def review_lines(review: Review, vault: Vault) -> Iterator[Line]:
    """Show the whole review."""
    yield from identity_lines(review, vault)
    yield ""
    yield from transaction_lines(review)
    yield ""
    yield from finding_screen(review.findings)
    yield ""
    yield from signing_lines(review, vault)
    yield from verdict_lines(review)


def identity_lines(review: Review, vault: Vault) -> Iterator[Line]:
    """Show which vault and which transaction it is."""
    rule = f"{vault.threshold} of {len(vault.cosigners)} on {vault.network}"
    what = _WHAT[review.purpose]
    yield Styled(f"{what} vault {vault.name} ({rule})", Style.STRONG)
    yield f"vault_id {vault.vault_id}"
    yield f"unsigned txid  {review.unsigned_txid}"


def transaction_lines(review: Review) -> Iterator[Line]:
    """Show who gets what, what comes back, the fee and the coins; of a proof its message."""
    if review.proof is not None:
        yield from proof_lines(review.proof)
        return
    yield from _output_lines(review)
    yield _fee_line(review)
    yield from _input_lines(review)


def signing_lines(review: Review, vault: Vault) -> Iterator[Line]:
    """Show the signatures so far, by name."""
    signing = review.signing
    signed = f"{len(signing.signed)} of {vault.threshold} needed"
    names = f" ({', '.join(signing.signed)})" if signing.signed else ""
    if signing.is_complete:
        tail = "; complete"
    else:
        tail = f"; {signing.missing} more from {', '.join(signing.unsigned) or 'nobody'}"
    yield from wrapped(f"{'SIGNED':<{_LABEL}}{signed}{names}{tail}", indent=_LABEL)


def finding_screen(findings: Sequence[Finding]) -> Iterator[Line]:
    """Show findings by weight; of many with one code the first few, and how many more there are."""
    by_code = sorted(findings, key=lambda finding: (list(_WORDS).index(finding.severity), finding.code))
    for (severity, _code), group in groupby(by_code, key=lambda finding: (finding.severity, finding.code)):
        alike = list(group)
        for finding in alike[:_SHOWN_PER_CODE]:
            yield from _finding_lines(finding)
        if severity is not Severity.NOTE:
            yield from wrapped(f"{'':<{_LABEL}}{alike[0].advice}", indent=_LABEL)
        if len(alike) > _SHOWN_PER_CODE:
            yield f"{'':<{_LABEL}}and {len(alike) - _SHOWN_PER_CODE} more like this; --json lists them all"


def _finding_lines(finding: Finding) -> Iterator[Line]:
    text = f"{_WORDS[finding.severity]:<{_LABEL}}{finding.code}@{finding.where}: {finding.message}"
    for line in wrapped(text, indent=_LABEL):
        yield Styled(line, _STYLES[finding.severity])


def _output_lines(review: Review) -> Iterator[Line]:
    numbered = list(enumerate(review.outputs))
    for number, output in [*_external(numbered), *_own(numbered)]:
        label, place = _who(number, output)
        address = group_address(output.address) if output.address is not None else "(no address: see below)"
        right = textwrap.wrap(address, _GROUPS_PER_LINE)
        left = [f"{label:<{_LABEL}}{format_btc(output.value):>17} BTC", f"{'':<{_LABEL}}{output.value:>17} sat {place}"]
        if len(left[1]) >= _LEFT:
            left[1:] = [left[1].removesuffix(place).rstrip(), f"{'':<{_LABEL}}{place}"]
        rows = max(len(left), len(right))
        for row in range(rows):
            begin = left[row] if row < len(left) else ""
            end = right[row] if row < len(right) else ""
            text = f"{begin:<{_LEFT}}{end}".rstrip()
            yield Styled(text, Style.STRONG) if output.role is OutputRole.EXTERNAL else text


def _external(numbered: Sequence[tuple[int, ReviewOutput]]) -> list[tuple[int, ReviewOutput]]:
    return [entry for entry in numbered if entry[1].role is OutputRole.EXTERNAL]


def _own(numbered: Sequence[tuple[int, ReviewOutput]]) -> list[tuple[int, ReviewOutput]]:
    return [entry for entry in numbered if entry[1].role is not OutputRole.EXTERNAL]


def _who(number: int, output: ReviewOutput) -> tuple[str, str]:
    """Return the label of an output, and where it stands."""
    if output.place is None:
        return "PAYS", f"output {number}"
    label = "CHANGE" if output.role is OutputRole.CHANGE else "TO SELF"
    return label, f"{output.place.label} {output.place.index}"


def _fee_line(review: Review) -> str:
    if review.fee is None:
        return f"{'FEE':<{_LABEL}}{'unknown':>17}      an input's amount is not proven"
    percent = fee_percent(review.fee, review.input_total or 0)
    details = f"{review.fee} sat = {review.fee_rate_sat_vb} sat/vB = {percent} %"
    return f"{'FEE':<{_LABEL}}{format_btc(review.fee):>17} BTC    {details}"


def _input_lines(review: Review) -> Iterator[Line]:
    count = len(review.inputs)
    foreign = [entry for entry in review.inputs if entry.place is None]
    coins = f"{count} coin" if count == 1 else f"{count} coins"
    total = format_btc(review.input_total) if review.input_total is not None else "unknown"
    whose = "all ours" if not foreign else f"{len(foreign)} NOT SHOWN TO BE OURS"
    yield f"{'FROM':<{_LABEL}}{total:>17} BTC    {coins}, {whose}"
    for entry in foreign[:_MAX_FOREIGN_INPUTS]:
        yield f"{'':<{_LABEL}}{entry.outpoint}"


def verdict_lines(review: Review) -> Iterator[Line]:
    """Show the verdict in words."""
    counts = {severity: sum(finding.severity is severity for finding in review.findings) for severity in Severity}
    if review.verdict is Verdict.REFUSED:
        text = f"VERDICT REFUSED. {_count(counts[Severity.REFUSE], 'check')} failed. Do not sign; raise the alarm."
        style = Style.BAD
    elif review.verdict is Verdict.WARNED:
        text = (
            f"VERDICT WARNED. No check failed; {_count(counts[Severity.WARN], 'warning')} above. Sign only if "
            "each is understood and every address is the payee's."
        )
        style = Style.CARE
    elif review.purpose is Purpose.REHEARSAL:
        text = "VERDICT CLEAN. A rehearsal: nothing can be spent by it. Sign it to prove your device."
        style = Style.GOOD
    elif review.purpose is Purpose.PROOF:
        step = "finalize it for whoever asked" if review.signing.is_complete else "sign it if you were asked to"
        text = f"VERDICT CLEAN. A proof: nothing can be spent by it. Compare the message, then {step}."
        style = Style.GOOD
    else:
        step = "finalize" if review.signing.is_complete else "sign"
        text = f"VERDICT CLEAN. No check failed. Compare every address with the payee's own statement, then {step}."
        style = Style.GOOD
    for line in wrapped(text, indent=_LABEL):
        yield Styled(line, style)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def wrapped(text: str, *, indent: int) -> list[str]:
    """Return `text` in lines of the screen's width, those after the first indented."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False, drop_whitespace=True) or [
        text
    ]
