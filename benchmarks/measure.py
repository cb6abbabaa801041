"""How a time is taken: in turn, round after round, so that what disturbs one disturbs all."""

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Something to be measured.

    ``sample`` of ``of`` equal pieces are run, and the time is scaled up; the report says so.
    ``once`` subjects take part in the first round only: they are slow.
    """

    name: str
    run: Run
    prepare: Run | None = None
    sample: int | None = None
    of: int | None = None
    once: bool = False

    @property
    def scale(self) -> float:
        return self.of / self.sample if self.sample and self.of else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What was measured: seconds (or another unit) of each round."""

    values: tuple[float, ...]
    sample: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def best(self) -> float:
        return min(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The limit of a ratio: ``subject`` / ``compared_with`` at most, or its inverse at least.

    Without ``compared_with`` the value itself must be at most ``limit``. Medians below ``floor``
    count as the floor.
    """

    subject: str
    compared_with: str | None
    limit: float
    kind: Literal["at most", "at least"] = "at most"
    floor: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the report: a case, its subjects, and the bars that it must meet."""

    part: str
    case: str
    timings: dict[str, Timing]
    bars: tuple[Bar, ...] = ()
    unit: str = "s"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A bar and the ratio that was measured."""

    bar: Bar
    ratio: float

    @property
    def met(self) -> bool:
        if self.bar.kind == "at most":
            return self.ratio <= self.bar.limit
        return self.ratio >= self.bar.limit


def ratio(above: Timing, below: Timing) -> float:
    """The median of the rounds' ratios; of the medians where the rounds don't pair up."""
    if len(above.values) == len(below.values):
        pairs = zip(above.values, below.values, strict=True)
        return statistics.median(first / second for first, second in pairs)
    return above.median / below.median


def judge(figure: Figure) -> tuple[Verdict, ...]:
    """What became of the figure's bars; one whose subject did not run is left out."""
    return tuple(
        Verdict(bar=bar, ratio=_measured(figure, bar))
        for bar in figure.bars
        if bar.subject in figure.timings
        and (bar.compared_with is None or bar.compared_with in figure.timings)
    )


def _measured(figure: Figure, bar: Bar) -> float:
    subject = figure.timings[bar.subject]
    if bar.compared_with is None:
        return subject.median
    reference = figure.timings[bar.compared_with]
    if bar.floor:
        return max(subject.median, bar.floor) / max(reference.median, bar.floor)
    return ratio(subject, reference) if bar.kind == "at most" else ratio(reference, subject)


async def measure(
    subjects: Sequence[Subject], *, rounds: int, warm_up: bool = True
) -> dict[str, Timing]:
    """Time *subjects* in turn, *rounds* times, after one round that does not count."""
    values: dict[str, list[float]] = {subject.name: [] for subject in subjects}
    for number in range(-1 if warm_up else 0, rounds):
        for subject in subjects:
            if subject.once and number != 0:
                continue
            seconds = await _time(subject)
            if number >= 0:
                values[subject.name].append(seconds * subject.scale)
    return {
        subject.name: Timing(values=tuple(values[subject.name]), sample=_sample(subject))
        for subject in subjects
    }


def _sample(subject: Subject) -> str | None:
    if subject.sample is None or subject.sample == subject.of:
        return None
    return f"scaled up from {subject.sample} of {subject.of}"


async def _time(subject: Subject) -> float:
    if subject.prepare is not None:
        await subject.prepare()
    gc.collect()
    started = time.perf_counter()
    await subject.run()
    return time.perf_counter() - started


@dataclass(slots=True)
class Report:
    """All figures of one run, in order; prints each as it comes."""

    figures: list[Figure] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, figure: Figure) -> None:
        from benchmarks.report import line

        self.figures.append(figure)
        print(line(figure), flush=True)

    def remark(self, text: str) -> None:
        self.remarks.append(text)
        print(f"# {text}", flush=True)
