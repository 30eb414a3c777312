"""One reader and one writer for all wallet formats.

Formats other than our own know neither the vault's name nor its cosigners' nor, beyond main
or test, its network: these come from the person who imports. There is no default network.
What leaves through a writer comes back through its reader to the same vault_id; formats that
can't promise that have a reader only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from custody.bitcoin.descriptor import Descriptor
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.documents.secret_gate import scan_bytes
from custody.errors import Finding, InvalidInput, UsageError
from custody.vault.cosigner import Cosigner
from custody.vault.formats import (
    bip388,
    bluewallet,
    bsms,
    caravan,
    cobo_vault,
    coldcard,
    core_descriptors,
    core_wallet,
    descriptor_text,
    electrum,
    jade,
    keystone,
    liana,
    nunchuk,
    passport,
    sparrow,
    sparrow_text,
    specter,
    specter_diy,
    vault_file,
)
from custody.vault.formats.detect import VaultFormat, detect_format
from custody.vault.vault import Vault

Read = tuple[Descriptor, tuple[Finding, ...]]


def _read_descriptor_text(data: bytes, network: Network) -> Read:
    return descriptor_text.parse(data, network), ()


READERS: Mapping[VaultFormat, Callable[[bytes, Network], Read]] = {
    VaultFormat.DESCRIPTOR: _read_descriptor_text,
    VaultFormat.CORE: core_descriptors.parse,
    VaultFormat.CORE_WALLET: core_wallet.parse,
    VaultFormat.SPARROW: sparrow.parse,
    VaultFormat.SPARROW_TEXT: sparrow_text.parse,
    VaultFormat.SPECTER: specter.parse,
    VaultFormat.SPECTER_DIY: specter_diy.parse,
    VaultFormat.CARAVAN: caravan.parse,
    VaultFormat.COLDCARD: coldcard.parse,
    VaultFormat.COBO_VAULT: cobo_vault.parse,
    VaultFormat.KEYSTONE: keystone.parse,
    VaultFormat.PASSPORT: passport.parse,
    VaultFormat.JADE: jade.parse,
    VaultFormat.BLUEWALLET: bluewallet.parse,
    VaultFormat.NUNCHUK: nunchuk.parse,
    VaultFormat.ELECTRUM: electrum.parse,
    VaultFormat.BIP388: bip388.parse,
    VaultFormat.BSMS: bsms.parse,
    VaultFormat.LIANA: liana.parse,
}
"""Every format but our own vault file, which brings name and network itself."""

WRITERS: Mapping[VaultFormat, Callable[[Vault], str]] = {
    VaultFormat.VAULT: vault_file.write,
    VaultFormat.DESCRIPTOR: descriptor_text.write,
    VaultFormat.CORE: core_descriptors.write,
    VaultFormat.SPARROW: sparrow.write,
    VaultFormat.SPECTER: specter.write,
    VaultFormat.SPECTER_DIY: specter_diy.write,
    VaultFormat.CARAVAN: caravan.write,
    VaultFormat.COLDCARD: coldcard.write,
    VaultFormat.COBO_VAULT: cobo_vault.write,
    VaultFormat.KEYSTONE: keystone.write,
    VaultFormat.PASSPORT: passport.write,
    VaultFormat.JADE: jade.write,
    VaultFormat.BLUEWALLET: bluewallet.write,
    VaultFormat.NUNCHUK: nunchuk.write,
    VaultFormat.ELECTRUM: electrum.write,
    VaultFormat.BIP388: bip388.write,
    VaultFormat.BSMS: bsms.write,
}
"""The formats that carry everything that makes a vault: the choices of `vault export`."""


@dataclass(frozen=True, slots=True)
class ImportTerms:
    """What the person who imports says about the vault."""

    name: str | None
    network: Network | None
    receive_only: bool = False
    birth_height: int | None = None
    cosigner_names: Mapping[bytes, str] = field(default_factory=dict)
    """By the fingerprint of the key's origin."""


_Value = TypeVar("_Value")


def read_vault(data: bytes, terms: ImportTerms) -> tuple[Vault, tuple[Finding, ...]]:
    """Read a vault from any format, and what is worth saying about the file.

    Raises:
        UsageError: the name or network is missing where the format doesn't have it.
        SecretRefused: the file holds private material, whatever else it is.
        InvalidInput: all that the format refuses; NETWORK_MISMATCH; CHANGE_BRANCH_MISSING.
    """
    scan_bytes(data, place="the file")
    kind = detect_format(data)
    if kind is VaultFormat.VAULT:
        return _ours(vault_file.parse(data), terms), ()
    network = _given(terms.network, "--network")
    descriptor, findings = READERS[kind](data, network)
    return _named(descriptor, network, terms), findings


def write_vault(vault: Vault, kind: VaultFormat) -> str:
    """Return the vault in the given format; reading it again gives the same vault_id.

    Raises:
        InvalidInput: RECEIVE_ONLY_VAULT where the format always means both branches; UNKNOWN_FORMAT
            where it can only be read.
    """
    write = WRITERS.get(kind)
    if write is None:
        raise InvalidInput(
            Code.UNKNOWN_FORMAT,
            f"the format `{kind}` is read and not written",
            advice="Choose one of the formats that `vault export --help` lists.",
        )
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
        _with_names(vault.cosigners, terms.cosigner_names),
        vault.birth_height if terms.birth_height is None else terms.birth_height,
        terms.receive_only,
    )


def _named(descriptor: Descriptor, network: Network, terms: ImportTerms) -> Vault:
    cosigners = tuple(Cosigner(f"cosigner-{number}", key) for number, key in enumerate(descriptor.keys, start=1))
    return Vault(
        name=_given(terms.name, "--name"),
        network=network,
        descriptor=descriptor,
        cosigners=_with_names(cosigners, terms.cosigner_names),
        birth_height=terms.birth_height or 0,
        receive_only=terms.receive_only,
    )


def _with_names(cosigners: tuple[Cosigner, ...], names: Mapping[bytes, str]) -> tuple[Cosigner, ...]:
    unknown = sorted(names.keys() - {cosigner.fingerprint for cosigner in cosigners})
    if unknown:
        raise UsageError(
            Code.USAGE,
            f"no key of the file has the fingerprint `{unknown[0].hex()}`",
            advice="Give each --cosigner-name the fingerprint of one of the vault's keys.",
        )
    return tuple(replace(cosigner, name=names.get(cosigner.fingerprint, cosigner.name)) for cosigner in cosigners)


def _given(value: _Value | None, option: str) -> _Value:
    if value is None:
        raise UsageError(
            Code.USAGE,
            f"{option} is missing: this format doesn't say it",
            advice=f"Add {option}; nothing is assumed.",
        )
    return value
