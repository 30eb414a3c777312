"""Ask a person to type the amount before a step that matters; scripts answer on stdin or by option."""

import sys

from custody.codes import Code
from custody.documents.secret_gate import scan_text
from custody.errors import NotYet
from custody.workflow.proposal_view import ProposalView
from custody_cli.output import print_lines
from custody_cli.proposal_screen import payment_lines

_LONGEST_ANSWER = 100


def confirm_amount(view: ProposalView, *, verb: str, confirm_sats: int | None) -> None:
    """Show destinations, amount and fee on stderr, and demand the amount in satoshis.

    Raises:
        NotYet: CONFIRMATION_EMPTY or CONFIRMATION_MISMATCH.
    """
    wanted = view.amount_to_confirm
    if confirm_sats is None:
        print_lines(payment_lines(view), sys.stderr)
        sys.stderr.write(f"To {verb} this, type the amount in satoshis ({wanted}), or nothing to stop: ")
        sys.stderr.flush()
        line = _read_line()
        scan_text(line, place="the answer")
        answer = line.strip().removesuffix("sat").replace(",", "").strip()
        if not answer:
            raise NotYet(
                Code.CONFIRMATION_EMPTY, "nothing was typed: nothing was done", advice="Run the command again."
            )
        confirm_sats = int(answer) if answer.isascii() and answer.isdigit() else -1
    if confirm_sats != wanted:
        raise NotYet(
            Code.CONFIRMATION_MISMATCH,
            f"the amount typed is not the amount of this payment, which is {wanted} sat",
            advice="Read the payment again; if it is right, repeat with exactly that amount.",
            details={"wanted_sats": wanted},
        )


def _read_line() -> str:
    """Return the answer; stdin may be closed, or hold bytes that are no text, which match no amount."""
    if sys.stdin is None:
        return ""
    try:
        return sys.stdin.readline(_LONGEST_ANSWER)
    except UnicodeDecodeError:
        return "?"
