"""Reading the page of a comparison."""

import re
from html.parser import HTMLParser

from gbdt_pwiser.report import write_report

PLOTS = [
    "Gain over",
    "CTR AUC and conversion AUC on",
    "Conversions per click",
    "Click rate",
    "Distribution of",
    "CTR AUC on validation by round",
    "Share of pairs that violate their margin by round",
]
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements, ids and one table of a page, that of the results; refuses tags that do not close."""

    def __init__(self, text, table="results"):
        super().__init__()
        self.wanted = table
        self.elements, self.open, self.table = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, dict(attributes)))
        if self.inside_table() and tag == "tr":
            self.table.append([])
        if self.inside_table() and tag in ("th", "td"):
            self.table[-1].append([])

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.inside_table() and data.strip():
            self.table[-1][-1].append(data.strip().replace("\xa0", " "))

    def inside_table(self):
        return any(attributes.get("id") == self.wanted for _, attributes in self.open)


def write(path, results, details=None):
    write_report(path, results, details)
    return path.read_text(encoding="utf-8")


def drawings(page):
    return [attributes for tag, attributes in page.elements if tag == "svg"]


def flat(text):
    return re.sub(r"\s+", " ", text)
