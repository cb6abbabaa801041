"""Answer requests: a part of the programs that run in the user's Python, 3.9 or newer.

Requests arrive as lines of JSON on standard input, and each has one line of JSON as its answer on
standard output. What the project prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any


def serve(answer: Callable[[dict[str, Any]], Any]) -> None:
    """Answer requests with *answer* until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path[0:1] = [os.getcwd()]  # instead of the folder of this file
    requests, sys.stdin = sys.stdin, open(os.devnull, encoding="utf-8")  # noqa: SIM115
    for line in requests:
        try:
            result = answer(json.loads(line))
        except (Exception, SystemExit) as error:
            shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            result = {"error": f"{type(error).__name__}: {error}", "traceback": shown}
        answers.write(json.dumps(result) + "\n")
        answers.flush()
