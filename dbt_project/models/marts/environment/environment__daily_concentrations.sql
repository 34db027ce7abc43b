-- Daily statistics of hourly concentrations, with the validity rules of HJ 663 and GB 3095:
-- a daily mean needs 20 valid hours, an 8-hour mean 6 of its 8 hours, a daily maximum of 8-hour means 14 of the
-- 17 means that end at hours 8 to 24, unless what is there already exceeds the class 2 limit of the day.
-- The hours of a day stand side by side: one pass over the readings, and a missing record counts like a missing value.
{% set pollutants = ['pm25_ugm3', 'pm10_ugm3', 'so2_ugm3', 'no2_ugm3', 'co_mgm3'] %}
with hourly as (
    select
        station_name,
        {{ local_date('observed_at') }} as date,
        {{ local_hour('observed_at') }} as hour,
        pm25_ugm3,
        pm10_ugm3,
        so2_ugm3,
        no2_ugm3,
        co_mgm3,
        o3_ugm3
    from {{ ref('staging__ecology__air_hourly') }}
    where station_name is not null and observed_at is not null
),

days as (
    select
        station_name,
        date,
        {% for p in pollutants %}
            case when count({{ p }}) >= 20 then avg({{ p }}) end as {{ p }},
            cast(count({{ p }}) as integer) as valid_hours_{{ p.split('_')[0] }},
        {% endfor %}
        {% for h in range(24) %}
            max(case when hour = {{ h }} then o3_ugm3 end) as o3_at_{{ h }},
        {% endfor %}
        max(o3_ugm3) as o3_1h_ugm3,
        cast(count(o3_ugm3) as integer) as valid_hours_o3
    from hourly
    group by station_name, date
),

counted as (
    select
        *,
        {% for last in range(7, 24) %}
            {% for h in range(last - 7, last + 1) %}
                case when o3_at_{{ h }} is null then 0 else 1 end{% if not loop.last %} +{% endif %}
            {% endfor %}
                as hours_to_{{ last }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from days
),

eight_hours as (
    select
        *,
        {% for last in range(7, 24) %}
            case
                when hours_to_{{ last }} >= 6
                    then (
                        {% for h in range(last - 7, last + 1) %}
                            coalesce(o3_at_{{ h }}, 0){% if not loop.last %} +{% endif %}
                        {% endfor %}
                    ) / hours_to_{{ last }}
            end as mean_to_{{ last }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from counted
),

ozone as (
    select
        *,
        greatest(
            {% for last in range(7, 24) %}
                mean_to_{{ last }}{% if not loop.last %},{% endif %}
            {% endfor %}
        ) as most,
        {% for last in range(7, 24) %}
            case when mean_to_{{ last }} is null then 0 else 1 end{% if not loop.last %} +{% endif %}
        {% endfor %}
            as means
    from eight_hours
),

ozone_limits as (
    select
        limit_value,
        valid_from,
        valid_to
    from {{ ref('gb3095_limits') }}
    where pollutant = 'O3' and averaging = '8h' and class_code = '2'
)

select
    ozone.station_name,
    ozone.date,
    {% for p in pollutants %}
        ozone.{{ p }},
    {% endfor %}
    case when ozone.means >= 14 or ozone.most > ozone_limits.limit_value then ozone.most end as o3_8h_ugm3,
    ozone.o3_1h_ugm3,
    {% for p in pollutants %}
        ozone.valid_hours_{{ p.split('_')[0] }},
    {% endfor %}
    ozone.valid_hours_o3,
    cast(ozone.means as integer) as valid_o3_8h_means
from ozone
left join ozone_limits
    on ozone.date between ozone_limits.valid_from and ozone_limits.valid_to
