"""A vault, shown: the JSON of `vault show` and the same facts for people."""

from collections.abc import Iterator, Sequence

from custody.bitcoin.descriptor import Branch
from custody.documents.display import group_address
from custody.errors import Finding, JsonValue
from custody.vault.vault import Vault
from custody_cli.output import Line, Style, Styled, finding_lines, findings_json

_FIRST_ADDRESSES = 3


def vault_json(vault: Vault, findings: Sequence[Finding] = ()) -> dict[str, JsonValue]:
    """Return what `vault show --json` answers."""
    return {
        "vault_id": vault.vault_id,
        "document_digest": vault.document_digest,
        "name": vault.name,
        "network": str(vault.network),
        "script": str(vault.descriptor.script_type),
        "threshold": vault.threshold,
        "birth_height": vault.birth_height,
        "receive_only": vault.receive_only,
        "cosigners": [
            {
                "name": cosigner.name,
                "key": cosigner.key.to_text(vault.network),
                "fingerprint": cosigner.fingerprint.hex(),
            }
            for cosigner in vault.cosigners
        ],
        "descriptor": vault.descriptor_text,
        "first_address": vault.first_address,
        "findings": findings_json(findings),
    }


def vault_lines(vault: Vault, findings: Sequence[Finding] = ()) -> Iterator[Line]:
    """Say what a person compares first, then the rest."""
    rule = f"{vault.threshold} of {len(vault.cosigners)}, {vault.descriptor.script_type}"
    yield Styled(f"vault {vault.name} on {vault.network}: {rule}", Style.STRONG)
    yield f"vault_id         {vault.vault_id}"
    yield f"first address    {group_address(vault.first_address)}"
    yield f"document digest  {vault.document_digest}"
    yield f"birth height     {vault.birth_height}" + (", receive-only" if vault.receive_only else "")
    for cosigner in vault.cosigners:
        yield f"cosigner         {cosigner.name}  {cosigner.key.to_text(vault.network)}"
    yield f"descriptor       {vault.descriptor_text}"
    yield from finding_lines(findings)


def first_addresses_json(vault: Vault) -> list[JsonValue]:
    """Return the addresses that `compare_lines` shows, the first three of each branch."""
    deriver = vault.deriver
    return [
        {"branch": Branch(branch).label, "index": index, "address": deriver.address_at(branch, index, vault.network)}
        for branch in vault.descriptor.branches
        for index in range(_FIRST_ADDRESSES)
    ]


def compare_lines(vault: Vault) -> Iterator[Line]:
    """Give what every party compares after a vault was made or brought in."""
    deriver = vault.deriver
    yield ""
    yield "Compare vault_id and these addresses with every cosigner's own device or copy, over another channel:"
    for branch in vault.descriptor.branches:
        for index in range(_FIRST_ADDRESSES):
            address = deriver.address_at(branch, index, vault.network)
            yield f"  {Branch(branch).label:<7} {index}  {group_address(address)}"
