-- measure:    fee_charge
-- records:    core.fee_charge
-- is:         fees charged in the report year
-- rule:       条例第二十条第(八)项;信息处理费见第四十二条及报告第六部分
SELECT
    source_system,
    record_id,
    organ_id,
    charged_on AS record_on,
    fee_kind,
    amount_yuan,
    TRUE AS is_charged_in_year
FROM core.fee_charge
WHERE removed_at IS NULL AND charged_on BETWEEN getvariable('year_start') AND getvariable('year_end')
