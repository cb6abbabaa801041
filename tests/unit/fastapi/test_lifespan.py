"""Problems that keep an application from starting."""

from typing import Any

import pytest

from dbwarden.fastapi.lifespan import Startup, is_harmless
from dbwarden.planning.status_result import ProblemCode, StatusProblem


@pytest.mark.parametrize(
    ("startup", "code", "replica", "starts"),
    [
        (Startup(), "pending", None, False),
        (Startup(on_pending="warn"), "pending", None, True),
        (Startup(on_pending="warn"), "out_of_order", None, True),
        (Startup(on_pending="warn"), "changed", None, False),
        (Startup(mode="migrate"), "pending", None, False),
        (Startup(mode="migrate"), "pending", "primary", True),
        (Startup(), "replica_behind", "primary", False),
        (Startup(mode="migrate"), "replica_behind", "primary", True),
        (Startup(on_pending="warn"), "replica_behind", "primary", True),
        (Startup(), "replica_writable", "primary", True),
        (Startup(), "locked", None, True),
        (Startup(), "missing", None, False),
    ],
)
def test_problems_keep_an_application_from_starting_by_their_severity(
    startup: Startup, code: ProblemCode, replica: str | None, starts: bool
) -> None:
    class Config:
        replica_of = replica

    config: Any = Config()
    assert is_harmless(startup, config, StatusProblem(code=code)) is starts
