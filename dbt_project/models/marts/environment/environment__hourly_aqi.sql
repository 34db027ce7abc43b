-- The hourly (real-time) air quality index, under the edition of HJ 633 in force that hour: one-hour means of the gases
-- on the one-hour table; of particles the one-hour mean (2026) or the moving mean of 24 hours (2012, 20 of them valid)
-- on the 24-hour table. Like the daily index, an incomplete hour is published only above the edition's threshold.
{% set items = [
    ('pm25', 'pm25_ugm3'), ('pm10', 'pm10_ugm3'), ('so2', 'so2_ugm3'),
    ('no2', 'no2_ugm3'), ('co', 'co_mgm3'), ('o3', 'o3_ugm3'),
] %}
{% set labels = {'pm25': 'PM2.5', 'pm10': 'PM10', 'so2': 'SO2', 'no2': 'NO2', 'co': 'CO', 'o3': 'O3'} %}
with hourly as (
    select
        station_name,
        observed_at,
        {{ local_date('observed_at') }} as date,
        {{ local_hour('observed_at') }} as hour,
        cast({{ epoch_seconds('observed_at') }} as bigint) as at_seconds,
        pm25_ugm3,
        pm10_ugm3,
        so2_ugm3,
        no2_ugm3,
        co_mgm3,
        o3_ugm3
    from {{ ref('staging__ecology__air_hourly') }}
    where station_name is not null and observed_at is not null
),

moving as (
    select
        *,
        {% for item, value in items[:2] %}
            case
                when
                    count({{ value }}) over (
                        partition by station_name order by at_seconds range between 82800 preceding and current row
                    ) >= 20
                    then avg({{ value }}) over (
                        partition by station_name order by at_seconds range between 82800 preceding and current row
                    )
            end as {{ item }}_24h{% if not loop.last %},{% endif %}
        {% endfor %}
    from hourly
),

long as (
    {% for item, value in items %}
        select
            station_name,
            observed_at,
            date,
            hour,
            '{{ item }}' as item,
            {{ value }} as mean_1h,
            {% if loop.index0 < 2 %}{{ item }}_24h{% else %}cast(null as double){% endif %} as moving_24h
        from moving
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

rounded as (
    select
        long.station_name,
        long.observed_at,
        long.date,
        long.hour,
        rules.standard,
        rules.item,
        rules.pollutant,
        rules.averaging,
        case
            when rules.statistic = 'moving_24h' then {{ round_half_even('long.moving_24h', 0) }}
            else {{ rounded_concentration('long.mean_1h', 'rules.decimals') }}
        end as concentration
    from long
    inner join {{ ref('hj633_hourly_items') }} as rules
        on long.item = rules.item and long.date between rules.valid_from and rules.valid_to
),

tables as (
    {{ iaqi_of('rounded') }}
),

indexed as (
    select
        rounded.*,
        tables.iaqi
    from rounded
    left join tables
        on {{ same_concentration('rounded', 'tables') }}
),

hours as (
    select
        station_name,
        observed_at,
        min(date) as date,
        min(hour) as hour,
        min(standard) as standard,
        max(iaqi) as top,
        count(iaqi) = 6 as is_complete,
        {% for item, _ in items %}
            max(case when item = '{{ item }}' then iaqi end) as iaqi_{{ item }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from indexed
    group by station_name, observed_at
),

published as (
    select
        hours.*,
        case when hours.is_complete or hours.top > editions.incomplete_needs_aqi_above then hours.top end as aqi
    from hours
    inner join {{ ref('hj633_editions') }} as editions
        on hours.standard = editions.standard
)

select
    published.station_name,
    published.observed_at,
    published.date,
    published.hour,
    published.aqi,
    levels.level_name,
    levels.colour_hex,
    case
        when published.aqi > 50
            then concat_ws(
                '、',
                {% for item, label in labels.items() %}
                    case when published.iaqi_{{ item }} = published.aqi then '{{ label }}' end{% if not loop.last %}
                        ,
                    {% endif %}
                {% endfor %}
            )
    end as primary_pollutant,
    {% for item, _ in items %}
        published.iaqi_{{ item }},
    {% endfor %}
    published.is_complete,
    published.standard
from published
left join {{ ref('aqi_levels') }} as levels
    on published.aqi between levels.aqi_lo and levels.aqi_hi
