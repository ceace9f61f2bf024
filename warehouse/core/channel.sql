-- table:      core.channel
-- title:      网站栏目
-- is:         one node of the website's channel tree
-- grain:      one channel of one site
-- key:        source_system, record_id
-- source:     website CMS: channels
-- stands:     from opened_on until closed_on; a year needs no new ones
CREATE TABLE IF NOT EXISTS core.channel (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    parent_channel_id VARCHAR,  -- 上级栏目编号;空为根栏目
    channel_name VARCHAR,  -- 栏目名称
    channel_kind VARCHAR,  -- 栏目性质的代码,由部署的来源文件映射(例:disclosure_directory 政府信息公开目录, government_news 政务动态, overview 概况, interpretation 政策解读, one_thing …)
    is_disclosure BOOLEAN,  -- 栏目内的文章是否计入主动公开政府信息
    organ_id VARCHAR,  -- 机关编号(core.organ)
    opened_on DATE,  -- 开设日期
    closed_on DATE,  -- 关停日期;空为在用
    site_id VARCHAR,  -- 所在网站的编号(core.website);空按机关所属的网站计
    is_special_column BOOLEAN,  -- 是否专栏专题;栏目性质另有代码时标明
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
