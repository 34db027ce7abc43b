{# The name of a street or community without its kind, so that 德胜, 德胜街道 and 德胜街道办事处 are one. #}
{% macro division_key(expr) %}
    {{- regexp_replace_all(name_key(expr), '(街道办事处|地区办事处|街道|社区居民委员会|社区居委会|居民委员会|居委会|社区)$', '') -}}
{% endmacro %}

{# The code of a division as the library writes it: 6 digits of a district, 9 of a street, 12 of a community. Lists of
   statistics put zeros behind. #}
{% macro division_of_area_code(code) %}
    case
        when {{ code }} like '%000000' then substring({{ code }}, 1, 6)
        when length({{ code }}) = 12 and {{ code }} like '%000' then substring({{ code }}, 1, 9)
        else {{ code }}
    end
{%- endmacro %}
