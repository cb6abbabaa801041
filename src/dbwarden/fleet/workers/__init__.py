"""Spread a fleet run over workers: processes on this machine, or an engine such as Dask."""
