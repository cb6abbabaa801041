"""The configuration of databases: what it says, where it is found, what is wrong with it."""
