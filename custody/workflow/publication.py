"""Whether the policy in force lets the reserve's public page show addresses."""

from custody.audit.state import State
from custody.codes import Code
from custody.errors import PolicyDenied


def require_addresses_allowed(state: State) -> None:
    """Refuse a page with addresses where the policy asks for commitments; without a policy nothing forbids it.

    Raises:
        PolicyDenied: PUBLICATION_FORBIDDEN.
    """
    policy = state.governance.policy
    if policy is not None and not policy.publishes_addresses:
        raise PolicyDenied(
            Code.PUBLICATION_FORBIDDEN,
            f"policy `{policy.name}` version {policy.version} lets the public page show commitments alone, no address",
            advice="Publish with `--commitments --salts FILE`; what was once published can't be taken back.",
        )
