-- measure:    application
-- records:    core.application
-- is:         applications that count in the report year: new, carried in, closed, carried out
-- rule:       an application is new in the year it was received, a result in the year it was closed, and carried out of every year at whose end it was open (表三勾稽关系;条例第三十一条、第三十三条)
SELECT
    source_system,
    record_id,
    organ_id,
    received_on AS record_on,
    received_on,
    closed_on,
    applicant_kind,
    outcome,
    receipt_channel,
    received_on BETWEEN getvariable('year_start') AND getvariable('year_end') AS is_new,
    received_on < getvariable('year_start')
    AND NOT list_contains(set_aside_columns, 'closed_on') AS is_carried_in,
    coalesce(closed_on BETWEEN getvariable('year_start') AND getvariable('year_end'), FALSE) AS is_closed,
    (closed_on IS NULL OR closed_on > getvariable('year_end'))
    AND NOT list_contains(set_aside_columns, 'closed_on') AS is_carried_out
FROM core.application
WHERE
    removed_at IS NULL
    AND received_on <= getvariable('year_end')
    AND (closed_on IS NULL OR closed_on >= getvariable('year_start'))
