-- table:      core.calendar_day
-- title:      工作日历
-- is:         which days are working days under the State Council's holiday notices, make-up working days included
-- grain:      one day
-- key:        day_on
-- source:     the chinesecalendar package (国务院办公厅节假日安排通知), replaced as a whole when it changes
CREATE TABLE IF NOT EXISTS core.calendar_day (
    day_on DATE NOT NULL,  -- 日期
    is_working_day BOOLEAN NOT NULL,  -- 是否工作日(含调休上班)
    day_name VARCHAR,  -- 节假日或调休的名称
    is_official BOOLEAN NOT NULL,  -- 是否依据已公布的节假日安排;否为仅按周末推算
    working_day_number BIGINT NOT NULL  -- 自历首起的第几个工作日;非工作日为此前最近的工作日序号
);
