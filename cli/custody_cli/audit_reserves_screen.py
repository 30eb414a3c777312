"""A verdict on statements of reserves as people read it, and as JSON."""

from collections.abc import Iterator, Mapping, Sequence

from custody.audit.reserves.age import ReserveAge
from custody.audit.reserves.challenge import Challenge
from custody.audit.reserves.claims import StatementVerdict
from custody.audit.reserves.verify import Reserve, ReservesVerdict
from custody.bitcoin.amount import format_btc
from custody.codes import Code
from custody.errors import Finding, Severity
from custody.ports import Tip
from custody_cli.output import Answer, AnswerValue, Line, Style, Styled, finding_lines, findings_json

EXITS = {Reserve.VALID: 0, Reserve.INVALID: 3, Reserve.INCONCLUSIVE: 9}
_WORDS = {
    Reserve.VALID: ("VALID", Style.GOOD),
    Reserve.INVALID: ("NOT VALID: don't rely on it", Style.BAD),
    Reserve.INCONCLUSIVE: ("INCONCLUSIVE: it can't be judged here, so don't rely on it", Style.BAD),
}
_SHOWN = 4
"""Findings of one code on a screen."""
_KEYS = {Reserve.VALID: "yes", Reserve.INVALID: "NO", Reserve.INCONCLUSIVE: "can't be said here"}


def verdict_answer(verdict: ReservesVerdict, challenge: Challenge, tip: Tip, source: str) -> Answer:
    """Return the answer of `verify`: exit 0 for valid, 3 for invalid, 9 for inconclusive."""
    return Answer(
        verdict_json(verdict, challenge, tip, source),
        lambda: verdict_lines(verdict, challenge, tip, source),
        exit_code=EXITS[verdict.result],
    )


def verdict_json(verdict: ReservesVerdict, challenge: Challenge, tip: Tip, source: str) -> Mapping[str, AnswerValue]:
    """Return everything that was found out."""
    return {
        "result": str(verdict.result),
        "total_sats": verdict.total,
        "coins": verdict.coins,
        "keys_proved": str(verdict.keys_proved),
        "coins_unspent": str(verdict.coins_unspent),
        "network": str(challenge.network),
        "height": challenge.height,
        "block_hash": challenge.block_hash,
        "tip_height": tip.height,
        "tip_hash": tip.block_hash,
        "source": source,
        "statements": [_statement_json(one) for one in verdict.statements],
        "age": _age_json(verdict.age),
        "findings": findings_json(verdict.findings),
        "not_proven": list(verdict.not_proven),
    }


def _statement_json(one: StatementVerdict) -> dict[str, AnswerValue]:
    statement = one.statement
    return {
        "holder": statement.challenge.holder,
        "purpose": statement.challenge.purpose,
        "challenge_digest": statement.challenge.digest,
        "digest": statement.digest,
        "vault_id": statement.vault_id,
        "descriptor_known": one.is_vault_known,
        "claimed_sats": statement.total,
        "counted_sats": one.counted,
        "addresses": len(statement.addresses),
        "addresses_proven": len(one.proven),
        "kinds": sorted({str(proof.kind) for proof in statement.proofs}),
        "signed_keys": None if one.signers is None else list(one.signers),
        "signed_public_keys": one.public_keys,
    }


def _age_json(age: ReserveAge) -> dict[str, AnswerValue]:
    return {
        "inflows": [{"blocks": one.blocks, "coins": one.coins, "total_sats": one.total} for one in age.inflows],
        "oldest_blocks": age.oldest,
        "median_blocks": age.median,
        "youngest_blocks": age.youngest,
        "immature_sats": age.immature,
        "moved_since_sats": age.moved_since,
    }


def verdict_lines(verdict: ReservesVerdict, challenge: Challenge, tip: Tip, source: str) -> Iterator[Line]:
    """Yield the screen: the verdict first, what is not proven last, and never left out."""
    word, style = _WORDS[verdict.result]
    yield Styled(word, style)
    yield from _finding_lines(verdict.findings)
    yield f"proven sum      {format_btc(verdict.total)} BTC ({verdict.total} sat) in {verdict.coins} coin(s)"
    yield f"at block        {challenge.height} {challenge.block_hash}"
    yield f"newest block    {tip.height}, {tip.height - challenge.height} later"
    claimed = sum(len(one.statement.addresses) for one in verdict.statements)
    proven = sum(len(one.proven) for one in verdict.statements)
    yield f"keys proved     {_KEYS[verdict.keys_proved]}: {proven} of {claimed} address(es)"
    yield f"coins unspent   {_unspent(verdict)}"
    yield f"asked           {source}"
    for one in verdict.statements:
        yield from _statement_lines(one)
    yield from _age_lines(verdict.age)
    yield Styled("NOT PROVEN, whatever stands above:", Style.STRONG)
    yield from (f"  - {text}" for text in verdict.not_proven)


def _finding_lines(findings: Sequence[Finding]) -> Iterator[Line]:
    """Yield what refuses before what warns, and of each code the first few: thousands would hide the rest."""
    by_code: dict[tuple[Severity, Code], list[Finding]] = {}
    for severity in (Severity.REFUSE, Severity.WARN, Severity.NOTE):
        for finding in findings:
            if finding.severity is severity:
                by_code.setdefault((severity, finding.code), []).append(finding)
    for (_severity, code), found in by_code.items():
        yield from finding_lines(found[:_SHOWN])
        if len(found) > _SHOWN:
            yield f"       and {len(found) - _SHOWN} more {code}; --json lists them all"


def _unspent(verdict: ReservesVerdict) -> str:
    if verdict.coins_unspent is Reserve.INCONCLUSIVE:
        return "at the block, by the word of whoever wrote the snapshot"
    return "yes, at the block" if verdict.coins_unspent is Reserve.VALID else "NO: not as the statement says"


def _statement_lines(one: StatementVerdict) -> Iterator[Line]:
    statement = one.statement
    yield Styled(f"statement {one.number}     {statement.challenge.holder}", Style.STRONG)
    yield f"  purpose       {statement.challenge.purpose}"
    yield f"  says          {format_btc(statement.total)} BTC; proven here {format_btc(one.counted)} BTC"
    kinds = ", ".join(sorted({str(proof.kind) for proof in statement.proofs})) or "nothing"
    yield f"  proven by     {kinds}"
    if one.signers is None:
        yield "  vault         not disclosed: which of its keys signed, and who else holds some, isn't shown"
    else:
        yield f"  vault         by its descriptor; signed by the keys {', '.join(one.signers) or '(none)'}"
    yield f"  digest        {statement.digest}"


def _age_lines(age: ReserveAge) -> Iterator[Line]:
    if age.median is None:
        return
    yield Styled("AGE OF THE COINS, at the block", Style.STRONG)
    yield f"  oldest {age.oldest} blocks; half of the sum {age.median} blocks or older; youngest {age.youngest} blocks"
    for one in age.inflows:
        yield f"  came or moved within {one.blocks} blocks: {format_btc(one.total)} BTC in {one.coins} coin(s)"
    if age.immature:
        yield f"  mined and not spendable yet: {format_btc(age.immature)} BTC"
    yield f"  spent by now: {format_btc(age.moved_since)} BTC"
