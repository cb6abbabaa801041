"""Names that a text mentions."""

from dbwarden.dialects.sqlite.ddl.mentions import mentions


def test_a_text_that_cannot_be_lexed_mentions_all_its_words() -> None:
    assert mentions("'never closed t", {"T"})
    assert not mentions("'never closed t", {"u"})
    assert mentions('SELECT 1 FROM "My Table"', {"my table"})
