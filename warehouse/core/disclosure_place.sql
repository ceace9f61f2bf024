-- table:      core.disclosure_place
-- title:      公开专区和查阅点
-- is:         a place where people find government information: a 政务公开专区 or a 政府信息查阅点
-- grain:      one place
-- key:        source_system, record_id
-- source:     disclosure ledger: places
-- stands:     from opened_on until closed_on; a year needs no new ones
CREATE TABLE IF NOT EXISTS core.disclosure_place (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关编号(core.organ)
    place_kind VARCHAR,  -- 类别:zone 政务公开专区, reading_point 政府信息查阅点
    place_name VARCHAR,  -- 名称
    opened_on DATE,  -- 开设日期
    closed_on DATE,  -- 撤销日期;空为在用
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
