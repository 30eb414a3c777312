"""Attested receive addresses made without a workspace: terms, officers' soft signatures, the payer's files."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from custody.bitcoin.address import address_of, script_of
from custody.bitcoin.amount import Sats
from custody.bitcoin.network import Network
from custody.people.receive import ReceiveTerms
from custody.people.receive_document import OfficerSignature, ReceiveDocument
from custody.people.statement import GovernanceRef
from custody.vault.vault import Vault
from support.governed import signer_of
from support.vaults import make_vault

INDEX = 7
NAMESPACE = "custody-receive/1"


def vault() -> Vault:
    """Return the vault that is paid."""
    return make_vault()


def terms_of(paid: Vault | None = None, **changes: Any) -> ReceiveTerms:
    """Return terms for the vault's receive address 7."""
    paid = paid or vault()
    terms = ReceiveTerms(
        vault=paid.name,
        vault_id=paid.vault_id,
        network=paid.network,
        index=INDEX,
        address=paid.address_at(0, INDEX),
        purpose="block rewards of May",
        amount=Sats(150_000_000),
        payer="Pool X",
        drafter="dora",
        needed=2,
        governance=GovernanceRef(0, "ab" * 32),
        nonce="0" * 31 + "1",
        expires_height=5_000,
    )
    return replace(terms, **changes)


def signature_of(name: str, terms: ReceiveTerms, *, key: str | None = None, namespace: str = NAMESPACE) -> str:
    """Return a signature, by another's key or for another namespace on demand."""
    return signer_of(key or name).sign(terms.statement.signed_bytes, namespace=namespace)


def document(terms: ReceiveTerms, *names: str) -> ReceiveDocument:
    """Return the payer's document with good signatures."""
    return ReceiveDocument(terms, tuple(OfficerSignature(one, signature_of(one, terms)) for one in names), None)


def write(folder: Path, made: ReceiveDocument, **edits: Any) -> Path:
    """Write a document, its fields edited as a forger would; the text is made to fit unless it is edited too."""
    path = folder / "attestation.json"
    fields = json.loads(made.to_bytes()) | edits
    if edits and "statement" not in edits:
        keys = made.terms.to_document()
        fields["statement"] = ReceiveTerms.from_document({key: fields[key] for key in keys}).statement.text
    path.write_text(json.dumps(fields))
    return path


def allowed_signers(folder: Path, *names: str) -> Path:
    """Write the list of officers that a payer got another way."""
    path = folder / "allowed_signers"
    path.write_text("".join(f"{name} {signer_of(name).public.to_text()}\n" for name in names))
    return path


def look_alike(address: str, network: Network) -> str:
    """Build another address with the same first 6 and last 4 characters: the checksum is linear over the bits.

    Differences of single bits in the program change the checksum by fixed patterns; among more of them than a tail
    has bits some add up to a pattern that leaves the tail alone.
    """
    script = script_of(address, network)
    head, program = script[:2], script[2:]
    # The first five characters of data stay: enough for the head of every network.
    bits = range(40, len(program) * 8)

    def flipped(mask: int) -> str:
        number = int.from_bytes(program, "big") ^ mask
        made = address_of(head + number.to_bytes(len(program), "big"), network)
        assert made is not None
        return made

    def tail(text: str) -> int:
        alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
        return sum(alphabet.index(letter) << (5 * place) for place, letter in enumerate(text[-4:]))

    basis: dict[int, tuple[int, int]] = {}
    for place in bits:
        mask = 1 << (len(program) * 8 - 1 - place)
        pattern = tail(flipped(mask)) ^ tail(address)
        while pattern and pattern.bit_length() in basis:
            other_pattern, other_mask = basis[pattern.bit_length()]
            pattern, mask = pattern ^ other_pattern, mask ^ other_mask
        if not pattern:
            return flipped(mask)
        basis[pattern.bit_length()] = (pattern, mask)
    raise AssertionError("more bits than a tail has are dependent")
