-- table:      core.administrative_action
-- title:      行政处理决定
-- is:         decisions on licences, services, penalties or coercion; a return may stand for several
-- grain:      one decision or one return of decisions
-- key:        source_system, record_id
-- source:     disclosure ledger: licences, penalties, coercion
CREATE TABLE IF NOT EXISTS core.administrative_action (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    organ_id VARCHAR,  -- 机关编号(core.organ)
    action_kind VARCHAR,  -- 类别:administrative_license 行政许可, other_public_service 其他对外管理服务事项, administrative_penalty 行政处罚, administrative_coercion 行政强制
    item_id VARCHAR,  -- 事项编号(core.power_item.record_id)
    decided_on DATE,  -- 决定日期;汇总填报为所属月末日
    decision_count BIGINT,  -- 处理决定件数(件)
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
