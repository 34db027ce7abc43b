-- A station's month: means, percentiles, good days and the composite index of the city ranking rules of 2018
-- (sum over six pollutants of monthly value / class 2 limit; CO by its 95th, O3 by its 90th percentile).
-- HJ 663: a month counts with 27 daily values (February 25).
{% set means = ['pm25_ugm3', 'pm10_ugm3', 'so2_ugm3', 'no2_ugm3'] %}
with months as (
    select
        station_name,
        {{ month_start('date') }} as month,
        cast(count(*) as integer) as days_observed,
        cast(count(aqi) as integer) as days_with_aqi,
        cast(sum(case when aqi <= 100 then 1 else 0 end) as integer) as good_days,
        cast(sum(case when aqi > 200 then 1 else 0 end) as integer) as heavy_days,
        round(avg(aqi), 1) as mean_aqi,
        max(aqi) as max_aqi,
        {% for p in means %}
            avg({{ p }}) as {{ p }},
        {% endfor %}
        percentile_cont(0.95) within group (order by co_mgm3) as co_p95_mgm3,
        percentile_cont(0.90) within group (order by o3_8h_ugm3) as o3_8h_p90_ugm3,
        least(
            count(pm25_ugm3), count(pm10_ugm3), count(so2_ugm3), count(no2_ugm3), count(co_mgm3), count(o3_8h_ugm3)
        ) as fewest_days
    from {{ ref('environment__daily_aqi') }}
    group by station_name, {{ month_start('date') }}
),

limits as (
    select
        valid_from,
        valid_to,
        max(case when pollutant = 'PM2.5' and averaging = 'annual' then limit_value end) as pm25,
        max(case when pollutant = 'PM10' and averaging = 'annual' then limit_value end) as pm10,
        max(case when pollutant = 'SO2' and averaging = 'annual' then limit_value end) as so2,
        max(case when pollutant = 'NO2' and averaging = 'annual' then limit_value end) as no2,
        max(case when pollutant = 'CO' and averaging = '24h' then limit_value end) as co,
        max(case when pollutant = 'O3' and averaging = '8h' then limit_value end) as o3
    from {{ ref('gb3095_limits') }}
    where class_code = '2'
    group by valid_from, valid_to
),

scored as (
    select
        months.*,
        months.fewest_days >= case when extract(month from months.month) = 2 then 25 else 27 end as is_valid,
        round(
            months.pm25_ugm3 / limits.pm25
            + months.pm10_ugm3 / limits.pm10
            + months.so2_ugm3 / limits.so2
            + months.no2_ugm3 / limits.no2
            + months.co_p95_mgm3 / limits.co
            + months.o3_8h_p90_ugm3 / limits.o3,
            2
        ) as composite_index
    from months
    left join limits
        on months.month between limits.valid_from and limits.valid_to
)

select
    station_name,
    month,
    days_observed,
    days_with_aqi,
    good_days,
    {{ pct('good_days', 'days_with_aqi') }} as good_days_pct,
    heavy_days,
    mean_aqi,
    max_aqi,
    {% for p in means %}
        {{ round_half_even(p, 0) }} as {{ p }},
    {% endfor %}
    {{ round_half_even('co_p95_mgm3', 1) }} as co_p95_mgm3,
    {{ round_half_even('o3_8h_p90_ugm3', 0) }} as o3_8h_p90_ugm3,
    composite_index,
    is_valid,
    case
        when composite_index is not null
            then cast(
                rank() over (
                    partition by month order by case when composite_index is null then 1 else 0 end, composite_index
                ) as integer
            )
    end as rank_in_month
from scored
