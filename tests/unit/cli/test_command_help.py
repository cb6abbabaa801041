"""Every command has a description and examples that can be typed."""

import inspect
import re
import shlex
from importlib import import_module

import pytest

from dbwarden.cli.app import COMMANDS, build, function_of
from dbwarden.cli.parsing import COUNTERPARTS, parse


def help_of(name: str) -> str:
    function = function_of(name)
    command = getattr(import_module(f"dbwarden.cli.commands.{function}"), function)
    return (inspect.getdoc(command) or "").partition("Parameters\n---")[0]


HELP = {name: help_of(name) for name, *_ in COMMANDS}
EXAMPLES = [line for text in HELP.values() for line in re.findall("^    (dbwarden .+)", text, re.M)]


@pytest.mark.parametrize("name", [name for name in HELP if name != "version"])
def test_every_command_has_examples(name: str) -> None:
    assert "\n\nFor example:\n    dbwarden " in HELP[name]


@pytest.mark.parametrize(("name", "summary"), [command[:2] for command in COMMANDS])
def test_the_help_of_a_command_begins_with_its_line_in_the_list(name: str, summary: str) -> None:
    assert HELP[name].splitlines()[0] == summary


def test_the_terminal_wraps_the_help_and_not_the_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    command, bound = parse(build("rollback"), ["rollback", "--help"])
    command(*bound.args, **bound.kwargs)
    said = capsys.readouterr().out
    assert "--to or --count. All of them are checked before the first one runs.\n" in said
    assert "\n    dbwarden rollback\n    dbwarden rollback --to 0003\n" in said
    assert "They never ran here, so their rollback drops objects that existed before." in said


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
    command, bound = parse(build(""), [])
    command(*bound.args, **bound.kwargs)
    said = capsys.readouterr().out
    assert all(sentence in said for _, sentence, _ in COMMANDS)
    assert "For example" not in said
