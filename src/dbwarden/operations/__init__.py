"""One coroutine a file, with the frozen result it returns."""
