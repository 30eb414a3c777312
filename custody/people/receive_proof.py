"""An attested address's own word: a BIP 322 signature by its keys over the statement that officers signed."""

from custody.bitcoin.address import script_of
from custody.bitcoin.bip322 import MessageResult, verify_message
from custody.people.receive import ReceiveTerms


def verify_proof(terms: ReceiveTerms, proof: str) -> MessageResult:
    """Judge a BIP 322 signature by the terms' address over their statement."""
    script = script_of(terms.address, terms.network)
    return verify_message(terms.statement.signed_bytes, script, proof, outputs={})
