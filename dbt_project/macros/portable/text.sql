{# Text and JSON, said once for every engine. #}

{% macro regexp_replace_all(expr, pattern, replacement) %}{{ return(adapter.dispatch('regexp_replace_all')(expr, pattern, replacement)) }}{% endmacro %}
{% macro default__regexp_replace_all(expr, pattern, replacement) %}regexp_replace({{ expr }}, '{{ pattern }}', '{{ replacement }}', 'g'){% endmacro %}
{% macro spark__regexp_replace_all(expr, pattern, replacement) %}regexp_replace({{ expr }}, r'{{ pattern }}', '{{ replacement }}'){% endmacro %}

{% macro regexp_like(expr, pattern) %}{{ return(adapter.dispatch('regexp_like')(expr, pattern)) }}{% endmacro %}
{% macro default__regexp_like(expr, pattern) %}regexp_matches({{ expr }}, '{{ pattern }}'){% endmacro %}
{% macro spark__regexp_like(expr, pattern) %}{{ expr }} rlike r'{{ pattern }}'{% endmacro %}

{# concat() skips NULL in DuckDB and yields NULL in Spark: NULL counts as empty in both here. #}
{% macro concat_text(parts) %}
    {%- for part in parts %}coalesce(cast({{ part }} as {{ text_type() }}), ''){% if not loop.last %} || {% endif %}{% endfor %}
{%- endmacro %}

{% macro text_type() %}{{ return(adapter.dispatch('text_type')()) }}{% endmacro %}
{% macro default__text_type() %}varchar{% endmacro %}
{% macro spark__text_type() %}string{% endmacro %}

{% macro json_text(expr, key) %}{{ return(adapter.dispatch('json_text')(expr, key)) }}{% endmacro %}
{% macro default__json_text(expr, key) %}json_extract_string({{ expr }}, '$.{{ key }}'){% endmacro %}
{% macro spark__json_text(expr, key) %}get_json_object({{ expr }}, '$.{{ key }}'){% endmacro %}

{# A name as a key for comparison: full-width brackets made half-width, all white space dropped, letters upper case. #}
{% macro name_key(expr) %}{{ return(adapter.dispatch('name_key')(expr)) }}{% endmacro %}
{% macro default__name_key(expr) %}
    {%- set halved = "translate(" ~ expr ~ ", '（）【】', '()[]')" -%}
    upper({{ regexp_replace_all(halved, '[\\s　]+', '') }})
{%- endmacro %}
{# Most names are as their keys are: to see that takes a fourth of the time. #}
{% macro duckdb__name_key(expr) -%}
    case when regexp_full_match({{ expr }}, '[一-龥0-9A-Z()]*') then {{ expr }} else {{ default__name_key(expr) }} end
{%- endmacro %}

{# First and last n characters, 1-based. #}
{% macro last_chars(expr, n) %}substring({{ expr }}, length({{ expr }}) - {{ n - 1 }}, {{ n }}){% endmacro %}

{# The value of a key that another column names, from a JSON object of single values. #}
{% macro json_text_at(expr, key) %}{{ return(adapter.dispatch('json_text_at')(expr, key)) }}{% endmacro %}
{% macro default__json_text_at(expr, key) %}json_extract_string({{ expr }}, '$."' || {{ key }} || '"'){% endmacro %}
{% macro spark__json_text_at(expr, key) %}get_json_object({{ expr }}, '$.' || {{ key }}){% endmacro %}

{# One row for each entry of a list. #}
{% macro explode_list(expr) %}{{ return(adapter.dispatch('explode_list')(expr)) }}{% endmacro %}
{% macro default__explode_list(expr) %}unnest({{ expr }}){% endmacro %}
{% macro spark__explode_list(expr) %}explode({{ expr }}){% endmacro %}
