"""Which wallet format a file is, by its content and never by its name; one reader and writer for all.

Formats other than our own know neither the vault's name nor its cosigners' nor, beyond main
or test, its network: these come from the person who imports. There is no default network.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from custody.bitcoin.descriptor import Descriptor
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.canonical_json import parse_json
from custody.errors import Finding, InvalidInput, UsageError
from custody.vault.cosigner import Cosigner
from custody.vault.formats import core_descriptors, descriptor_text, vault_file
from custody.vault.vault import Vault


class VaultFormat(StrEnum):
    """A format that a vault can be read from and written to."""

    VAULT = "vault"
    DESCRIPTOR = "descriptor"
    CORE = "core"


@dataclass(frozen=True, slots=True)
class ImportTerms:
    """What the person who imports says about the vault."""

    name: str | None
    network: Network | None
    receive_only: bool = False
    birth_height: int | None = None


_Value = TypeVar("_Value")
_FUNCTION = re.compile(rb"\s*[a-z0-9_]+\s*\(")
_OBJECT_OR_ARRAY = re.compile(rb"\s*[\[{]")


def detect_format(data: bytes) -> VaultFormat:
    """Return the format that the content has the shape of; whether it is valid is not looked at.

    Raises:
        InvalidInput: JSON that can't be read.
    """
    if _FUNCTION.match(data):
        return VaultFormat.DESCRIPTOR
    if not _OBJECT_OR_ARRAY.match(data):
        return VaultFormat.VAULT
    document = parse_json(data, max_bytes=core_descriptors.MAX_BYTES)
    return VaultFormat.VAULT if isinstance(document, dict) and "format" in document else VaultFormat.CORE


def read_vault(data: bytes, terms: ImportTerms) -> tuple[Vault, tuple[Finding, ...]]:
    """Read a vault from any format, and what is worth saying about the file.

    Raises:
        UsageError: the name or network is missing where the format doesn't have it.
        InvalidInput: all that the format refuses; NETWORK_MISMATCH; CHANGE_BRANCH_MISSING.
    """
    kind = detect_format(data)
    if kind is VaultFormat.VAULT:
        return _ours(vault_file.parse(data), terms), ()
    network = _given(terms.network, "--network")
    if kind is VaultFormat.CORE:
        descriptor, findings = core_descriptors.parse(data, network)
        return _named(descriptor, network, terms), findings
    return _named(descriptor_text.parse(data, network), network, terms), ()


def write_vault(vault: Vault, kind: VaultFormat) -> str:
    """Return the vault in the given format; reading it again gives the same vault_id."""
    write = {
        VaultFormat.VAULT: vault_file.write,
        VaultFormat.DESCRIPTOR: descriptor_text.write,
        VaultFormat.CORE: core_descriptors.write,
    }[kind]
    return write(vault)


def _ours(vault: Vault, terms: ImportTerms) -> Vault:
    if terms.network is not None and terms.network is not vault.network:
        raise InvalidInput(
            Code.NETWORK_MISMATCH,
            f"the file is for network `{vault.network}`, --network says `{terms.network}`",
            advice="Find out for which network the vault was made.",
        )
    return Vault(
        terms.name or vault.name,
        vault.network,
        vault.descriptor,
        vault.cosigners,
        vault.birth_height if terms.birth_height is None else terms.birth_height,
        terms.receive_only,
    )


def _named(descriptor: Descriptor, network: Network, terms: ImportTerms) -> Vault:
    cosigners = tuple(Cosigner(f"cosigner-{number}", key) for number, key in enumerate(descriptor.keys, start=1))
    return Vault(
        name=_given(terms.name, "--name"),
        network=network,
        descriptor=descriptor,
        cosigners=cosigners,
        birth_height=terms.birth_height or 0,
        receive_only=terms.receive_only,
    )


def _given(value: _Value | None, option: str) -> _Value:
    if value is None:
        raise UsageError(
            Code.USAGE,
            f"{option} is missing: this format doesn't say it",
            advice=f"Add {option}; nothing is assumed.",
        )
    return value
