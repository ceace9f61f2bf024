-- measure:    new_media_inspection
-- records:    core.new_media_inspection
-- is:         inspections of new-media accounts in the report year
-- rule:       国办秘函〔2019〕19号
SELECT
    i.source_system,
    i.record_id,
    a.organ_id,
    i.inspected_on AS record_on,
    a.platform,
    i.veto_indicator,
    i.is_passed,
    TRUE AS is_inspected_in_year
FROM core.new_media_inspection AS i
LEFT JOIN core.new_media_account AS a ON i.source_system = a.source_system AND i.account_id = a.record_id
WHERE i.removed_at IS NULL AND i.inspected_on BETWEEN getvariable('year_start') AND getvariable('year_end')
