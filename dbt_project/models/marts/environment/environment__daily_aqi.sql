-- Daily air quality index of a station under the edition of HJ 633 in force that day.
-- Daily reports use the 24-hour means of PM2.5, PM10, SO2, NO2, CO and the daily maximum 8-hour mean of O3; where
-- O3 is above the end of its 8-hour table (2012 edition: 800 µg/m³), its 1-hour index takes the place.
{% set shares = ['pm25', 'pm10', 'so2', 'no2', 'co', 'o3'] %}
with wide as (
    select
        station_name,
        date,
        standard,
        {% for item in ['pm25_24h', 'pm10_24h', 'so2_24h', 'no2_24h', 'co_24h', 'o3_8h', 'o3_1h'] %}
            max(case when item = '{{ item }}' then concentration end) as c_{{ item }},
            max(case when item = '{{ item }}' then iaqi end) as iaqi_{{ item }},
            max(case when item = '{{ item }}' then valid_hours end) as hours_{{ item }},
        {% endfor %}
        max(case when item = 'o3_1h' then use_in_aqi end) as use_o3_1h
    from {{ ref('environment__daily_iaqi') }}
    where is_in_force
    group by station_name, date, standard
),

shares as (
    select
        station_name,
        date,
        standard,
        {% for p in shares[:5] %}
            iaqi_{{ p }}_24h as iaqi_{{ p }},
        {% endfor %}
        iaqi_o3_8h,
        iaqi_o3_1h,
        case
            when iaqi_o3_8h is null and c_o3_8h is not null and use_o3_1h = 'above_8h_table' then iaqi_o3_1h
            else iaqi_o3_8h
        end as iaqi_o3,
        c_pm25_24h as pm25_ugm3,
        c_pm10_24h as pm10_ugm3,
        c_so2_24h as so2_ugm3,
        c_no2_24h as no2_ugm3,
        c_co_24h as co_mgm3,
        c_o3_8h as o3_8h_ugm3,
        c_o3_1h as o3_1h_ugm3,
        {% for p in shares[:5] %}
            hours_{{ p }}_24h as valid_hours_{{ p }},
        {% endfor %}
        hours_o3_8h as valid_hours_o3
    from wide
),

computed as (
    select
        *,
        greatest(
            coalesce(iaqi_pm25, -1),
            coalesce(iaqi_pm10, -1),
            coalesce(iaqi_so2, -1),
            coalesce(iaqi_no2, -1),
            coalesce(iaqi_co, -1),
            coalesce(iaqi_o3, -1)
        ) as top,
        iaqi_pm25 is not null
        and iaqi_pm10 is not null
        and iaqi_so2 is not null
        and iaqi_no2 is not null
        and iaqi_co is not null
        and iaqi_o3 is not null as is_complete
    from shares
),

published as (
    select
        computed.*,
        case
            when computed.top < 0 then null
            when not computed.is_complete and computed.top <= editions.incomplete_needs_aqi_above then null
            else computed.top
        end as aqi
    from computed
    inner join {{ ref('hj633_editions') }} as editions
        on computed.standard = editions.standard
)

select
    published.station_name,
    published.date,
    published.aqi,
    levels.level_code,
    levels.level_name,
    levels.colour_hex,
    case
        when published.aqi > 50
            then concat_ws(
                '、',
                case when published.iaqi_pm25 = published.aqi then 'PM2.5' end,
                case when published.iaqi_pm10 = published.aqi then 'PM10' end,
                case when published.iaqi_so2 = published.aqi then 'SO2' end,
                case when published.iaqi_no2 = published.aqi then 'NO2' end,
                case when published.iaqi_co = published.aqi then 'CO' end,
                case when published.iaqi_o3 = published.aqi then 'O3' end
            )
    end as primary_pollutant,
    {% for p in shares[:5] %}
        published.iaqi_{{ p }},
    {% endfor %}
    published.iaqi_o3_8h,
    published.iaqi_o3_1h,
    published.pm25_ugm3,
    published.pm10_ugm3,
    published.so2_ugm3,
    published.no2_ugm3,
    published.co_mgm3,
    published.o3_8h_ugm3,
    published.o3_1h_ugm3,
    {% for p in shares %}
        published.valid_hours_{{ p }},
    {% endfor %}
    published.is_complete,
    published.standard
from published
left join {{ ref('aqi_levels') }} as levels
    on published.aqi between levels.aqi_lo and levels.aqi_hi
