{# The name of a street or community without its kind, so that 德胜, 德胜街道 and 德胜街道办事处 are one. #}
{% macro division_key(expr) %}
    {{- regexp_replace_all(name_key(expr), '(街道办事处|地区办事处|街道|社区居民委员会|社区居委会|居民委员会|居委会|社区)$', '') -}}
{% endmacro %}
