-- measure:    interaction
-- records:    core.interaction
-- is:         leader messages, online inquiries and interviews received or held in the report year
SELECT
    source_system,
    record_id,
    organ_id,
    received_on AS record_on,
    interaction_kind,
    closed_on,
    TRUE AS is_received_in_year,
    coalesce(closed_on <= getvariable('year_end'), FALSE) AS is_closed_by_year_end
FROM core.interaction
WHERE removed_at IS NULL AND received_on BETWEEN getvariable('year_start') AND getvariable('year_end')
