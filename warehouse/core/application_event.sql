-- table:      core.application_event
-- title:      申请办理环节
-- is:         one step in the handling of an application
-- grain:      one step of one application
-- key:        source_system, record_id
-- source:     disclosure ledger: applications (events)
CREATE TABLE IF NOT EXISTS core.application_event (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    application_id VARCHAR,  -- 申请编号(core.application.record_id)
    event_kind VARCHAR,  -- 环节:received 收到, correction_requested 要求补正, corrected 收到补正, extended 延长, consulted 征求意见, consultation_answered 意见回复, fee_notified 收费通知, fee_paid 缴费, closed 办结
    event_on DATE,  -- 日期
    amount_yuan DECIMAL(18, 2),  -- 金额(元);收费通知为应收,缴费为实收
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
