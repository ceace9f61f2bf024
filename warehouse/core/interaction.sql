-- table:      core.interaction
-- title:      网站互动
-- is:         one leader message, online inquiry, interview, consultation or survey
-- grain:      one interaction
-- key:        source_system, record_id
-- source:     website CMS: interactions
CREATE TABLE IF NOT EXISTS core.interaction (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    interaction_kind VARCHAR,  -- 类别:leader_message 领导信箱留言, online_inquiry 网络问政, interview 在线访谈, consultation 意见征集, survey 征集调查, press_conference 新闻发布会
    organ_id VARCHAR,  -- 机关编号(core.organ)
    channel_name VARCHAR,  -- 栏目或平台名称
    received_on DATE,  -- 收到日期;访谈、发布会为举行日期,征集、调查为开始日期
    closed_on DATE,  -- 办结日期;空为受理中
    answer_channel VARCHAR,  -- 答复方式:public 公开答复, telephone 电话答复, private 不公开答复, other 其他
    published_on DATE,  -- 公开答复日期;征集、调查为公布结果日期
    message_count BIGINT,  -- 访谈中的网民留言数;征集、调查收到的意见数
    answered_count BIGINT,  -- 访谈中的答复数
    site_id VARCHAR,  -- 所在网站的编号(core.website);空按机关所属的网站计
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
