-- table:      core.organ
-- title:      机关
-- is:         the organs of the city and their place in the tree, each with its dates of validity
-- grain:      one organ and one period of validity (an organ that moves has several rows)
-- key:        organ_id, valid_from
-- source:     deployments/<city>/organs.csv; replaced as a whole when the file changes
CREATE TABLE IF NOT EXISTS core.organ (
    organ_id VARCHAR NOT NULL,  -- 机关编号
    organ_name VARCHAR NOT NULL,  -- 机关名称
    organ_kind VARCHAR NOT NULL,  -- 类别:city 市, county 县级政府, functional_zone 功能区, township 镇街, department 部门
    parent_organ_id VARCHAR,  -- 上级机关编号;空为根
    valid_from DATE NOT NULL,  -- 起始日期
    valid_to DATE,  -- 终止日期(含当日);空为现行
    successor_organ_id VARCHAR,  -- 撤并后的承接机关编号
    has_system BOOLEAN NOT NULL  -- 是否使用信息系统;否为报送工作簿
);
