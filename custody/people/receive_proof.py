"""An attested address's own word: a BIP 322 signature by its keys that names the statement which officers signed.

The statement is longer than what devices show and sign of a message, so a short text with its digest is signed.
"""

from custody.bitcoin.address import script_of
from custody.bitcoin.bip322 import MessageResult, verify_message
from custody.people.receive import ReceiveTerms


def proof_message(terms: ReceiveTerms) -> bytes:
    """Return what the address signs: three lines of ASCII, without a line feed at the end."""
    lines = ("Receive address", f"address: {terms.address}", f"statement SHA-256: {terms.statement.digest}")
    return "\n".join(lines).encode("ascii")


def verify_proof(terms: ReceiveTerms, proof: str) -> MessageResult:
    """Judge a BIP 322 signature by the terms' address over the message that names their statement."""
    script = script_of(terms.address, terms.network)
    return verify_message(proof_message(terms), script, proof, outputs={})
