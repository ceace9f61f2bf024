-- measure:    administrative_action
-- records:    core.administrative_action
-- is:         decisions of the report year on licences, services, penalties and coercion
-- rule:       条例第二十条第(五)(六)项;按决定日期计入
SELECT
    source_system,
    record_id,
    organ_id,
    decided_on AS record_on,
    action_kind,
    decision_count,
    TRUE AS is_decided_in_year
FROM core.administrative_action
WHERE removed_at IS NULL AND decided_on BETWEEN getvariable('year_start') AND getvariable('year_end')
