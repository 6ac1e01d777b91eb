"""Conditions on what is known of an image: width >= 256 and label in ("cat", "dog").

A condition is parsed as Python is, but only these parts of it have a meaning, and nothing is run:
columns, numbers, "strings", True, False; == != < <= > >=, in and not in (a list, or a string as a
part of another); and, or, not, brackets.
"""

from __future__ import annotations

import ast
import difflib
import operator

from conversion.collection import printable

_COMPARISONS = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b}
GRAMMAR = ('compare columns with numbers and "strings" by == != < <= > >= in, join by and, or, '
           'not: width >= 256 and label in ("cat", "dog")')
MAX_LENGTH = 10000    # characters: far more than people write, far less than overflows a parser


class Condition:
    """A condition that has been checked: call `holds` with what is known of an image.

    Args:
        text: as in the first line of this file.
        columns: {name: its type, float, bool or str} of what may be known.
        flag: that the text comes from, for errors.

    Raises:
        ValueError: the text is no condition, names other columns, or compares a number with a text.
    """

    def __init__(self, text, columns, flag='filter'):
        self._shown, self._columns = f'--{flag}={printable(text)}', columns
        try:
            if len(text) > MAX_LENGTH:
                raise SyntaxError('it is too long')
            self._tree = ast.parse(text.strip(), mode='eval').body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise self._error(f'is no condition ({getattr(error, "msg", error)})') from error
        self._check(self._tree)

    def holds(self, known):
        """Whether it is true of {column: value}; a comparison with a missing value is not."""
        return bool(self._value(self._tree, known))

    def _error(self, problem):
        return ValueError(f'{self._shown}: {problem}; {GRAMMAR}.')

    def _check(self, node):
        """ValueError where a part of the condition has no meaning; returns the type of a value."""
        if isinstance(node, ast.BoolOp):
            for value in node.values:
                self._check(value)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            self._check(node.operand)
        elif isinstance(node, ast.Compare):
            self._check_comparison(node)
        elif not isinstance(node, (ast.Name, ast.Constant)) or self._type(node) is not bool:
            raise self._error(f'{ast.unparse(node)} is neither true nor false')

    def _check_comparison(self, node):
        sides = [node.left, *node.comparators]
        for a, kind, b in zip(sides, node.ops, sides[1:]):
            if type(kind) not in _COMPARISONS:
                raise self._error(f'{ast.unparse(node)} has a comparison that is not known')
            is_list = isinstance(b, (ast.Tuple, ast.List))
            if is_list and not isinstance(kind, (ast.In, ast.NotIn)):
                raise self._error(f'{ast.unparse(node)} compares with a list; write in')
            others = b.elts if is_list else [b]
            if any(self._type(other) is not self._type(a) for other in others):
                raise self._error(f'{ast.unparse(node)} compares a '
                                  f'{self._type(a).__name__} with something else')
            if isinstance(kind, (ast.In, ast.NotIn)) and not is_list and self._type(b) is not str:
                raise self._error(f'{ast.unparse(node)} looks in what is neither list nor string')

    def _type(self, node):
        """float, bool or str."""
        if isinstance(node, ast.Name):
            if node.id not in self._columns:
                near = difflib.get_close_matches(node.id, self._columns, n=3) or self._columns
                raise self._error(f'there is no column {node.id}, but '
                                  + ', '.join(map(printable, list(near)[:10])))
            return self._columns[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            if self._type(node.operand) is float:
                return float
        elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float, str)):
            return float if type(node.value) is int else type(node.value)
        raise self._error(f'{ast.unparse(node)} is not known here')

    def _value(self, node, known):
        if isinstance(node, ast.BoolOp):
            values = (self._value(value, known) for value in node.values)
            return all(values) if isinstance(node.op, ast.And) else any(values)
        if isinstance(node, ast.UnaryOp):
            value = self._value(node.operand, known)
            return not value if isinstance(node.op, ast.Not) else -value
        if isinstance(node, ast.Compare):
            sides = [self._value(side, known) for side in [node.left, *node.comparators]]
            return all(a is not None and b is not None and _COMPARISONS[type(kind)](a, b)
                       for a, kind, b in zip(sides, node.ops, sides[1:]))
        if isinstance(node, (ast.Tuple, ast.List)):
            return [self._value(value, known) for value in node.elts]
        return known.get(node.id) if isinstance(node, ast.Name) else node.value
