-- measure:    power_item
-- records:    core.power_item
-- is:         items of the lists of powers, services and fees with their standing before and at the end of the report year
-- rule:       条例第二十条第(五)(六)(八)项;上一年项目数量为上一年末有效的事项,本年增/减为年末与上一年末之差;取消当日起无效
-- at start:   is_in_force_before_year
-- at end:     is_in_force_at_year_end
SELECT
    source_system,
    record_id,
    organ_id,
    valid_from AS record_on,
    action_kind,
    valid_from,
    valid_to,
    valid_from < getvariable('year_start')
    AND (valid_to IS NULL OR valid_to >= getvariable('year_start'))
    AND NOT list_contains(set_aside_columns, 'valid_to') AS is_in_force_before_year,
    (valid_to IS NULL OR valid_to > getvariable('year_end'))
    AND NOT list_contains(set_aside_columns, 'valid_to') AS is_in_force_at_year_end,
    is_in_force_at_year_end::INTEGER - is_in_force_before_year::INTEGER AS change_in_year
FROM core.power_item
WHERE
    removed_at IS NULL
    AND valid_from <= getvariable('year_end')
    AND (valid_to IS NULL OR valid_to >= getvariable('year_start'))
