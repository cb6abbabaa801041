"""The check against circular imports sees them, also inside functions."""

from pathlib import Path

import pytest

from tests.cycles import cycle, graph

CASES = {
    "at the top": ("from shop.b import x\n", "import shop.a\n", ["shop.a", "shop.b"]),
    "in a function": (
        "from shop import b\n",
        "def f():\n    from shop.a import x\n",
        ["shop.a", "shop.b"],
    ),
    "for type checkers": (
        "from shop.b import x\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import shop.a\n",
        [],
    ),
    "one way": ("import shop.b\n", "import json\n", []),
}


@pytest.mark.parametrize(("a", "b", "circle"), CASES.values(), ids=CASES)
def test_a_circle_is_found(tmp_path: Path, a: str, b: str, circle: list[str]) -> None:
    for name, text in (("__init__", "import shop.a, shop.b\n"), ("a", a), ("b", b)):
        path = tmp_path / "shop" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert sorted(set(cycle(graph(tmp_path)))) == circle
