-- measure:    application
-- records:    core.application
-- is:         applications that count in the report year: new, carried in, closed, carried out
-- rule:       an application is new in the year it was received, a result in the year it was closed, and carried out of every year at whose end it was open (表三勾稽关系;条例第三十一条、第三十三条)
-- at start:   is_carried_in
-- at end:     is_carried_out
SELECT
    a.source_system,
    a.record_id,
    a.organ_id,
    a.received_on AS record_on,
    a.received_on,
    a.closed_on,
    a.applicant_kind,
    a.outcome,
    a.receipt_channel,
    a.received_on BETWEEN getvariable('year_start') AND getvariable('year_end') AS is_new,
    a.received_on < getvariable('year_start')
    AND NOT list_contains(a.set_aside_columns, 'closed_on') AS is_carried_in,
    coalesce(a.closed_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_closed,
    (a.closed_on IS NULL OR a.closed_on > getvariable('year_end'))
    AND NOT list_contains(a.set_aside_columns, 'closed_on') AS is_carried_out,
    is_closed AND NOT coalesce(t.is_lapsed, FALSE) AS is_answered,
    is_answered AND coalesce(t.is_on_time, FALSE) AS is_answered_on_time,
    is_answered AND a.extended_on IS NOT NULL AS is_answered_extended,
    a.closed_on - a.received_on AS days_to_answer
FROM core.application AS a
LEFT JOIN answer_time AS t ON a.source_system = t.source_system AND a.record_id = t.record_id
WHERE
    a.removed_at IS NULL
    AND a.received_on <= getvariable('year_end')
    AND (a.closed_on IS NULL OR a.closed_on >= getvariable('year_start'))
