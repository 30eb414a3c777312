"""Round 2 of BIP 129 at the signer's, as part of `vault import`: a descriptor record, and what it must hold."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path

import click

from custody.codes import Code
from custody.errors import UsageError
from custody.vault.bsms_token import Encryption, Token
from custody.vault.formats.registry import ImportTerms
from custody.vault.importing import Imported
from custody.vault.vault import Vault
from custody.workflow.answer_setup import RoundTwo, own_positions
from custody.workflow.setup_terms import SetupRequest
from custody_cli.output import Answer, Line
from custody_cli.setup_inputs import (
    read_key_or_file,
    read_request_file,
    read_token,
    request_option,
    token_file_option,
    used_tokens_beside,
    used_tokens_option,
)


@dataclass(frozen=True, slots=True)
class RoundTwoOptions:
    """What `vault import` was given about a descriptor record of BIP 129."""

    token: Token | None
    request: SetupRequest | None
    own_key: str | None
    used_tokens: Path | None
    is_named: bool
    """The person names the cosigners (--cosigner-name)."""

    def terms(self, terms: ImportTerms) -> ImportTerms:
        """Return the import's terms with the request's name and network where the command line has none."""
        if self.request is None:
            return terms
        asked = self.request.terms
        return replace(terms, name=terms.name or asked.name, network=terms.network or asked.network)

    def plaintext(self, data: bytes) -> bytes:
        """Return the record's text; a file that has nothing to do with BIP 129 is returned as it is.

        Raises:
            UsageError: a request without the token that it speaks of, or without the own key.
        """
        if self.request is None:
            return RoundTwo(self.token, None, None).plaintext(data)
        token = self.token
        if token is None and self.request.terms.encryption is Encryption.NONE:
            token = Token(b"\0")
        if token is None or self.own_key is None:
            raise UsageError(
                Code.USAGE,
                f"{'--token-file' if token is None else '--own-key'} is missing: with a request, both are checked",
                advice="Give the token that came with the request, and the key of your device or its file.",
            )
        return RoundTwo(token, self.request, None).plaintext(data)

    def for_vault(self, vault: Vault) -> RoundTwo:
        """Return what the vault is held against; the own key is read for its network and script."""
        key = None
        if self.own_key is not None:
            key = read_key_or_file(self.own_key, vault.descriptor.script_type, vault.network)
        return RoundTwo(self.token, self.request, key)


def round_two_options(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """Give a command the options of round 2; it takes them as one argument, `round_two`."""

    @wraps(function)
    def with_options(
        *args: object,
        token_file: str | None,
        request_file: str | None,
        own_key: str | None,
        used_tokens: Path | None,
        **kwargs: object,
    ) -> Answer:
        request = None if request_file is None else read_request_file(request_file)
        token = None if token_file is None else read_token(token_file)
        is_named = bool(kwargs.get("cosigner_names"))
        kwargs["round_two"] = RoundTwoOptions(token, request, own_key, used_tokens, is_named)
        return function(*args, **kwargs)

    options = (
        token_file_option,
        request_option,
        click.option("--own-key", metavar="KEY|FILE", help="Refuse a vault that your own key is not in, whole."),
        used_tokens_option,
    )
    command: Callable[..., Answer] = with_options
    for option in reversed(options):
        command = option(command)
    return command


def held_against(imported: Imported, options: RoundTwoOptions, directory: Path) -> tuple[Imported, tuple[int, ...]]:
    """Hold an imported vault against the request and the own key; return it, and the own key's places in it.

    Names come from the request, whose order the record's keys have; what the person named goes before.

    Raises:
        CheckFailed: VAULT_MISMATCH, COSIGNER_MISMATCH, BSMS_TOKEN_REUSED.
    """
    vault = imported.vault
    round_two = options.for_vault(vault)
    findings = round_two.require_agreed(vault)
    round_two.note_token(vault, used_tokens_beside(options.used_tokens, directory))
    if options.request is not None and not options.is_named:
        names = options.request.terms.cosigners
        cosigners = tuple(replace(one, name=name) for one, name in zip(vault.cosigners, names, strict=True))
        vault = replace(vault, cosigners=cosigners)
    places = () if round_two.own_key is None else own_positions(vault, round_two.own_key)
    return replace(imported, vault=vault, remarks=(*imported.remarks, *findings)), places


def round_two_lines(places: tuple[int, ...], vault: Vault, options: RoundTwoOptions) -> Iterator[Line]:
    """Say what was held against what, where the own key stands, and what is left to people."""
    if options.request is not None:
        yield "threshold, number of keys, script and network are those of your request"
    if places:
        place = f"key {', '.join(map(str, places))} of {len(vault.cosigners)}"
        yield f"your key is {place}, compared whole; nobody compared the others' keys yet"
    if options.token is not None:
        yield "NEXT   compare the above with all others, register the vault on your device, then delete the token"
