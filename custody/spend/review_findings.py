"""Short ways to state a finding of a review, and the words for places in a transaction."""

from custody.codes import Code
from custody.errors import Finding, Severity

TX = "tx"
"""The place of a finding about the transaction as a whole."""

DO_NOT_SIGN = "Do not sign; ask whoever made the file, by another channel, what happened."


def at_input(number: int) -> str:
    """Return the place of input `number`, counted from 0."""
    return f"input:{number}"


def at_output(number: int) -> str:
    """Return the place of output `number`, counted from 0."""
    return f"output:{number}"


def refuse(code: Code, where: str, message: str, advice: str = DO_NOT_SIGN) -> Finding:
    """Return a finding that stops the payment."""
    return Finding(code, Severity.REFUSE, where, message, advice)


def warn(code: Code, where: str, message: str, advice: str) -> Finding:
    """Return a finding that a person has to acknowledge by its name."""
    return Finding(code, Severity.WARN, where, message, advice)


def note(code: Code, where: str, message: str, advice: str) -> Finding:
    """Return a finding that informs."""
    return Finding(code, Severity.NOTE, where, message, advice)
