"""`custody psbt review` of a bundle, or of any file by a signer who has a trust pin."""

from custody.audit.bundle import Bundle
from custody.audit.trust_pin import MAX_BYTES, TrustPin
from custody.bitcoin.psbt import psbt_from_text_or_bytes
from custody.spend.review_model import ReviewContext
from custody.vault.vault import Vault
from custody.workflow.review_bundle import review_bare_psbt, review_bundle
from custody_cli.bundle_screen import bundle_lines
from custody_cli.options import read_input
from custody_cli.output import Answer
from custody_cli.review_options import is_bundle
from custody_cli.review_screen import exit_of, review_answer


def governed_answer(data: bytes, vault: Vault, pin_file: str | None, context: ReviewContext) -> Answer:
    """Review the bytes of a file that was read once: nothing is read again between judging and showing."""
    pin = None if pin_file is None else read_pin(pin_file)
    if not is_bundle(data):
        return review_answer(review_bare_psbt(psbt_from_text_or_bytes(data), vault, context), vault)
    answer = review_bundle(Bundle.from_bytes(data), vault, pin, context)
    return Answer(answer.to_json(), lambda: bundle_lines(answer, vault), exit_of(answer.review))


def read_pin(place: str) -> TrustPin:
    """Read a signer's own trust pin."""
    return TrustPin.from_bytes(read_input(place, max_bytes=MAX_BYTES))
