"""Short ways to state what was found about statements of reserves, and the words for places in them."""

from custody.codes import Code
from custody.errors import Finding, Severity

DONT_COUNT = "Don't count it, and ask the holder."
TWICE_ADVICE = "Count it once, and ask every holder whose it is."


def at_statement(number: int) -> str:
    """Return the place of statement `number`, counted from 1 in the order given."""
    return f"statement:{number}"


def refuse_claim(code: Code, where: str, message: str, advice: str = DONT_COUNT) -> Finding:
    """Return a finding that makes the whole invalid."""
    return Finding(code, Severity.REFUSE, where, message, advice)


def warn_of(code: Code, where: str, message: str, advice: str) -> Finding:
    """Return a finding for the reader to weigh."""
    return Finding(code, Severity.WARN, where, message, advice)
