"""Which proof of reserves a vault's quorum can sign, by what is known of its devices.

Descriptions are the custodians' words, profiles are facts that somebody read; neither was tried. Unknown is an
answer of its own: it opens no route and closes none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from custody.audit.reserves.prove import Route
from custody.audit.signers import Signers
from custody.vault.device_profile import DeviceProfile, MessageProof
from custody.vault.vault import Vault


class Opening(StrEnum):
    """Whether a route is open."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SignerAbility:
    """What one cosigner's device does with proofs."""

    cosigner: str
    device: str | None
    """Name of the model; None where nobody described it, or nothing is known of it."""
    firmware: str | None
    bip322: MessageProof | None
    bip127: MessageProof | None
    source: str | None
    """Where the first was read."""


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One route for this vault."""

    route: Route
    opening: Opening
    can: tuple[str, ...]
    """Cosigners who can sign it."""
    blind: tuple[str, ...]
    """Those of `can` whose device doesn't show the message."""
    cannot: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReservesPlan:
    """What a holder can do about a challenge."""

    threshold: int
    signers: tuple[SignerAbility, ...]
    routes: tuple[RoutePlan, ...]
    """In the order in which to think of them."""

    @property
    def recommended(self) -> Route:
        """The first route that is surely open: every device signs the last one."""
        return next(one.route for one in self.routes if one.opening is Opening.YES)


def plan_reserves(vault: Vault, signers: Signers, profiles: Mapping[str, DeviceProfile]) -> ReservesPlan:
    """Return which routes the vault's quorum can take."""
    abilities = tuple(_ability(one.name, signers, profiles) for one in vault.cosigners)
    by_message = {one.cosigner: one.bip322 for one in abilities}
    routes = (
        _route(Route.BIP322, by_message, vault.threshold),
        _route(Route.POF, by_message, vault.threshold),
        _route(Route.BIP127, {one.cosigner: one.bip127 for one in abilities}, vault.threshold),
        RoutePlan(Route.PAYMENT, Opening.YES, tuple(by_message), (), (), ()),
    )
    return ReservesPlan(vault.threshold, abilities, routes)


def _ability(cosigner: str, signers: Signers, profiles: Mapping[str, DeviceProfile]) -> SignerAbility:
    said = signers.of(cosigner).description
    profile = None if said is None else profiles.get(said.device)
    if said is None or profile is None:
        return SignerAbility(cosigner, None, None, None, None, None)
    proofs = profile.proofs
    holds = proofs.bip322_since.holds(said.firmware) is True or proofs.bip322 is MessageProof.REFUSES
    return SignerAbility(
        cosigner,
        profile.name,
        said.firmware,
        proofs.bip322 if holds else None,
        proofs.bip127,
        profile.sources.get("proofs.bip322"),
    )


def _route(route: Route, abilities: Mapping[str, MessageProof | None], threshold: int) -> RoutePlan:
    can = tuple(name for name, one in abilities.items() if one in (MessageProof.SHOWS, MessageProof.BLIND))
    cannot = tuple(name for name, one in abilities.items() if one is MessageProof.REFUSES)
    opening = Opening.UNKNOWN
    if len(can) >= threshold:
        opening = Opening.YES
    elif len(abilities) - len(cannot) < threshold:
        opening = Opening.NO
    return RoutePlan(
        route,
        opening,
        can,
        tuple(name for name in can if abilities[name] is MessageProof.BLIND),
        cannot,
        tuple(name for name, one in abilities.items() if one is None),
    )
