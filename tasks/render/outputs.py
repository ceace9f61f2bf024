"""The files of an edition, one row a file: to add an output, write it and add its row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tasks.editions.edition import Edition
from tasks.render import (
    account,
    data_files,
    data_package,
    dictionary,
    html,
    pdf,
    upload,
    word,
    workbook,
)


@dataclass(frozen=True)
class Output:
    """A file: `words` say what it is, with {report} for the form's short title; `use` what an
    operator does with it first, where he does. `write` writes it for an edition; the same
    edition gives the same bytes."""

    name: str
    words: str
    write: Callable[[Edition, Path], None]
    use: tuple[str, str] | None = None

    def title(self, edition: Edition) -> str:
        """What it is, for this edition."""
        return self.words.format(report=edition.form.short_title)


# In the order in which an operator wants them.
OUTPUTS = (
    Output(
        "tables.xlsx",
        "报表（Excel，可直接打印归档）",
        workbook.write,
        use=("Excel 报表", "可直接打印归档"),
    ),
    Output(
        "report.docx",
        "{report}（Word，文字已起草，可续写）",
        word.write,
        use=("Word 报告", "文字已起草，填好黄色处即可"),
    ),
    Output(
        "report.pdf",
        "{report}（PDF/A，与 Word 内容相同，供公布、打印和长期保存）",
        pdf.write,
        use=("PDF 报告", "与 Word 内容相同，版面固定，供公布和长期保存"),
    ),
    Output(
        "annex.docx",
        "{report}编制情况（Word，内部使用，不随报告公布）",
        word.write_annex,
        use=("编制情况", "不符之处、待填处、可引用的数字，内部使用"),
    ),
    Output(
        "report.html",
        "报表与核对说明（网页，离线打开，可逐数查看口径）",
        html.write,
        use=("网页报告", "可离线打开，可逐数查看口径与记录"),
    ),
    Output(
        "upload.xlsx",
        "各机关汇总表（Excel，一个机关一行，供上报平台导入）",
        upload.write,
        use=("各机关汇总表", "一个机关一行，供上报平台导入"),
    ),
    Output(
        "dictionary.html",
        "数据字典（网页，每个数字由哪些表、哪些系统的字段得来）",
        dictionary.write,
        use=("数据字典", "每个数字由哪些系统的哪些字段得来"),
    ),
    Output("cells.parquet", "各机关全部单元格（Parquet）", data_files.write_cells_parquet),
    Output("cells.csv", "全部单元格（CSV；机关逾 200 个的只有根机关）", data_files.write_cells_csv),
    Output("cells.json", "各机关全部单元格（JSON）", data_files.write_cells_json),
    Output("findings.csv", "核对结果（CSV）", data_files.write_findings_csv),
    Output("finding_records.csv", "核对所涉记录（CSV）", data_files.write_finding_records_csv),
    Output("account.csv", "记录去向（CSV）", account.write_csv),
    Output("findings.json", "核对结果及所涉记录（JSON）", data_files.write_findings_json),
    # Last: it describes those before it.
    Output(data_package.NAME, "数据包说明（Frictionless Data Package）", data_package.write),
)
