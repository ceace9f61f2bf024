-- table:      core.form_entry
-- title:      人工登记
-- is:         what a person entered on record for a row of a form that no system holds; append-only
-- grain:      one line of a file of entries
-- key:        entries_of, entry_number
-- source:     deployments/<city>/entries/*.csv; lines are only added
CREATE TABLE IF NOT EXISTS core.form_entry (
    entries_of VARCHAR NOT NULL,  -- 登记文件的名称,即所属报表
    entry_number BIGINT NOT NULL,  -- 文件中的行号;后登记的替代先登记的
    website_id VARCHAR NOT NULL,  -- 网站编号(core.website)
    report_year BIGINT NOT NULL,  -- 报告年度
    entry_row VARCHAR NOT NULL,  -- 报表的行:表.行
    entry_text VARCHAR,  -- 登记的内容;空为撤回
    entry_value DECIMAL(24, 6),  -- 登记的数;是为 1,否为 0;文字为空
    entered_by VARCHAR NOT NULL,  -- 登记人
    entered_on DATE NOT NULL,  -- 登记日期
    entry_source VARCHAR NOT NULL  -- 依据
);
