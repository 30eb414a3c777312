"""Statements of reserves, judged: everything recomputed from the claimed addresses and the verifier's own view.

1. Each statement answers the challenge given, whose block is deep, active and recent (A81, A83).
2. Each claimed address is an address; with a descriptor, both engines derive it (A80: scripts are compared).
3. Each claimed coin was unspent at the block, with that value, at that address; the sums agree.
4. No coin and no address is counted twice, within a statement or across all (A80).
5. Each address's keys are proven; a proof that can't be judged makes the whole inconclusive, never valid (A84).
6. Said beside it: the age of the coins (A85), and what no such proof shows.

All findings are collected. That keys are proven and that coins are unspent are two answers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from custody.audit.reserves.age import STRIKING_SHARE, ReserveAge, age_of
from custody.audit.reserves.challenge import Challenge, challenge_age
from custody.audit.reserves.claims import StatementVerdict, judge_statement
from custody.audit.reserves.descriptor import KnownVault
from custody.audit.reserves.findings import (
    TWICE_ADVICE,
    at_statement,
    refuse_claim,
    warn_of,
)
from custody.audit.reserves.statement import ProofKind, Statement, not_proven
from custody.audit.reserves.view import ReserveView, SeenCoin
from custody.bitcoin.amount import Sats, format_btc
from custody.bitcoin.transaction import OutPoint
from custody.codes import Code
from custody.errors import CheckFailed, Finding, Severity


class Reserve(StrEnum):
    """The whole in one word."""

    VALID = "valid"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class ReservesVerdict:
    """What was found out about all statements together."""

    result: Reserve
    total: Sats
    """By the verifier's own view, of coins at proven addresses, each counted once."""
    coins: int
    keys_proved: Reserve
    """Whether the keys of every claimed address are proven."""
    coins_unspent: Reserve
    """Whether every claimed coin was unspent at the block; inconclusive where only a snapshot's writer says so."""
    statements: tuple[StatementVerdict, ...]
    age: ReserveAge
    findings: tuple[Finding, ...]
    not_proven: tuple[str, ...]


def verify_statements(
    statements: Sequence[Statement],
    challenges: Sequence[Challenge],
    view: ReserveView,
    *,
    known: KnownVault | None = None,
    max_age: int | None = None,
) -> ReservesVerdict:
    """Judge statements that are all for one block.

    `challenges` are those that the verifier sent; none: each statement's own is taken, which is said. `known` is a
    vault of which the verifier has the descriptor. `max_age` is the age in blocks that the verifier allows.

    Raises:
        CheckFailed: CHALLENGE_MISMATCH, the statements are for different blocks.
    """
    challenge = require_one_block(statements)
    judged = tuple(
        judge_statement(number, statement, view, known) for number, statement in enumerate(statements, start=1)
    )
    counted = _counted(judged, view)
    age = age_of(challenge, counted, view.still_unspent)
    findings = (
        *_challenge_findings(statements, challenges),
        *_timely(statements, view, max_age),
        *(finding for one in judged for finding in one.findings),
        *_twice(judged),
        *_beside(view, age, Sats(sum(coin.value for coin in counted))),
    )
    return ReservesVerdict(
        result=_result(findings, view),
        total=Sats(sum(coin.value for coin in counted)),
        coins=len(counted),
        keys_proved=_keys_proved(judged),
        coins_unspent=_coins_unspent(findings, view),
        statements=judged,
        age=age,
        findings=findings,
        not_proven=not_proven(
            disclosed=all(one.descriptor is not None for one in statements),
            by_payment=any(proof.kind is ProofKind.PAYMENT for one in statements for proof in one.proofs),
        ),
    )


def require_one_block(statements: Sequence[Statement]) -> Challenge:
    """Return a challenge of the one block that all statements are for.

    Raises:
        CheckFailed: CHALLENGE_MISMATCH.
    """
    blocks = {(one.challenge.network, one.challenge.height, one.challenge.block_hash) for one in statements}
    if len(blocks) != 1:
        raise CheckFailed(
            Code.CHALLENGE_MISMATCH,
            f"the statements are for {len(blocks)} different blocks: a coin that moved could count at each",
            advice="Ask every holder for a statement at one and the same block.",
        )
    return statements[0].challenge


