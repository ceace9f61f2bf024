-- table:      core.website
-- title:      网站登记册
-- is:         the websites of the city, each with what its yearly form says of it
-- grain:      one website
-- key:        website_id
-- source:     deployments/<city>/websites.csv; replaced as a whole when the file changes
CREATE TABLE IF NOT EXISTS core.website (
    website_id VARCHAR NOT NULL,  -- 网站编号;不与机关编号相同
    website_name VARCHAR NOT NULL,  -- 网站名称
    home_url VARCHAR NOT NULL,  -- 首页网址
    organ_id VARCHAR NOT NULL,  -- 主办单位的机关编号(core.organ)
    website_kind VARCHAR NOT NULL,  -- 网站类型:portal 政府门户网站, department 部门网站, special 专项网站
    identification_code VARCHAR,  -- 政府网站标识码;空为尚未取得
    icp_number VARCHAR,  -- ICP备案号
    police_number VARCHAR,  -- 公安机关备案号
    valid_from DATE NOT NULL,  -- 开通日期
    valid_to DATE  -- 关停日期(含当日);空为在用
);
