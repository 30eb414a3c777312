"""Version, locktime and sequences: when the transaction may be mined and whether it can be replaced (A46, A48)."""

from datetime import UTC, datetime, timedelta

from custody.bitcoin.psbt import Psbt
from custody.bitcoin.transaction import FINAL_SEQUENCE
from custody.codes import Code
from custody.errors import Finding
from custody.spend.review_findings import TX, at_input, note, refuse, warn
from custody.spend.review_model import ReviewLimits

LOCKTIME_THRESHOLD = 500_000_000
"""Below it a locktime is a height, from it on Unix seconds."""
MAX_RBF_SEQUENCE = 0xFFFFFFFD
"""At or below it an input signals replaceability (BIP 125)."""
_DISABLE_FLAG = 1 << 31
_TIME_FLAG = 1 << 22
_LOCK_MASK = 0xFFFF
_SECONDS_PER_UNIT = 512


def time_findings(psbt: Psbt, limits: ReviewLimits) -> tuple[Finding, ...]:
    """Judge version, locktime and sequences."""
    return (*_version_findings(psbt), *_locktime_findings(psbt, limits), *_sequence_findings(psbt))


def _version_findings(psbt: Psbt) -> tuple[Finding, ...]:
    if psbt.tx_version <= 0:
        message = f"the transaction has version {psbt.tx_version}"
        return (refuse(Code.TX_VERSION_INVALID, TX, message, "Do not sign; draft the payment again."),)
    if psbt.tx_version > 2:
        message = f"the transaction has version {psbt.tx_version}, which follows relay rules of its own"
        return (warn(Code.TX_VERSION_UNUSUAL, TX, message, "Make sure that this version is meant; 2 is usual."),)
    return ()


def _locktime_findings(psbt: Psbt, limits: ReviewLimits) -> tuple[Finding, ...]:
    locktime = psbt.locktime
    if not locktime or not psbt.inputs:
        return ()
    is_time = locktime >= LOCKTIME_THRESHOLD
    words = f"{date_of(locktime)} (time {locktime})" if is_time else f"block {locktime}"
    if is_time and locktime > limits.max_lock_time:
        message = f"the transaction can not be mined before {words}"
        return (refuse(Code.LOCKTIME_FAR_FUTURE, TX, message, "Do not sign: the payment would be locked for decades."),)
    if all(one.sequence == FINAL_SEQUENCE for one in psbt.inputs):
        message = f"a locktime is set ({words}) and every input switches it off"
        return (warn(Code.LOCKTIME_WITHOUT_FORCE, TX, message, "Ask why; the payment can be mined at once."),)
    message = f"the transaction can be mined after {words} only"
    if locktime > (limits.lock_time if is_time else limits.tip_height):
        advice = "Make sure that the delay is meant; --tip-height says where the chain is."
        return (warn(Code.LOCKTIME_AHEAD, TX, message, advice),)
    advice = "Nothing to do if the chain is past that point; devices may show it as a locktime."
    return (note(Code.LOCKTIME_IN_FORCE, TX, message, advice),)


def _sequence_findings(psbt: Psbt) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    for number, one in enumerate(psbt.inputs):
        lock = relative_lock(psbt.tx_version, one.sequence)
        if lock is not None:
            message = f"the input may be spent only {lock} after its coin was mined"
            findings.append(warn(Code.RELATIVE_LOCK, at_input(number), message, "Make sure that this delay is meant."))
    if psbt.inputs and all(one.sequence > MAX_RBF_SEQUENCE for one in psbt.inputs):
        message = "no input signals that the fee may be raised later"
        findings.append(
            warn(Code.RBF_NOT_SIGNALLED, TX, message, "Prefer a draft that signals it, or a stuck payment stays stuck.")
        )
    return tuple(findings)


def relative_lock(tx_version: int, sequence: int) -> str | None:
    """Return a relative lock in words, None where the sequence sets none. Source: BIP 68."""
    count = sequence & _LOCK_MASK
    if tx_version < 2 or sequence & _DISABLE_FLAG or not count:
        return None
    if sequence & _TIME_FLAG:
        return f"{count * _SECONDS_PER_UNIT} seconds"
    return f"{count} block(s)"


def date_of(unix_seconds: int) -> str:
    """Return Unix seconds as a date in UTC."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=unix_seconds)
    return moment.strftime("%Y-%m-%d %H:%M UTC")
