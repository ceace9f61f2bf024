-- table:      ops.resource_file
-- title:      已装载的文件
-- is:         workbooks and other files that were loaded, by content
-- grain:      one file of one resource in one version
-- key:        source_system, resource, file_name, sha256
-- source:     this project
CREATE TABLE IF NOT EXISTS ops.resource_file (
    source_system VARCHAR NOT NULL,  -- 来源系统
    resource VARCHAR NOT NULL,  -- 资源
    file_name VARCHAR NOT NULL,  -- 文件名
    sha256 VARCHAR NOT NULL,  -- 内容的指纹
    mark VARCHAR,  -- 目录给出的版本标记(修改时间、大小等);不变则不再下载
    loaded_at TIMESTAMP NOT NULL,  -- 装载时间(北京时间)
    load_id VARCHAR NOT NULL  -- 装载编号
);
