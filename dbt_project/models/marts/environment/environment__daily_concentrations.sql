-- Daily statistics of hourly concentrations, with the validity rules of HJ 663 and GB 3095:
-- a daily mean needs 20 valid hours, an 8-hour mean 6 of its 8 hours, a daily maximum of 8-hour means 14 of the
-- 17 means that end at hours 8 to 24, unless what is there already exceeds the class 2 limit of the day.
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
        max(o3_ugm3) as o3_1h_ugm3,
        cast(count(o3_ugm3) as integer) as valid_hours_o3
    from hourly
    group by station_name, date
),

-- every hour of every day, so that a missing record counts like a missing value
hours as (
    select
        days.station_name,
        days.date,
        clock.hour,
        hourly.o3_ugm3
    from days
    cross join (
        values
        (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), (11),
        (12), (13), (14), (15), (16), (17), (18), (19), (20), (21), (22), (23)
    ) as clock (hour)
    left join hourly
        on
            days.station_name = hourly.station_name
            and days.date = hourly.date
            and clock.hour = hourly.hour
),

eight_hours as (
    select
        station_name,
        date,
        hour,
        avg(o3_ugm3)
            over (
                partition by station_name, date order by hour
                rows between 7 preceding and current row
            )
            as mean_ugm3,
        count(o3_ugm3)
            over (
                partition by station_name, date order by hour
                rows between 7 preceding and current row
            )
            as valid_hours
    from hours
),

ozone as (
    select
        station_name,
        date,
        max(mean_ugm3) as o3_8h_ugm3,
        cast(count(mean_ugm3) as integer) as valid_o3_8h_means
    from eight_hours
    where hour >= 7 and valid_hours >= 6
    group by station_name, date
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
    days.station_name,
    days.date,
    {% for p in pollutants %}
        days.{{ p }},
    {% endfor %}
    case
        when ozone.valid_o3_8h_means >= 14 or ozone.o3_8h_ugm3 > ozone_limits.limit_value then ozone.o3_8h_ugm3
    end as o3_8h_ugm3,
    days.o3_1h_ugm3,
    {% for p in pollutants %}
        days.valid_hours_{{ p.split('_')[0] }},
    {% endfor %}
    days.valid_hours_o3,
    coalesce(ozone.valid_o3_8h_means, 0) as valid_o3_8h_means
from days
left join ozone
    on days.station_name = ozone.station_name and days.date = ozone.date
left join ozone_limits
    on days.date between ozone_limits.valid_from and ozone_limits.valid_to
