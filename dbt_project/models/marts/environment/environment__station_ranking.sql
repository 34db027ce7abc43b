-- Stations of a year, best first: mean index, good days, days over the class 2 limits valid that day, and the position
-- of the station on the map. Months that are not valid (HJ 663) are counted, not hidden.
with years as (
    select
        station_name,
        cast(extract(year from date) as integer) as year,
        cast(count(*) as integer) as days_observed,
        cast(count(aqi) as integer) as days_with_aqi,
        round(avg(aqi), 1) as mean_aqi,
        max(aqi) as max_aqi,
        cast(sum(case when aqi <= 100 then 1 else 0 end) as integer) as good_days,
        round(avg(pm25_ugm3), 1) as pm25_ugm3,
        coalesce(max(case when aqi is not null then date end), max(date)) as last_date
    from {{ ref('environment__daily_aqi') }}
    group by station_name, extract(year from date)
),

exceeding as (
    select
        station_name,
        cast(extract(year from date) as integer) as year,
        cast(count(distinct date) as integer) as exceedance_days
    from {{ ref('environment__exceedances') }}
    where exceeds_class2
    group by station_name, extract(year from date)
),

valid_months as (
    select
        station_name,
        cast(extract(year from month) as integer) as year,
        cast(sum(case when is_valid then 1 else 0 end) as integer) as valid_months,
        round(avg(composite_index), 2) as composite_index
    from {{ ref('environment__station_monthly') }}
    group by station_name, extract(year from month)
)

select
    years.station_name,
    years.year,
    stations.label as station_label,
    years.days_observed,
    years.days_with_aqi,
    years.mean_aqi,
    years.max_aqi,
    years.good_days,
    {{ pct('years.good_days', 'years.days_with_aqi') }} as good_days_pct,
    years.pm25_ugm3,
    coalesce(exceeding.exceedance_days, 0) as exceedance_days,
    valid_months.composite_index,
    valid_months.valid_months,
    cast(
        rank() over (
            partition by years.year
            order by case when valid_months.composite_index is null then 1 else 0 end, valid_months.composite_index
        ) as integer
    ) as rank_in_year,
    days.aqi as last_aqi,
    years.last_date,
    days.colour_hex as last_colour_hex,
    stations.longitude,
    stations.latitude
from years
left join exceeding
    on years.station_name = exceeding.station_name and years.year = exceeding.year
left join valid_months
    on years.station_name = valid_months.station_name and years.year = valid_months.year
left join {{ ref('environment__daily_aqi') }} as days
    on years.station_name = days.station_name and years.last_date = days.date
left join {{ ref('air_stations') }} as stations
    on years.station_name = stations.station_name
