"""What tests of the record share."""

from __future__ import annotations

import pytest

from tests.lots.acting import Vendor


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()
