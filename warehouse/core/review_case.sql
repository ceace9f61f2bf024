-- table:      core.review_case
-- title:      行政复议与诉讼案件
-- is:         one reconsideration or litigation case over disclosure
-- grain:      one case
-- key:        source_system, record_id
-- source:     disclosure ledger: reconsideration and litigation cases
CREATE TABLE IF NOT EXISTS core.review_case (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关编号(core.organ)
    case_kind VARCHAR,  -- 类别:reconsideration 行政复议, litigation_direct 未经复议直接起诉, litigation_after_reconsideration 复议后起诉
    application_id VARCHAR,  -- 所涉申请编号
    accepted_on DATE,  -- 受理日期
    closed_on DATE,  -- 审结日期;空为尚未审结
    outcome VARCHAR,  -- 结果:upheld 维持, corrected 纠正, other 其他;空为未登记
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
