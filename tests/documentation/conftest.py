"""The pages are compared with the code; their examples are loaded as projects."""

from tests.unit.config.conftest import project

__all__ = ["project"]
