{# Periods are text: 2025 (year), 2025Q1 (quarter), 2025-01 (month). #}
{% macro period_frequency(period) %}
    case
        when length({{ period }}) = 4 then 'year'
        when substring({{ period }}, 5, 1) = 'Q' then 'quarter'
        else 'month'
    end
{%- endmacro %}

{# The first day of a period. #}
{% macro period_start(period) %}
    cast(
        case
            when length({{ period }}) = 4 then {{ period }} || '-01-01'
            when substring({{ period }}, 5, 1) = 'Q'
                then substring({{ period }}, 1, 4) || '-' || case substring({{ period }}, 6, 1)
                    when '1' then '01' when '2' then '04' when '3' then '07' else '10'
                end || '-01'
            else {{ period }} || '-01'
        end as date
    )
{%- endmacro %}

{# Months of a period of a frequency. #}
{% macro period_months(frequency) %}
    case {{ frequency }} when 'year' then 12 when 'quarter' then 3 else 1 end
{%- endmacro %}

{# The same period of the year before, as text. #}
{% macro year_before(period) %}
    cast(cast(substring({{ period }}, 1, 4) as integer) - 1 as {{ text_type() }}) || substring({{ period }}, 5)
{%- endmacro %}

{# Growth in per cent to two decimals; NULL where the base is zero or below. #}
{% macro growth_pct(value, base) %}
    case when {{ base }} > 0 then round(100.0 * ({{ value }} / {{ base }} - 1), 2) end
{%- endmacro %}

{# How many figures a printed number has, noughts behind the point not counted. #}
{% macro figures(value) %}
    length({{ regexp_replace_all(
        "regexp_replace(cast(" ~ value ~ " as " ~ text_type() ~ "), '0*$', '')", '[^0-9]', ''
    ) }})
{%- endmacro %}
