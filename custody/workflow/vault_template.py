"""A vault for a partner who builds the same (`custody-template/1`): structure and ceremony, no key, address or name.

An allow-list, as `policy/share.py`: numbers, scripts, networks, the standard path and the known
roles pass; who and where becomes a placeholder by its place, so that what belongs together still
does (one custodian of two keys, two devices of one maker). Nothing of the journal is read but
officers' roles, the policy, and what custodians say of their devices.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from custody.audit.governance import GovernanceState
from custody.audit.signers import SignerDescription, Signers
from custody.bitcoin.keys import HARDENED
from custody.errors import JsonValue
from custody.policy.share import Placeholders, RoleNames, shared_policy
from custody.vault.cosigner import Cosigner
from custody.vault.device_profile import DeviceProfile
from custody.vault.vault import Vault
from custody.workflow.ceremony import Cast, ceremony

TEMPLATE_FORMAT = "custody-template/1"

STANDARD = "standard"
"""The path that devices use for this script and network, account 0 (BIP 48)."""
OTHER = "other"


@dataclass(frozen=True, slots=True)
class TemplateSource:
    """What a template is made of; without a journal the vault alone."""

    vault: Vault
    governance: GovernanceState
    signers: Signers
    profiles: Mapping[str, DeviceProfile]


def vault_template(source: TemplateSource, *, keep_amounts: bool) -> dict[str, JsonValue]:
    """Return the template's document."""
    vault, gov = source.vault, source.governance
    roles, names = RoleNames(), Placeholders("officer")
    policy = None if gov.policy is None else shared_policy(gov.policy, roles, keep_amounts=keep_amounts)
    # In the order of their founding, which tells nothing; a name's own order would.
    officers = {
        names.of(one.name): sorted([roles.of(role) for role in sorted(one.roles)]) for one in gov.officers.values()
    }
    cosigners = _cosigners(source)
    script = str(vault.descriptor.script_type).removesuffix("-sortedmulti")
    cast = Cast(
        network=str(vault.network),
        script=script,
        threshold=vault.threshold,
        cosigners=tuple(cosigners),
        officers={name: tuple(found) for name, found in officers.items()},
        custodians_attest=gov.policy is not None and gov.policy.governance.custodians_attest,
    )
    return {
        "format": TEMPLATE_FORMAT,
        "network": cast.network,
        "script": script,
        "threshold": vault.threshold,
        "cosigners": [{"name": name, **facts} for name, facts in cosigners.items()],
        "officers": [{"name": name, "roles": [*found]} for name, found in officers.items()],
        "create": [*cast.create],
        "ceremony": [step.to_json(number) for number, step in enumerate(ceremony(cast), 1)],
        "policy": policy,
    }


def _cosigners(source: TemplateSource) -> dict[str, dict[str, JsonValue]]:
    names, models, makers = Placeholders("cosigner"), Placeholders("model"), Placeholders("maker")
    custodians, places = Placeholders("custodian"), Placeholders("place")
    found: dict[str, dict[str, JsonValue]] = {}
    for cosigner in source.vault.cosigners:
        said = source.signers.of(cosigner.name).description
        vendor = _vendor(said, source.profiles)
        found[names.of(cosigner.name)] = {
            "path": _path(cosigner, source.vault),
            "model": None if said is None else models.of(said.device),
            "maker": None if vendor is None else makers.of(vendor),
            "custodian": None if said is None or said.custodian is None else custodians.of(said.custodian),
            "place": None if said is None or said.place is None else places.of(said.place),
        }
    return found


def _vendor(said: SignerDescription | None, profiles: Mapping[str, DeviceProfile]) -> str | None:
    profile = None if said is None else profiles.get(said.device)
    return None if profile is None else profile.vendor


def _path(cosigner: Cosigner, vault: Vault) -> str:
    steps = (48, vault.network.coin_type, 0, vault.descriptor.script_type.bip48_step)
    return STANDARD if cosigner.key.origin.path == tuple(HARDENED + step for step in steps) else OTHER
