-- table:      core.article
-- title:      网站文章
-- is:         one article published on the website
-- grain:      one article of one site
-- key:        source_system, record_id
-- source:     website CMS: articles
-- partition:  year(published_at)
CREATE TABLE IF NOT EXISTS core.article (
    source_system VARCHAR NOT NULL,  -- 来源系统:部署中该来源的名称(source file `name`)
    record_id VARCHAR NOT NULL,  -- 来源系统内的编号
    channel_id VARCHAR,  -- 所属栏目(core.channel.record_id)
    organ_id VARCHAR,  -- 机关编号(core.organ)
    title VARCHAR,  -- 标题
    document_number VARCHAR,  -- 文号
    index_number VARCHAR,  -- 索引号
    genre VARCHAR,  -- 体裁代码:notice 通知, report 报告, normative_document 规范性文件, regulation 规章, reply 答复, interpretation 解读, list 目录清单, news 动态, other 其他
    key_field VARCHAR,  -- 重点领域代码;空为非重点领域
    validity VARCHAR,  -- 效力:valid 有效, abolished 废止;非文件类为空
    interprets_article_id VARCHAR,  -- 所解读文件的文章编号
    interpretation_form VARCHAR,  -- 解读形式:text 文字, graphic 图解, question_answer 问答, video 音视频, interview 访谈, other 其他;非解读为空
    created_at TIMESTAMP,  -- 创建时间(北京时间)
    published_at TIMESTAMP,  -- 发布时间(北京时间);空为未发布
    url VARCHAR,  -- 地址
    site_id VARCHAR,  -- 所在网站的编号(core.website);空按机关所属的网站计
    information_kind VARCHAR,  -- 信息类别:overview 概况类, government_news 政务动态, catalogue 信息公开目录, other 其他;空按栏目性质计
    interpretation_kind VARCHAR,  -- 解读回应类别:material 解读材料, product 解读产品, comment 媒体评论文章, response 回应关注;非解读回应为空
    other_channel_ids VARCHAR,  -- 同时发布到的其他栏目编号(core.channel.record_id),以英文逗号分隔;任一为公开栏目即计入主动公开
    view_count BIGINT,  -- 浏览次数
    source_updated_at TIMESTAMP,  -- 来源系统中的更新时间(北京时间)
    removed_at TIMESTAMP,  -- 来源系统撤回或删除该记录的时间(北京时间);空为有效
    removal VARCHAR,  -- 不再有效的缘由:withdrawn 来源系统撤回或删除, unseen 完整清单中不再有;空为有效
    origin VARCHAR,  -- 记录的出处:落地文件与行号,或工作簿、工作表与行号
    row_hash VARCHAR NOT NULL,  -- 业务列的指纹;相同则不更新
    load_id VARCHAR NOT NULL,  -- 写入该行的装载(ops.load)
    loaded_at TIMESTAMP NOT NULL  -- 写入时间(北京时间)
);
