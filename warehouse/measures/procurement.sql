-- measure:    procurement
-- records:    core.procurement
-- is:         centralised government procurement signed in the report year
-- rule:       条例第二十条第(九)项;按合同签订日期计入
SELECT
    source_system,
    record_id,
    organ_id,
    signed_on AS record_on,
    amount_yuan,
    TRUE AS is_signed_in_year
FROM core.procurement
WHERE removed_at IS NULL AND signed_on BETWEEN getvariable('year_start') AND getvariable('year_end')
