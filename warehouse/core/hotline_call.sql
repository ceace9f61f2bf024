-- table:      core.hotline_call
-- title:      热线来电
-- is:         one call or online request to the hotline
-- grain:      one call
-- key:        source_system, record_id
-- source:     12345 hotline: calls
-- partition:  year(called_at), month(called_at)
CREATE TABLE IF NOT EXISTS core.hotline_call (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    called_at TIMESTAMP,  -- 来电时间(北京时间)
    request_channel VARCHAR,  -- 渠道:telephone 电话, wechat 微信, web 网站, app 客户端, other 其他
    is_answered BOOLEAN,  -- 是否接通
    wait_seconds BIGINT,  -- 等待时长(秒)
    duration_seconds BIGINT,  -- 通话时长(秒)
    disposition VARCHAR,  -- 处理方式:answered_directly 直接答复, work_order 转派工单, abandoned 未接通
    work_order_id VARCHAR,  -- 转派的工单编号(core.work_order.record_id)
    category VARCHAR,  -- 诉求类别代码
    request_kind VARCHAR,  -- 诉求性质:consultation 咨询, complaint 投诉, report 举报, help 求助, suggestion 建议, praise 表扬, other 其他
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
