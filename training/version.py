"""The version of this project, which files of results name."""

VERSION = '0.1.0'
