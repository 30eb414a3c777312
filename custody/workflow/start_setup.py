"""Round 1 of BIP 129 at the coordinator's: a folder with the terms, a token and a request for each signer.

setup.yaml               the terms (custody-setup/1)
requests/NAME-request.yaml  for each cosigner, without the token
tokens/NAME.token        each cosigner's token; goes to them by another channel than the request
keys/                    key records that were accepted, encrypted as the setup is
records/                 descriptor records, one per cosigner, once all keys are there
"""

from dataclasses import dataclass
from pathlib import Path

from custody import atomic
from custody.ports import NonceSource
from custody.vault.bsms_token import Encryption, Token
from custody.workflow.setup_terms import SetupRequest, SetupTerms, setup_text
from custody.workflow.used_tokens import note_use
from custody.workspace.fresh_folder import fresh_folder

_ATTEMPTS = 8
"""Of 1,900 tokens of 64 bits one is unclear in decimal, of those of 128 bits none that anybody will see."""


@dataclass(frozen=True, slots=True)
class SetupFolder:
    """The names in a setup's folder."""

    folder: Path

    @property
    def setup_yaml(self) -> Path:
        """The terms."""
        return self.folder / "setup.yaml"

    def request(self, cosigner: str) -> Path:
        """The request for one cosigner."""
        return self.folder / "requests" / f"{cosigner}-request.yaml"

    def token(self, cosigner: str) -> Path:
        """One cosigner's token."""
        return self.folder / "tokens" / f"{cosigner}.token"

    def key_record(self, cosigner: str, suffix: str) -> Path:
        """One cosigner's key record, as sealed as the setup is: the text of a record holds the token."""
        return self.folder / "keys" / f"{cosigner}-key{suffix}"

    def descriptor_record(self, cosigner: str, suffix: str) -> Path:
        """The descriptor record for one cosigner."""
        return self.folder / "records" / f"{cosigner}-vault{suffix}"


def start_setup(folder: Path, terms: SetupTerms, *, nonces: NonceSource, used_tokens: Path) -> None:
    """Write the setup's folder, with fresh tokens.

    Raises:
        Conflict: VAULT_EXISTS, something stands at `folder`.
        CheckFailed: BSMS_TOKEN_REUSED: the source of randomness repeats itself.
    """
    tokens = _new_tokens(terms, nonces)
    with fresh_folder(folder, unique=nonces.nonce()) as temporary:
        # INVARIANT: a token is on the list before anybody can be given it.
        note_use(used_tokens, tuple(tokens.values()), terms.setup_id)
        inside = SetupFolder(temporary)
        for name in ("requests", "tokens", "keys", "records"):
            atomic.make_directory(temporary / name)
        atomic.create_file(inside.setup_yaml, setup_text(terms).encode())
        for cosigner, token in tokens.items():
            atomic.create_file(inside.request(cosigner), SetupRequest.made(terms, cosigner, token).to_text().encode())
            atomic.create_file(inside.token(cosigner), token.to_text().encode())


def _new_tokens(terms: SetupTerms, nonces: NonceSource) -> dict[str, Token]:
    if terms.encryption is Encryption.NONE:
        return dict.fromkeys(terms.cosigners, Token(b"\0"))
    length = terms.encryption.token_length
    if terms.shared_token:
        return dict.fromkeys(terms.cosigners, _new_token(length, nonces))
    return {cosigner: _new_token(length, nonces) for cosigner in terms.cosigners}


def _new_token(length: int, nonces: NonceSource) -> Token:
    """Return a fresh token that nobody can read as another one when it is told in decimal."""
    for _attempt in range(_ATTEMPTS):
        token = Token(bytes.fromhex(nonces.nonce())[:length])
        if token.is_clear_in_decimal:
            break
    return token
