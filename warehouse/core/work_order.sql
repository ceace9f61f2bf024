-- table:      core.work_order
-- title:      热线工单
-- is:         one work order dispatched by the hotline
-- grain:      one work order
-- key:        source_system, record_id
-- source:     12345 hotline: work orders
-- partition:  year(dispatched_at)
CREATE TABLE IF NOT EXISTS core.work_order (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    call_id VARCHAR,  -- 来电编号(core.hotline_call.record_id)
    organ_id VARCHAR,  -- 机关编号(core.organ)
    category VARCHAR,  -- 诉求类别代码
    request_kind VARCHAR,  -- 诉求性质:consultation 咨询, complaint 投诉, report 举报, help 求助, suggestion 建议, praise 表扬, other 其他
    work_order_status VARCHAR,  -- 状态:pending 待受理, dispatched 已派遣, in_progress 待处置, handled 已处置, awaiting_callback 待回访, closed 已结案, on_hold 挂起, refused 不予受理或退回, merged 已并入其他工单
    dispatched_at TIMESTAMP,  -- 转派时间(北京时间)
    due_at TIMESTAMP,  -- 办理期限(北京时间)
    responded_at TIMESTAMP,  -- 首次响应时间(北京时间)
    closed_at TIMESTAMP,  -- 办结时间(北京时间)
    called_back_at TIMESTAMP,  -- 回访时间(北京时间)
    is_called_back BOOLEAN,  -- 是否回访成功
    is_satisfied BOOLEAN,  -- 回访是否满意
    is_solved BOOLEAN,  -- 回访是否解决
    merged_into_id VARCHAR,  -- 重复而并入的工单编号(core.work_order.record_id);并入的不另计
    is_on_hold BOOLEAN,  -- 是否挂起(暂缓办理)
    refused_at TIMESTAMP,  -- 不予受理或退回的时间(北京时间);空为未退
    follow_up_count BIGINT,  -- 跟进(催办、督办、回复)次数
    satisfaction_score DECIMAL(9, 2),  -- 满意度评分,按来源系统的分制
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
