-- table:      core.new_media_account
-- title:      政务新媒体账号
-- is:         one account of one organ on one platform
-- grain:      one account
-- key:        source_system, record_id
-- source:     new-media monitor: accounts
-- stands:     from opened_on until closed_on; a year needs no new ones
CREATE TABLE IF NOT EXISTS core.new_media_account (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    platform VARCHAR,  -- 平台:wechat 微信, weibo 微博, douyin 抖音, toutiao 头条, app 客户端, other 其他
    account_name VARCHAR,  -- 账号名称
    organ_id VARCHAR,  -- 机关编号(core.organ)
    is_verified BOOLEAN,  -- 是否平台认证
    is_filed BOOLEAN,  -- 是否备案
    opened_on DATE,  -- 开设日期
    closed_on DATE,  -- 关停注销日期;空为在用
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
