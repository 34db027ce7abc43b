{# The mean of sound levels in dB is that of their energies. #}
{% macro energy_mean_db(expr) %}10 * ln(avg(power(10, {{ expr }} / 10))) / ln(10){% endmacro %}

{# Metres between two points of a district, on a plane at its latitude: good to a thousandth at 40° N. #}
{% macro metres_apart(lon_a, lat_a, lon_b, lat_b) %}
    sqrt(power(({{ lon_a }} - {{ lon_b }}) * 85390, 2) + power(({{ lat_a }} - {{ lat_b }}) * 111030, 2))
{%- endmacro %}

{# The bounds of a day, and the rolled-up columns of readings: counts, mean, least, most, sum of valid values. #}
{% macro reading_stats(value, valid) %}
    cast(count(*) as integer) as readings_count,
    cast(sum(case when {{ valid }} then 1 else 0 end) as integer) as valid_count,
    avg(case when {{ valid }} then {{ value }} end) as mean_value,
    min(case when {{ valid }} then {{ value }} end) as min_value,
    max(case when {{ valid }} then {{ value }} end) as max_value,
    sum(case when {{ valid }} then {{ value }} end) as sum_value
{%- endmacro %}
