-- measure:    form_entry
-- records:    core.form_entry
-- is:         what was last entered on record for each row of a form of the report year, by website
-- rule:       国办函〔2018〕12号;没有系统记录的,由人员登记,照登记的列出
-- not summed: *
SELECT
    concat('entries/', entries_of, '.csv') AS source_system,
    concat('第 ', entry_number, ' 行') AS record_id,
    website_id AS organ_id,
    entered_on AS record_on,
    entries_of,
    entry_row,
    entry_text,
    entry_value,
    concat('登记为“', entry_text, '”;', entered_by, '登记;依据:', entry_source) AS detail
FROM core.form_entry
WHERE
    getvariable('year_start') = make_date(report_year, 1, 1)
    AND getvariable('year_end') = make_date(report_year, 12, 31)
QUALIFY row_number() OVER (
    PARTITION BY entries_of, website_id, report_year, entry_row ORDER BY entry_number DESC
) = 1 AND entry_text IS NOT NULL
