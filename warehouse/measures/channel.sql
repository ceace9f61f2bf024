-- measure:    channel
-- records:    core.channel
-- is:         channels of the websites with their standing in and at the end of the report year
-- rule:       国办函〔2018〕12号;年末未关停的为维护中
-- at end:     is_kept_at_year_end
SELECT
    source_system,
    record_id,
    organ_id,
    opened_on AS record_on,
    channel_kind,
    coalesce(opened_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_opened_in_year,
    (closed_on IS NULL OR closed_on > getvariable('year_end'))
    AND NOT list_contains(set_aside_columns, 'closed_on') AS is_kept_at_year_end
FROM core.channel
WHERE removed_at IS NULL AND (opened_on IS NULL OR opened_on <= getvariable('year_end'))
