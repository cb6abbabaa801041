"""Checksums of the sections of a file."""

from hypothesis import example, given
from hypothesis import strategies as st

from dbwarden.files.checksum import checksum
from tests.unit.files.texts import UPGRADE, read

BLANKS = st.sampled_from(["", " ", "\t", "  \r", "\r", "\f"])


@given(st.lists(st.tuples(st.text("aß'-;/*$", max_size=5), BLANKS, BLANKS), max_size=6))
def test_the_checksum_ignores_line_ends_and_trailing_blanks(
    lines: list[tuple[str, str, str]],
) -> None:
    one = "\n".join(text + blanks for text, blanks, _ in lines)
    other = "\r\n".join(text + blanks for text, _, blanks in lines)
    assert checksum(one) == checksum(other) == checksum(f"\n \n{other}\r\n\t\n")


@given(st.text("ab \n;'-", max_size=8), st.text("ab \n;'-", max_size=8))
@example("a b", "ab")
@example("a\n\nb", "a\nb")
@example(" a", "a")
def test_the_checksum_changes_with_every_other_character(one: str, other: str) -> None:
    def meaning(text: str) -> str:
        return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")

    assert (checksum(one) == checksum(other)) == (meaning(one) == meaning(other))


def test_each_section_has_its_own_checksum_and_headers_have_none() -> None:
    plain = read(f"{UPGRADE}-- rollback\nSELECT 2;\n")
    other_rollback = read(f"{UPGRADE}-- rollback\nSELECT 3;\n")
    described = read(f'-- Why: x\n-- depends_on: ["1"]\n{UPGRADE}\n-- rollback\n\nSELECT 2; \n')
    assert plain.upgrade.checksum == other_rollback.upgrade.checksum
    assert plain.rollback and other_rollback.rollback and described.rollback
    assert plain.rollback.checksum != other_rollback.rollback.checksum
    assert plain.upgrade.checksum == described.upgrade.checksum
    assert plain.rollback.checksum == described.rollback.checksum
