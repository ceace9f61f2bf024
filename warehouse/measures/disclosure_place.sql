-- measure:    disclosure_place
-- records:    core.disclosure_place
-- is:         places for government information with their standing at the end of the report year
-- rule:       条例第二十五条
-- at end:     is_kept_at_year_end
SELECT
    source_system,
    record_id,
    organ_id,
    opened_on AS record_on,
    place_kind,
    coalesce(opened_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_opened_in_year,
    (closed_on IS NULL OR closed_on > getvariable('year_end'))
    AND NOT list_contains(set_aside_columns, 'closed_on') AS is_kept_at_year_end
FROM core.disclosure_place
WHERE removed_at IS NULL AND (opened_on IS NULL OR opened_on <= getvariable('year_end'))
