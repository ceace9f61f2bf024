-- table:      core.new_media_post
-- title:      新媒体发布
-- is:         one post of one account
-- grain:      one post
-- key:        source_system, record_id
-- source:     new-media monitor: posts
-- partition:  year(posted_at)
CREATE TABLE IF NOT EXISTS core.new_media_post (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    account_id VARCHAR,  -- 账号编号(core.new_media_account.record_id)
    posted_at TIMESTAMP,  -- 发布时间(北京时间)
    read_count BIGINT,  -- 阅读量(次)
    interaction_count BIGINT,  -- 互动量(次)
    is_original BOOLEAN,  -- 是否原创;否为转发
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
