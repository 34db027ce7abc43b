-- Days on which a daily concentration, rounded by GB/T 8170, is above the GB 3095 limit in force that day.
-- Class 1 limits hold for nature reserves and scenic areas, class 2 for everywhere else, Xicheng included.
with limits as (
    select
        standard,
        phase,
        pollutant,
        averaging,
        valid_from,
        valid_to,
        max(case when class_code = '1' then limit_value end) as limit_class1,
        max(case when class_code = '2' then limit_value end) as limit_class2
    from {{ ref('gb3095_limits') }}
    where averaging in ('24h', '8h')
    group by standard, phase, pollutant, averaging, valid_from, valid_to
)

select
    days.station_name,
    days.date,
    days.pollutant,
    days.averaging,
    days.concentration,
    days.unit,
    limits.limit_class1,
    limits.limit_class2,
    days.concentration > limits.limit_class1 as exceeds_class1,
    days.concentration > limits.limit_class2 as exceeds_class2,
    round(days.concentration / limits.limit_class2 - 1, 2) as times_over_class2,
    limits.standard,
    limits.phase
from {{ ref('environment__daily_iaqi') }} as days
inner join limits
    on
        days.pollutant = limits.pollutant
        and days.averaging = limits.averaging
        and days.date between limits.valid_from and limits.valid_to
where
    days.is_in_force
    and days.use_in_aqi = 'always'
    and days.concentration > limits.limit_class1
