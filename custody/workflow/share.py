"""What a partner who builds the same gets from us: the policy's and the vault's structure, and no word about us.

Everything is built anew by allow-lists (`policy/share.py`, `vault_template.py`); what is written is read
again before it leaves.
"""

from custody.documents.strict_yaml import dump
from custody.policy.load import load_policy, policy_from_document
from custody.policy.model import SpendPolicy
from custody.policy.share import RoleNames, shared_policy
from custody.workflow.vault_template import TemplateSource, vault_template

_POLICY_HEAD = """\
# A spend policy to build on: structure without names. Fill in: name, time_zone, and the placeholders role-NN, tier-NN,
# path-NN, destination-NN and label-NN (the same placeholder is the same name everywhere).
"""
_RANKED = "# Limits are by order alone (1btc is the smallest, 2btc the next): put your own amounts in.\n"
_TEMPLATE_HEAD = """\
# A vault to build on: structure and founding without names. The same placeholder is the same person, maker or place.
# `create` makes it once DIR, NAME and KEY_1 and so on are filled in (a key is [fingerprint/path]xpub); the setup in
# `ceremony` is better: there each key comes signed.
"""


def policy_to_share(policy: SpendPolicy, *, keep_amounts: bool) -> str:
    """Return the policy as YAML for a partner; it is a policy again, which is tried here."""
    head = _POLICY_HEAD + ("" if keep_amounts else _RANKED)
    text = head + dump(shared_policy(policy, RoleNames(), keep_amounts=keep_amounts))
    load_policy(text)
    return text


def template_to_share(source: TemplateSource, *, keep_amounts: bool) -> str:
    """Return the vault's template as YAML; the policy in it is a policy again, which is tried here."""
    document = vault_template(source, keep_amounts=keep_amounts)
    if document["policy"] is not None:
        policy_from_document(document["policy"])
    return _TEMPLATE_HEAD + dump(document)
