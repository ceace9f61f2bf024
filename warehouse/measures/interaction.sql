-- measure:    interaction
-- records:    core.interaction
-- is:         leader messages, online inquiries, interviews, consultations and press conferences received or held in the report year
-- not summed: is_closed_by_year_end, is_answered_in_public
SELECT
    source_system,
    record_id,
    organ_id,
    received_on AS record_on,
    interaction_kind,
    closed_on,
    answer_channel,
    message_count,
    answered_count,
    closed_on - received_on AS days_to_answer,
    TRUE AS is_received_in_year,
    coalesce(closed_on <= getvariable('year_end'), FALSE) AS is_closed_by_year_end,
    coalesce(published_on <= getvariable('year_end'), FALSE) AS is_answered_in_public
FROM core.interaction
WHERE removed_at IS NULL AND received_on BETWEEN getvariable('year_start') AND getvariable('year_end')
