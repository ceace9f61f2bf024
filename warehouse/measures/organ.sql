-- measure:    organ
-- records:    core.organ
-- is:         organs in force at the end of the report year
-- rule:       条例第四十九条
-- at end:     *
SELECT
    'organs.csv' AS source_system,
    organ_id AS record_id,
    organ_id,
    valid_from AS record_on,
    organ_kind,
    organ_kind = 'department' AND parent_organ_id IN (
        SELECT c.organ_id FROM organ_of_year AS c WHERE c.organ_kind = 'city'
    ) AS is_city_department,
    TRUE AS is_in_force_at_year_end
FROM organ_of_year
WHERE valid_to IS NULL OR valid_to >= getvariable('year_end')
