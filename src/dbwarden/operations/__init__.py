"""The operations: one coroutine per file, with the frozen result it returns."""
