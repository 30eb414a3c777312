"""Policies and their cases as files: read one, and run the cases of a folder.

A file `NAME.cases.yaml` belongs to the policy `NAME.yaml` beside it. A folder without cases is
refused: a policy without a case that it must refuse has not been tested.
"""

from dataclasses import dataclass
from pathlib import Path

from custody.atomic import read_file
from custody.codes import Code
from custody.documents.strict_yaml import MAX_BYTES
from custody.errors import InvalidInput
from custody.policy.cases import CaseResult, load_cases, run_cases
from custody.policy.load import load_policy
from custody.policy.model import SpendPolicy
from custody.workflow.time_zones import time_zone

_ENDING = ".cases.yaml"


@dataclass(frozen=True, slots=True)
class PolicyTest:
    """A policy, and what became of its cases."""

    policy: SpendPolicy
    results: tuple[CaseResult, ...]


def read_policy(source: bytes | str) -> SpendPolicy:
    """Read a policy from YAML, and demand that its time zone exists.

    Raises:
        InvalidInput: as `load_policy()`, and for an unknown time zone. UpgradeNeeded: a later format.
    """
    policy = load_policy(source)
    time_zone(policy.time_zone)
    return policy


def run_policy_cases(folder: Path) -> tuple[PolicyTest, ...]:
    """Run every file of cases in a folder on the policy beside it, in alphabetical order.

    Raises:
        InvalidInput: FILE_NOT_FOUND where there are no cases or no policy beside them, and what
            `read_policy()` and `load_cases()` refuse.
    """
    files = sorted(path for path in folder.glob(f"*{_ENDING}"))
    if not files:
        raise InvalidInput(
            Code.FILE_NOT_FOUND,
            f"there are no cases in `{folder}`",
            advice="Put `NAME.cases.yaml` beside the policy `NAME.yaml`; see docs/formats/policy.md.",
        )
    return tuple(_run(path) for path in files)


def _run(path: Path) -> PolicyTest:
    policy = read_policy(read_file(path.with_name(path.name.removesuffix(_ENDING) + ".yaml"), max_bytes=MAX_BYTES))
    name, cases = load_cases(read_file(path, max_bytes=MAX_BYTES))
    if name != policy.name:
        raise InvalidInput(
            Code.MALFORMED_DOCUMENT,
            f"the cases in `{path.name}` are for another policy than `{policy.name}`",
            advice="Give the policy's name in the cases, and the cases the policy's file name.",
        )
    return PolicyTest(policy, run_cases(policy, cases, zone=time_zone(policy.time_zone)))
