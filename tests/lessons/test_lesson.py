"""A formula with numbers in it, and the lines that hold them."""

from backproof.lessons.lesson import line, worked, wrong


def test_worked_puts_negative_numbers_in_parentheses():
    """Unless they come first, or first within brackets; ** is written ^."""
    assert worked("{} * {} + {}", -2, -3, 4).text() == "-2 * (-3) + 4"
    assert worked("[{} - {}, max(0, {})]", -1, 2, -1).text() == "[-1 - 2, max(0, -1)]"
    assert worked("({} - {})**2 / 2", 9, 8).text() == "(9 - 8)^2 / 2"


def test_worked_prints_as_many_digits_as_asked():
    """The operands stay what they are."""
    by = worked("{} + 1", 2 / 3)
    assert (by.text(), by.text(8)) == ("0.6667 + 1", "0.66666667 + 1")
    assert by.operands == (2 / 3,)


def test_lines_know_whether_they_are_wrong():
    """The mistake's number is marked."""
    by = worked("{} + {}", 1, 2)
    assert not line("db", 3, by=by).wrong
    assert wrong("db", 3, by=by, note="why").wrong
    assert line("db", 2 / 3, by=by, digits=2).text == "0.67"
