from dbwarden.dialects.authoring import Repeated
from dbwarden.dialects.postgresql.sql.loops import repeat


def test_a_loop_ends_when_no_row_is_changed() -> None:
    assert repeat(Repeated(parts=("UPDATE a SET b = 1 ;\n",)), commits=True) == (
        "DO $$\n"
        "BEGIN\n"
        "    LOOP\n"
        "        UPDATE a SET b = 1;\n"
        "        EXIT WHEN NOT FOUND;\n"
        "        COMMIT;\n"
        "    END LOOP;\n"
        "END\n"
        "$$"
    )


def test_numbers_that_grow_are_variables_whose_names_are_free() -> None:
    text = "INSERT INTO n1 SELECT '$$\n  x' FROM b OFFSET "
    statement = Repeated(parts=(text, ""), counters=((0, 500),), least=500)
    assert repeat(statement, commits=False) == (
        "DO $loop$\n"
        "DECLARE\n"
        "    n2 bigint;\n"
        "    n3 bigint := 0;\n"
        "BEGIN\n"
        "    LOOP\n"
        "INSERT INTO n1 SELECT '$$\n  x' FROM b OFFSET n3;\n"
        "        GET DIAGNOSTICS n2 = ROW_COUNT;\n"
        "        EXIT WHEN n2 < 500;\n"
        "        n3 := n3 + 500;\n"
        "    END LOOP;\n"
        "END\n"
        "$loop$"
    )
