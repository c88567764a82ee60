"""A report as its readers may see it: what was written for it names no engine, and what the data name stays."""

from maos.figure_labels import labels_of
from maos.redaction import Redaction
from maos.report import Report


def discreet_report(report: Report, redaction: Redaction) -> Report:
    """Return the report with its written texts redacted; names that are labels of the data are the customer's own."""
    spared = "\n".join(labels_of(report.profile, report.metrics))

    def clean(text: str) -> str:
        return redaction.let_out(text, spared=spared)

    narrative = report.narrative.model_copy(
        update={
            "headline": clean(report.narrative.headline),
            "paragraphs": tuple(map(clean, report.narrative.paragraphs)),
            "caveats": tuple(map(clean, report.narrative.caveats)),
        }
    )
    return report.model_copy(update={"title": clean(report.title), "note": clean(report.note), "narrative": narrative})
