{# Numbers, said once for every engine. #}

{# NULL instead of an error when the text is not of the type. #}
{% macro try_cast(expr, type) %}try_cast({{ expr }} as {{ type }}){% endmacro %}

{# GB/T 8170 rounding: half to even. The inner rounding drops the noise of binary fractions first. #}
{% macro round_half_even(expr, digits) %}{{ return(adapter.dispatch('round_half_even')(expr, digits)) }}{% endmacro %}
{% macro default__round_half_even(expr, digits) %}round_even(round({{ expr }}, 9), {{ digits }}){% endmacro %}
{% macro spark__round_half_even(expr, digits) %}bround(round({{ expr }}, 9), {{ digits }}){% endmacro %}

{# Smallest integer that is not less; 80.00000000001 from binary fractions is 80, not 81. #}
{% macro ceil_int(expr) %}cast(ceil(round({{ expr }}, 9)) as integer){% endmacro %}

{# A share in per cent to two decimals; NULL when there is nothing to divide by. #}
{% macro pct(part, whole) %}
    case when {{ whole }} > 0 then round(100.0 * {{ part }} / {{ whole }}, 2) end
{%- endmacro %}

{# Decimals become integers by cutting in Spark and by rounding in DuckDB: say which. #}
{% macro round_int(expr) %}cast(round({{ expr }}) as bigint){% endmacro %}

{# A whole number below 100,000,000 that a value of any type always has: to choose the same of two equals every time. #}
{% macro value_number(expr) %}{{ return(adapter.dispatch('value_number')(expr)) }}{% endmacro %}
{% macro default__value_number(expr) %}cast(hash({{ expr }}) % 100000000 as bigint){% endmacro %}
{% macro spark__value_number(expr) %}pmod(xxhash64({{ expr }}), 100000000){% endmacro %}
