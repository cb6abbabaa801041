"""Each part is a coroutine function that takes figures: ``await part(stage, report, quick)``."""
