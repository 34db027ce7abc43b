-- Every value as a source states it now, under the indicator it belongs to and in that indicator's unit. What a
-- source calls an indicator stands in macro_source_names, units that can be converted in macro_units; a value in any
-- other unit is kept as printed and takes no part in comparisons.
with printed as (
    select
        'statistics__indicators' as source_feed,
        indicator_name as printed_name,
        cast(null as {{ text_type() }}) as area_code,
        cast(period_year as {{ text_type() }}) as period,
        indicator_value as printed_value,
        indicator_unit as printed_unit,
        cast(null as decimal(12, 3)) as published_yoy_pct,
        _loaded_at
    from {{ ref('staging__statistics__indicators') }}
    union all
    select
        'statistics__progress' as source_feed,
        indicator_name as printed_name,
        null as area_code,
        period,
        indicator_value as printed_value,
        indicator_unit as printed_unit,
        published_yoy_pct,
        _loaded_at
    from {{ ref('staging__statistics__progress') }}
    union all
    select
        'statistics__bulletin' as source_feed,
        indicator_name as printed_name,
        null as area_code,
        cast(period_year as {{ text_type() }}) as period,
        indicator_value as printed_value,
        indicator_unit as printed_unit,
        published_yoy_pct,
        _loaded_at
    from {{ ref('staging__statistics__bulletin') }}
    union all
    select
        'statistics__household_survey' as source_feed,
        indicator_name as printed_name,
        null as area_code,
        cast(period_year as {{ text_type() }}) as period,
        indicator_value as printed_value,
        null as printed_unit,
        null as published_yoy_pct,
        _loaded_at
    from {{ ref('staging__statistics__household_survey') }}
    union all
    select
        'statistics__district_comparison' as source_feed,
        indicator_name as printed_name,
        district_code as area_code,
        cast(period_year as {{ text_type() }}) as period,
        indicator_value as printed_value,
        null as printed_unit,
        null as published_yoy_pct,
        _loaded_at
    from {{ ref('staging__statistics__district_comparison') }}
    union all
    select
        'statistics__price_indices' as source_feed,
        indicator_name as printed_name,
        null as area_code,
        period_month as period,
        indicator_value as printed_value,
        null as printed_unit,
        null as published_yoy_pct,
        _loaded_at
    from {{ ref('staging__statistics__price_indices') }}
    union all
    select
        'statistics__national_series' as source_feed,
        indicator_name as printed_name,
        null as area_code,
        {{ format_month('published_date') }} as period,
        indicator_value as printed_value,
        null as printed_unit,
        null as published_yoy_pct,
        _loaded_at
    from {{ ref('staging__statistics__national_series') }}
    {% for area in ['national', 'city', 'rural'] %}
        union all
        select
            'statistics__cpi' as source_feed,
            'cpi_{{ area }}_yoy100' as printed_name,
            null as area_code,
            period_month as period,
            cast(cpi_{{ area }}_yoy100 as decimal(24, 6)) as printed_value,
            null as printed_unit,
            null as published_yoy_pct,
            _loaded_at
        from {{ ref('staging__statistics__cpi') }}
    {% endfor %}
),

named as (
    select
        printed.*,
        coalesce(names.indicator_code, 'x_' || substring(md5(printed.printed_name), 1, 10)) as indicator_code,
        coalesce(printed.area_code, nullif(names.area_code, 'none'), '110102') as known_area_code,
        coalesce(printed.printed_unit, nullif(names.default_unit, 'none'), kinds.unit) as stated_unit,
        coalesce(names.priority, 9) as priority,
        kinds.indicator_name as catalogue_name,
        kinds.unit as catalogue_unit
    from printed
    left join {{ ref('macro_source_names') }} as names
        on printed.source_feed = names.source_feed and printed.printed_name = names.printed_name
    left join {{ ref('macro_indicators') }} as kinds
        on names.indicator_code = kinds.indicator_code
)

select
    named.source_feed,
    named.indicator_code,
    coalesce(named.catalogue_name, named.printed_name) as indicator_name,
    named.known_area_code as area_code,
    named.period,
    {{ period_frequency('named.period') }} as frequency,
    {{ period_start('named.period') }} as period_start,
    case
        when named.catalogue_unit is null or named.stated_unit = named.catalogue_unit then named.printed_value
        when units.factor is not null
            then cast(round(cast(named.printed_value as double) * units.factor, 6) as decimal(24, 6))
        else named.printed_value
    end as value,
    case when units.factor is not null then named.catalogue_unit else named.stated_unit end as unit,
    case
        when named.catalogue_unit is null or named.stated_unit = named.catalogue_unit then 'same'
        when units.factor is not null then 'converted'
        else 'unknown'
    end as unit_state,
    named.printed_name,
    named.printed_value,
    named.printed_unit,
    named.published_yoy_pct,
    named.priority,
    {{ local_date('named._loaded_at') }} as vintage_date
from named
left join {{ ref('macro_units') }} as units
    on named.catalogue_unit = units.unit and named.stated_unit = units.printed_unit
