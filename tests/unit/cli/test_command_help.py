"""Every command has a description and examples that can be typed."""

import inspect
import shlex
from importlib import import_module

import pytest

from dbwarden.cli.app import COMMANDS, build, function_of
from dbwarden.cli.command_help import MORE
from dbwarden.cli.parsing import COUNTERPARTS, parse

EXAMPLES = [example for _, examples in MORE.values() for example in examples]


def test_every_command_has_examples() -> None:
    assert {name for name, *_ in COMMANDS} - {"version"} == MORE.keys()


@pytest.mark.parametrize("name", [name for name, *_ in COMMANDS])
def test_the_help_has_all_that_is_said_of_a_command(name: str) -> None:
    """A docstring is one sentence and its options: the help shows no more of it."""
    function = function_of(name)
    command = getattr(import_module(f"dbwarden.cli.commands.{function}"), function)
    sentence, *_ = (inspect.getdoc(command) or "").partition("Parameters\n---")
    assert "\n\n" not in sentence.strip()


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_can_be_typed(example: str) -> None:
    (program, *words) = shlex.split(example.partition(" >")[0].partition(" &&")[0])
    assert program == "dbwarden"
    command, _ = parse(build(), words)
    assert command.__name__.rstrip("_") == words[0].replace("-", "_")


@pytest.mark.parametrize("word", sorted(set(COUNTERPARTS.values())))
def test_commands_of_other_tools_map_to_existing_commands(word: str) -> None:
    command, _ = parse(
        build(), [*word.split(), *(["-m", "x"] if word in ("new", "make-migrations") else [])]
    )
    assert command.__name__.startswith(word.split()[0].replace("-", "_"))


def test_the_list_of_all_has_one_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    command, bound = parse(build(), [])
    command(*bound.args, **bound.kwargs)
    said = capsys.readouterr().out
    assert all(sentence in said for _, sentence, _ in COMMANDS)
    assert "For example" not in said
