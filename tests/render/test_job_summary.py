"""The summary of a job: rendered as Markdown, so that what it shows is what counts."""

from __future__ import annotations

import re
from dataclasses import replace

from markdown_it import MarkdownIt

from netcalc.checks.outcome import Checked, Outcome
from netcalc.diagnostics import Span
from netcalc.render.checkout import Checkout
from netcalc.render.job_summary import summary_markdown
from tests.render.outcomes import ABSENT, BIAS, CLEAN, EVIL, HOSTILE, KERNEL, MIXED, OVER, SMALL, WIDE, many, span

RENDER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> str:
    return str(RENDER.render(markdown))


def rows(html: str, table: int) -> list[list[str]]:
    """Return the cells below the head of a table."""
    body = re.findall(r"<tbody>(.*?)</tbody>", html, flags=re.DOTALL)[table]
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", body, flags=re.DOTALL)]


def test_the_headline_counts() -> None:
    note = replace(BIAS, severity="info", code="NC302")
    for outcome, headline in (
        (MIXED, "netcalc: 3 networks checked, 1 file not read, 2 errors, 1 warning"),
        (Outcome((CLEAN,)), "netcalc: 1 network checked, no findings"),
        (Outcome((replace(SMALL, diagnostics=(note,)),)), "netcalc: 1 network checked, 1 note"),
        (Outcome(()), "netcalc: 0 networks checked, no findings"),
        (Outcome((SMALL, replace(SMALL, file="b.yaml"))), "netcalc: 2 networks checked, 1 error, 1 warning"),
    ):
        assert f"<h3>{headline}</h3>" in shown(summary_markdown(outcome))


def test_networks_and_budgets_are_tables() -> None:
    html = shown(summary_markdown(MIXED))
    assert rows(html, 0) == [
        ["small", "nets/small.yaml", "–", "–", "1 error, 1 warning"],
        ["wide", "nets/wide.yaml", "650", "1,234,567", "1 error"],
        ["clean", "nets/clean.yaml", "61,706", "416,520", "–"],
        ["–", "nets/absent.yaml", "–", "–", "not read"],
    ]
    assert rows(html, 1) == [
        ["wide", "params", "650", "600", "108.3 %", "<strong>no</strong>"],
        ["wide", "macs of head.*", "640", "1,000", "64.0 %", "yes"],
        ["wide", "memory", "?", "24 GB", "–", "not known"],
    ]


def test_findings_have_their_notes_below() -> None:
    markdown = summary_markdown(MIXED)
    assert (
        "- **error** NC101 nets/small.yaml:9:34: `kernel` (5) is larger than the input's height (4)\n" in markdown
    )
    html = shown(markdown)
    assert "<code>kernel</code> (5) is larger" in html
    assert "<li>help: use a kernel of at most 4</li>" in html
    assert "<li>blocks/head.yaml:2:5: dense1: 650 (100.0%)</li>" in html
    assert "<li>help: did you mean <code>absend.yaml</code>?</li>" in html


def test_errors_come_before_warnings() -> None:
    found = (
        replace(BIAS, severity="info", message="third"),
        replace(BIAS, message="second"),
        replace(KERNEL, message="first"),
    )
    markdown = summary_markdown(Outcome((Checked("a.yaml", diagnostics=found),)))
    assert markdown.index("first") < markdown.index("second") < markdown.index("third")


def test_what_is_suppressed_is_folded() -> None:
    markdown = summary_markdown(MIXED)
    _, _, folded = markdown.partition("<details><summary>1 suppressed finding</summary>\n\n")
    assert (
        "nets/wide.yaml:4:30: the bias of `conv1` is cancelled by `batch_norm1` (as published)"
        in folded.replace("\\", "")
    )
    assert folded.endswith("\n\n</details>\n")
    assert "<details>" not in summary_markdown(Outcome((SMALL,)))


def test_what_specs_share_is_told_once() -> None:
    assert summary_markdown(Outcome((WIDE, replace(WIDE, file="b.yaml")))).count("as published") == 1


def test_places_are_links_where_the_source_is_known() -> None:
    found = replace(KERNEL, span=Span("a b (c).yaml", 9, 1, 9, 2))
    outcome = Outcome((Checked("a b (c).yaml", "n", (found,)), Checked("/elsewhere/x.yaml")))
    html = shown(summary_markdown(outcome, Checkout("/ws/nets", "/ws"), "https://github.com/o/r/blob/abc"))
    address = "https://github.com/o/r/blob/abc/nets/a%20b%20%28c%29.yaml"
    assert f'<a href="{address}#L9">nets/a b (c).yaml:9:1</a>' in html
    assert f'<a href="{address}">nets/a b (c).yaml</a>' in html
    assert html.count("<a ") == 2


def test_sections_without_content_are_left_out() -> None:
    html = shown(summary_markdown(Outcome((CLEAN,))))
    assert html.count("<table>") == 1
    assert "<ul>" not in html


def test_hostile_text_is_text() -> None:
    markdown = summary_markdown(EVIL, source="https://github.com/o/r/blob/abc")
    assert markdown.replace("\n", "").isprintable()
    # Folding is the only HTML, and it stands on lines of its own.
    ours = {"<details><summary>1 suppressed finding</summary>", "</details>"}
    rest = "\n".join(line for line in markdown.split("\n") if line not in ours)
    html = shown(rest)
    tags = set(re.findall(r"</?(\w+)", html))
    assert tags <= {"h3", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "strong", "code", "a", "p"}
    assert all(
        address.startswith("https://github.com/o/r/blob/abc/") for address in re.findall(r'href="([^"]*)"', html)
    )
    assert [len(row) for row in rows(html, 0) + rows(html, 1)] == [5, 5, 6, 6]
    assert (
        html.count("<li>")
        == html.count("</li>")
        == sum(line.lstrip().startswith("- ") for line in rest.split("\n"))
    )
    assert "http://" not in markdown
    visible = re.sub(r"<[^>]+>", "", html)
    plain = HOSTILE.split("`")[0].replace("\r\n", "\ufffd\ufffd").replace("##[", "#\ufffd[")
    assert plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in visible


def test_it_stays_below_what_github_takes() -> None:
    limit_bytes = 2**20
    assert len(summary_markdown(many(300)).encode()) < limit_bytes
    assert "more, see the log" not in summary_markdown(many(300))
    markdown = summary_markdown(many(10_000))
    assert len(markdown.encode()) < limit_bytes
    (rest,) = re.findall(r"\n- ([\d,]+) more, see the log", markdown)
    assert markdown.count("**error**") + int(rest.replace(",", "")) == 10_000


def test_every_part_is_cut() -> None:
    quiet = WIDE.suppressed[0]
    wide = [replace(WIDE, suppressed=(replace(quiet, span=span("nets/wide.yaml", n)),)) for n in range(1, 3_001)]
    files = tuple(
        replace(file, file=f"{'x' * 200}{n}", name="é" * 400) for n, file in enumerate((*wide, *[ABSENT] * 3_000))
    )
    markdown = summary_markdown(Outcome(files))
    assert len(markdown.encode()) < 2**20
    assert markdown.count("more, see the log") == 4
    assert markdown.endswith("\n</details>\n")
    assert OVER.message.split("`")[2] in summary_markdown(Outcome(files[:1]))
