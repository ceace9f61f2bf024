-- table:      core.site_traffic
-- title:      网站访问量
-- is:         one site's visits on one day
-- grain:      one site and day
-- key:        source_system, record_id
-- source:     website CMS: site traffic
CREATE TABLE IF NOT EXISTS core.site_traffic (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    site_name VARCHAR,  -- 网站名称
    is_portal BOOLEAN,  -- 是否市政府门户网站
    organ_id VARCHAR,  -- 机关编号(core.organ)
    traffic_on DATE,  -- 日期
    visit_count BIGINT,  -- 访问量(次)
    visitor_count BIGINT,  -- 独立用户访问量(个)
    site_id VARCHAR,  -- 网站编号(core.website);空按网站名称对应
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
