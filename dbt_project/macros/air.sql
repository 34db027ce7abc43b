{# Air quality by HJ 633, said once for the daily and the hourly index. #}

{# Concentration rounded by GB/T 8170 to the decimals of its rule. #}
{% macro rounded_concentration(value, decimals) %}
    case
        when {{ decimals }} = 0 then {{ round_half_even(value, 0) }}
        else {{ round_half_even(value, 1) }}
    end
{%- endmacro %}

{# The individual index (IAQI) of the concentrations of a relation: a row a distinct standard, pollutant, averaging time
   and concentration. Rounded concentrations repeat, so the tables are asked once for each and joined back by equality;
   what no table holds has no row. #}
{% macro iaqi_of(relation) %}
    select
        asked.standard,
        asked.pollutant,
        asked.averaging,
        asked.concentration,
        {{ ceil_int(
            "(steps.iaqi_hi - steps.iaqi_lo) / (steps.bp_hi - steps.bp_lo)"
            ~ " * (asked.concentration - steps.bp_lo) + steps.iaqi_lo"
        ) }} as iaqi
    from (
        select distinct
            standard,
            pollutant,
            averaging,
            concentration
        from {{ relation }}
        where concentration is not null
    ) as asked
    inner join {{ ref('hj633_breakpoints') }} as steps
        on
            asked.standard = steps.standard
            and asked.pollutant = steps.pollutant
            and asked.averaging = steps.averaging
            and (asked.concentration > steps.bp_lo or (asked.concentration = 0 and steps.bp_lo = 0))
            and asked.concentration <= steps.bp_hi
{%- endmacro %}

{# The same concentration under the same table. #}
{% macro same_concentration(a, b) %}
    {{ a }}.standard = {{ b }}.standard
    and {{ a }}.pollutant = {{ b }}.pollutant
    and {{ a }}.averaging = {{ b }}.averaging
    and {{ a }}.concentration = {{ b }}.concentration
{%- endmacro %}
