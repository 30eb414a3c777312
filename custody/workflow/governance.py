"""Whether a vault without an adopted spend policy may give out addresses and drafts (design, section 7)."""

from custody.audit.state import State
from custody.bitcoin.network import Network
from custody.codes import Code
from custody.errors import PolicyDenied

NO_POLICY = str(Code.NO_POLICY_ADOPTED)
"""The reason that every decision names until a policy is adopted."""


def require_governed_or_waived(state: State, network: Network) -> None:
    """Refuse on main until a policy is adopted, unless the adoption says `--ungoverned`.

    Raises:
        PolicyDenied: NO_POLICY_ADOPTED.
    """
    if network.is_main and not state.ungoverned:
        raise PolicyDenied(
            Code.NO_POLICY_ADOPTED,
            "no spend policy is adopted: governance is `none`",
            advice="Create or import the vault with --ungoverned if it is meant to work without a written policy.",
        )
