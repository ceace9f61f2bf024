-- table:      core.regulatory_document
-- title:      规章与规范性文件
-- is:         one regulation or normative document
-- grain:      one document
-- key:        source_system, record_id
-- source:     disclosure ledger: documents
-- stands:     from issued_on until abolished_on; a year needs no new ones
CREATE TABLE IF NOT EXISTS core.regulatory_document (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关编号(core.organ)
    document_kind VARCHAR,  -- 类别:regulation 规章, normative_document 规范性文件
    document_number VARCHAR,  -- 文号
    title VARCHAR,  -- 标题
    issued_on DATE,  -- 制发日期
    disclosed_on DATE,  -- 首次公开日期
    amended_on DATE,  -- 最近一次修改(修订、修正)日期
    abolished_on DATE,  -- 废止或失效日期;空为现行有效
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
