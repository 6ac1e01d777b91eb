"""Tables for people and spreadsheets: CSV files."""

from __future__ import annotations

import csv
import io

from formats.files import write_atomically


def write_csv(path, columns, rows):
    """Writes a CSV file, atomically: a line of the columns' names, then each row.

    Names of files need not be valid text: their bytes are written as they are.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator='\n')
    table.writerow(columns)
    table.writerows(rows)
    write_atomically(path, text.getvalue().encode('utf-8', 'surrogateescape'))
