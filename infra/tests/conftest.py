import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet_infra import teardown
from fleet_infra.layout import Layout


@pytest.fixture
def layout() -> Iterator[Layout]:
    """A fleet's empty folder; whatever runs from it is stopped."""
    home = Path(tempfile.mkdtemp(prefix="fleet-test-")) / ".fleet"
    layout = Layout(Layout.of_clone().root, home)
    layout.make()
    yield layout
    teardown.reset(layout)
    shutil.rmtree(home.parent, ignore_errors=True)
