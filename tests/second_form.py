"""A second form for tests: three cells, a folder of data in the city's folder."""

from __future__ import annotations

from pathlib import Path

KEY = "site-report"
FORM = """
key: site-report
title: 政府网站发布情况年度报表
short_title: 网站报表
deadlines:
  - {month: 1, day: 31, what: 公布上一年度网站报表, notice: 国办函〔2018〕12号}
records: [core.article]
checks:
  - {code: W1, severity: block, title: 部分不多于全部, message: 请在来源系统核对栏目类别}
sections:
  - {heading: 信息发布, tables: [w1]}
  - {heading: 需要说明的情况, prompt: （由主办单位撰写）}
"""
LAYOUT = """
layout: "2018"
title: 政府网站发布情况年度报表(2018年格式)
notice: 国办函〔2018〕12号
report_years: {from: 2018}
tables:
  - key: w1
    title: 信息发布总数
    print: line
    unit: 条
    measure: article
    columns:
      - {key: total, label: 总数}
      - {key: disclosed, label: 主动公开, where: is_disclosure}
      - key: news
        label: 概况类、政务动态
        where: |
          channel_kind = 'overview' or
          channel_kind = 'government_news'
    rows:
      - {key: published, label: 发布, where: is_published_in_year}
    balance:
      - {code: W1, each: row, left: [total], relation: ">=", right: [disclosed], message: 总数不少于主动公开数}
"""
CHARTS = """
- {key: articles_by_month, title: 每月发布信息, unit: 条, measure: article, where: is_published_in_year, by: month}
"""
CELLS = ("w1.published.total", "w1.published.disclosed", "w1.published.news")


def add_second_form(city: Path, **changed: str) -> Path:
    """Put the form into a city's folder; `form` and `layout` replace the texts."""
    folder = city / "forms" / KEY
    (folder / "layouts").mkdir(parents=True)
    (folder / "form.yaml").write_text(changed.get("form", FORM), encoding="utf-8")
    (folder / "layouts" / "2018.yaml").write_text(changed.get("layout", LAYOUT), encoding="utf-8")
    (folder / "charts.yaml").write_text(changed.get("charts", CHARTS), encoding="utf-8")
    return folder
