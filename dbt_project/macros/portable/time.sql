{# Dates and times, said once for every engine. Timestamps are UTC instants; local time is +08:00 (no summer
   time since 1991), computed from the epoch so that no session time zone and no time-zone extension matters. #}

{% macro local_date(ts) %}{{ return(adapter.dispatch('local_date')(ts)) }}{% endmacro %}
{% macro default__local_date(ts) %}cast(make_timestamp(epoch_us({{ ts }}) + 28800000000) as date){% endmacro %}
{% macro spark__local_date(ts) %}date_add(date '1970-01-01', cast(floor((unix_micros({{ ts }}) + 28800000000) / 86400000000) as int)){% endmacro %}

{% macro local_hour(ts) %}{{ return(adapter.dispatch('local_hour')(ts)) }}{% endmacro %}
{% macro default__local_hour(ts) %}cast(extract(hour from make_timestamp(epoch_us({{ ts }}) + 28800000000)) as integer){% endmacro %}
{% macro spark__local_hour(ts) %}cast(floor(pmod(unix_micros({{ ts }}) + 28800000000, 86400000000) / 3600000000) as int){% endmacro %}

{# Seconds since 1970-01-01T00:00:00Z, with fraction, as double. #}
{% macro epoch_seconds(ts) %}{{ return(adapter.dispatch('epoch_seconds')(ts)) }}{% endmacro %}
{% macro default__epoch_seconds(ts) %}(epoch_us({{ ts }}) / 1000000.0){% endmacro %}
{% macro spark__epoch_seconds(ts) %}(unix_micros({{ ts }}) / 1000000.0){% endmacro %}

{# Hours from one instant to a later one, as double; negative when the order is reversed. #}
{% macro hours_between(earlier, later) %}
    cast(({{ epoch_seconds(later) }} - {{ epoch_seconds(earlier) }}) / 3600.0 as double)
{%- endmacro %}

{% macro month_start(d) %}cast(date_trunc('month', {{ d }}) as date){% endmacro %}

{% macro previous_month(d) %}{{ return(adapter.dispatch('previous_month')(d)) }}{% endmacro %}
{% macro default__previous_month(d) %}cast({{ d }} - interval 1 month as date){% endmacro %}
{% macro spark__previous_month(d) %}add_months({{ d }}, -1){% endmacro %}

{% macro days_in_month(d) %}{{ return(adapter.dispatch('days_in_month')(d)) }}{% endmacro %}
{% macro default__days_in_month(d) %}cast(extract(day from last_day({{ d }})) as integer){% endmacro %}
{% macro spark__days_in_month(d) %}day(last_day({{ d }})){% endmacro %}

{# Completed years from a birth date to another date. #}
{% macro age_years(birth_date, on_date) %}
    (extract(year from {{ on_date }}) - extract(year from {{ birth_date }})
    - case
        when extract(month from {{ on_date }}) * 100 + extract(day from {{ on_date }})
            < extract(month from {{ birth_date }}) * 100 + extract(day from {{ birth_date }}) then 1
        else 0
    end)
{%- endmacro %}

{% macro format_month(d) %}{{ return(adapter.dispatch('format_month')(d)) }}{% endmacro %}
{% macro default__format_month(d) %}strftime({{ d }}, '%Y-%m'){% endmacro %}
{% macro spark__format_month(d) %}date_format({{ d }}, 'yyyy-MM'){% endmacro %}

{# The newest date of a column, or the date a var of the run sets. #}
{% macro newest_or_var(column, name) %}
    {%- if var(name, none) -%} max(cast('{{ var(name) }}' as date)) {%- else -%} max({{ column }}) {%- endif -%}
{% endmacro %}

{# The first day of a month, n months later. #}
{% macro add_months(d, n) %}{{ return(adapter.dispatch('add_months')(d, n)) }}{% endmacro %}
{% macro default__add_months(d, n) %}cast({{ d }} + to_months(cast({{ n }} as integer)) as date){% endmacro %}
{% macro spark__add_months(d, n) %}add_months({{ d }}, {{ n }}){% endmacro %}

{# Seconds since 1970 (UTC) at which a local day begins. #}
{% macro local_midnight_seconds(d) %}{{ return(adapter.dispatch('local_midnight_seconds')(d)) }}{% endmacro %}
{% macro default__local_midnight_seconds(d) %}(epoch_us(cast({{ d }} as timestamp)) / 1000000.0 - 28800.0){% endmacro %}
{% macro spark__local_midnight_seconds(d) %}(datediff({{ d }}, date '1970-01-01') * 86400.0 - 28800.0){% endmacro %}
