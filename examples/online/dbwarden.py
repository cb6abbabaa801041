"""One database. `make online` runs this file next to the models of a release."""

import os

from dbwarden import database_config

database_config(
    database_name="primary",
    default=True,
    database_type="postgresql",
    database_url=os.environ["DATABASE_URL"],
    model_paths=["models"],
)
