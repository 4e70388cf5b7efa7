"""A report in one of its forms."""

from tlsmon.report.document import to_json
from tlsmon.report.model import Form, Paper, Report


def render(report: Report, form: Form, paper: Paper = Paper.A4) -> bytes:
    """Return the file; ``paper`` is the size of a page of the PDF. The same report gives the same bytes."""
    if form is Form.JSON:
        return to_json(report)
    if form is Form.HTML:
        from tlsmon.report.html import to_html  # noqa: PLC0415, matplotlib takes a second to import

        return to_html(report)
    from tlsmon.report.pdf import to_pdf  # noqa: PLC0415

    return to_pdf(report, paper)
