-- measure:    new_media_account
-- records:    core.new_media_account
-- is:         new-media accounts with their standing at the end of the report year
-- rule:       国办秘函〔2019〕19号
SELECT
    source_system,
    record_id,
    organ_id,
    opened_on AS record_on,
    platform,
    account_name,
    (closed_on IS NULL OR closed_on > getvariable('year_end'))
    AND NOT list_contains(set_aside_columns, 'closed_on') AS is_active_at_year_end
FROM core.new_media_account
WHERE removed_at IS NULL AND (opened_on IS NULL OR opened_on <= getvariable('year_end'))
