"""Draw the tables of a schema and their keys: as Mermaid text, or as one HTML page. Pure."""
