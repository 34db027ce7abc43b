-- The index of each pollutant under each edition of HJ 633, as in force and as if it were in force that day:
-- the latter makes years comparable across 2026-03-01. Concentrations are rounded (GB/T 8170) before the table.
{% set items = [
    ('pm25_24h', 'pm25_ugm3', 'valid_hours_pm25'),
    ('pm10_24h', 'pm10_ugm3', 'valid_hours_pm10'),
    ('so2_24h', 'so2_ugm3', 'valid_hours_so2'),
    ('no2_24h', 'no2_ugm3', 'valid_hours_no2'),
    ('co_24h', 'co_mgm3', 'valid_hours_co'),
    ('o3_8h', 'o3_8h_ugm3', 'valid_hours_o3'),
    ('o3_1h', 'o3_1h_ugm3', 'valid_hours_o3'),
] %}
with long as (
    {% for item, value, hours in items %}
        select
            station_name,
            date,
            '{{ item }}' as item,
            {{ value }} as mean_value,
            {{ hours }} as valid_hours
        from {{ ref('environment__daily_concentrations') }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

rounded as (
    select
        long.station_name,
        long.date,
        rules.standard,
        long.date between rules.valid_from and rules.valid_to as is_in_force,
        long.item,
        rules.pollutant,
        rules.averaging,
        rules.unit,
        rules.use_in_aqi,
        long.valid_hours,
        {{ rounded_concentration('long.mean_value', 'rules.decimals') }} as concentration
    from long
    inner join {{ ref('hj633_daily_items') }} as rules
        on long.item = rules.item
),

indexed as (
    {{ iaqi_of('rounded') }}
)

select
    rounded.station_name,
    rounded.date,
    rounded.standard,
    rounded.item,
    rounded.is_in_force,
    rounded.pollutant,
    rounded.averaging,
    rounded.use_in_aqi,
    rounded.concentration,
    rounded.unit,
    rounded.valid_hours,
    indexed.iaqi
from rounded
left join indexed
    on {{ same_concentration('rounded', 'indexed') }}
