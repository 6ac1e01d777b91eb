"""What the comments behind the fields of a dataclass say: the help texts of its flags."""

from __future__ import annotations

import dataclasses
import inspect
import io
import tokenize


def comments(config_class):
    """{field name: its trailing comment}; a comment may go on in a line of its own below."""
    found, current = {}, None
    source = inspect.getsource(config_class)
    names = {item.name for item in dataclasses.fields(config_class)}
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.start[1] == 4:
            current = token.string if token.string in names else None
        elif not token.line.strip():  # what follows a blank line is no continuation
            current = None
        elif token.type == tokenize.COMMENT and current:
            own_line = lines[token.start[0] - 1].strip().startswith('#')
            text = token.string.lstrip('# ')
            found[current] = f'{found[current]} {text}' if own_line and current in found \
                else text
    return found
