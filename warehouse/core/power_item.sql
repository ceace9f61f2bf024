-- table:      core.power_item
-- title:      行政权力与收费事项
-- is:         one item of an organ's list of powers, services or fees
-- grain:      one item of one organ
-- key:        source_system, record_id
-- source:     disclosure ledger: items
-- stands:     from valid_from until valid_to; a year needs no new ones
CREATE TABLE IF NOT EXISTS core.power_item (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关编号(core.organ)
    action_kind VARCHAR,  -- 类别:administrative_license 行政许可, other_public_service 其他对外管理服务事项, administrative_penalty 行政处罚, administrative_coercion 行政强制, administrative_fee 行政事业性收费
    item_name VARCHAR,  -- 事项名称
    valid_from DATE,  -- 生效日期
    valid_to DATE,  -- 取消日期(当日起无效);空为有效
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
