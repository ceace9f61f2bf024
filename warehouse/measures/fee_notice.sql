-- measure:    fee_notice
-- records:    core.application_event
-- is:         notices of an information processing fee and their payment in the report year
-- rule:       国办函〔2020〕109号
SELECT
    e.source_system,
    e.record_id,
    a.organ_id,
    e.event_on AS record_on,
    e.event_kind,
    e.amount_yuan
FROM core.application_event AS e
LEFT JOIN core.application AS a ON e.source_system = a.source_system AND e.application_id = a.record_id
WHERE
    e.removed_at IS NULL AND a.removed_at IS NULL AND e.event_kind IN ('fee_notified', 'fee_paid')
    AND e.event_on BETWEEN getvariable('year_start') AND getvariable('year_end')
