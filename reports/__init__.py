"""Tidy tables in, files out: columns, tables, report directories. Knows nothing of candidates or gradients."""


class ReportError(OSError):
    """A report directory that cannot be written, or whose place is taken by something that is no report."""
