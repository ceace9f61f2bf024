-- measure:    website_channel
-- records:    core.channel
-- is:         channels with their standing in and at the end of the report year, by website
-- rule:       国办函〔2018〕12号;年末未关停的为维护中
-- at end:     is_kept_at_year_end
SELECT
    c.source_system,
    c.record_id,
    coalesce(w.website_id, CASE WHEN c.site_id IS NULL THEN m.website_id END, c.organ_id) AS organ_id,
    c.opened_on AS record_on,
    coalesce(c.is_special_column, c.channel_kind = 'special_column', FALSE) AS is_special_column,
    coalesce(c.opened_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_opened_in_year,
    (c.closed_on IS NULL OR c.closed_on > getvariable('year_end'))
    AND NOT list_contains(c.set_aside_columns, 'closed_on') AS is_kept_at_year_end
FROM core.channel AS c
LEFT JOIN website_of_year AS w ON c.site_id = w.website_id
LEFT JOIN website_of_organ AS m ON c.organ_id = m.organ_id
WHERE c.removed_at IS NULL AND (c.opened_on IS NULL OR c.opened_on <= getvariable('year_end'))
