"""The page about policies shows the template as it is, and its cases hold."""

import re
from pathlib import Path
from typing import Any

from custody.documents import strict_yaml
from custody.policy.cases import load_cases, run_cases
from custody.policy.load import load_policy
from custody.workflow.time_zones import time_zone
from custody_policies.templates import schema, template

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "formats" / "policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def test_the_walk_through_is_the_central_bank_template() -> None:
    document: Any = strict_yaml.load(template("central-bank"))
    shown: dict[str, Any] = {}
    for block in BLOCKS[:-1]:
        part: Any = strict_yaml.load(block)
        shown |= part
    assert set(document) - set(shown) == {"internal", "cancel"}
    assert {key: document[key] for key in shown} == shown


def test_the_cases_on_the_page_hold() -> None:
    policy = load_policy(template("central-bank"))
    _name, cases = load_cases(BLOCKS[-1])
    results = run_cases(policy, cases, zone=time_zone(policy.time_zone))
    assert len(results) == 2 and all(one.problem is None for one in results)


def test_every_field_of_the_schema_stands_on_the_page() -> None:
    fields = set(re.findall(r'"([a-z_]+)": \{', schema())) - {"items", "not", "propertyNames", "properties", "then"}
    rooms = {"name", "amount", "duration", "people", "tier", "move", "path"}
    assert [field for field in sorted(fields - rooms) if field not in PAGE] == []
