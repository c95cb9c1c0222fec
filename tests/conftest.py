"""Which tests run in one process: those of a file, for its fixtures' sake, and all of the workflow's.

The workflow's come first: they take longest, and nothing could run beside them at the end.
"""

from pathlib import Path

import pytest

WORKFLOW = Path(__file__).parent / "workflow"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: WORKFLOW not in item.path.parents)  # a stable sort
    for item in items:
        group = "workflow" if WORKFLOW in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