def _challenge_findings(statements: Sequence[Statement], challenges: Sequence[Challenge]) -> Iterator[Finding]:
    for number, statement in enumerate(statements, start=1):
        if not challenges:
            yield warn_of(
                Code.CHALLENGE_NOT_GIVEN,
                at_statement(number),
                "no challenge was given: the statement's own is taken, which its holder may have written",
                "Give the challenge that you sent, with --challenge; of a public page ask its auditor for it.",
            )
        elif statement.challenge not in challenges:
            mine, theirs = challenges[0], statement.challenge
            what = "holder" if mine.holder != theirs.holder else "nonce" if mine.nonce != theirs.nonce else "terms"
            yield refuse_claim(
                Code.CHALLENGE_MISMATCH,
                at_statement(number),
                f"it answers challenge `{theirs.digest[:16]}` for `{theirs.holder}`, not `{mine.digest[:16]}`: "
                f"another {what}",
                "Don't count it: it was made for somebody else or at another time.",
            )


def _timely(statements: Sequence[Statement], view: ReserveView, max_age: int | None) -> Iterator[Finding]:
    said: set[str] = set()
    for statement in statements:
        for finding in challenge_age(statement.challenge, view.block, max_age=max_age):
            if finding.message not in said:
                said.add(finding.message)
                yield finding


def _twice(judged: Sequence[StatementVerdict]) -> Iterator[Finding]:
    """Yield a finding for each script and each coin that is claimed again (A80)."""
    scripts: dict[bytes, int] = {}
    outpoints: dict[OutPoint, int] = {}
    for one in judged:
        for script, address in one.claimed_scripts:
            if script in scripts:
                yield _again(one.number, scripts[script], f"address `{address}`")
            scripts.setdefault(script, one.number)
        for coin in one.statement.coins:
            if coin.outpoint in outpoints:
                yield _again(one.number, outpoints[coin.outpoint], f"coin `{coin.outpoint}`")
            outpoints.setdefault(coin.outpoint, one.number)


def _again(number: int, before: int, what: str) -> Finding:
    by = "the same statement" if number == before else f"statement {before}"
    message = f"{what} is claimed by {by} already; it counts once"
    return refuse_claim(Code.OUTPOINT_COUNTED_TWICE, at_statement(number), message, TWICE_ADVICE)


def _beside(view: ReserveView, age: ReserveAge, total: Sats) -> Iterator[Finding]:
    if view.is_word_of_writer:
        yield warn_of(
            Code.UTXO_UNVERIFIED,
            "challenge",
            "that the coins exist and are unspent is the word of whoever wrote the snapshot",
            "Verify with a node of your own before you rely on the sum.",
        )
    recent = age.striking
    if recent.total * STRIKING_SHARE > total:
        yield warn_of(
            Code.RESERVE_RECENT_INFLOW,
            "challenge",
            f"{format_btc(recent.total)} of {format_btc(total)} BTC came or moved within {recent.blocks} blocks "
            "before the block",
            "Ask where they came from: coins can be borrowed for the day of a proof.",
        )
    if age.moved_since:
        yield warn_of(
            Code.RESERVE_MOVED_SINCE,
            "challenge",
            f"{format_btc(age.moved_since)} BTC of it are spent by block {view.block.tip_height}",
            "Ask where they went; the sum holds for the challenge's block alone.",
        )


def _counted(judged: Sequence[StatementVerdict], view: ReserveView) -> tuple[SeenCoin, ...]:
    proven = {script for one in judged for script in one.proven}
    return tuple(coin for coin in view.coins if coin.script_pubkey in proven)


def _keys_proved(judged: Sequence[StatementVerdict]) -> Reserve:
    answers = {one.keys_proved for one in judged}
    if False in answers:
        return Reserve.INVALID
    return Reserve.INCONCLUSIVE if None in answers else Reserve.VALID


_ABOUT_COINS = frozenset({Code.RESERVE_COIN_UNKNOWN, Code.RESERVE_TOTAL_DIFFERS, Code.BLOCK_ORPHANED})


def _coins_unspent(findings: Sequence[Finding], view: ReserveView) -> Reserve:
    if any(finding.code in _ABOUT_COINS for finding in findings):
        return Reserve.INVALID
    return Reserve.INCONCLUSIVE if view.is_word_of_writer else Reserve.VALID


def _result(findings: Sequence[Finding], view: ReserveView) -> Reserve:
    """Return the worse of the two answers: what a snapshot's writer says of the coins is nobody's finding."""
    if any(finding.severity is Severity.REFUSE for finding in findings):
        return Reserve.INVALID
    unjudged = any(finding.code is Code.RESERVE_UNJUDGED for finding in findings)
    return Reserve.INCONCLUSIVE if unjudged or view.is_word_of_writer else Reserve.VALID
