{# How quality is scored, said once. docs/quality.md explains it in words. #}

{# One dimension, 0 to 100; NULL when it was not assessed (base is NULL). base: share of the time that was fresh
   (timeliness) or of the rows that agree with the truth (accuracy), 1 for the others. #}
{% macro quality_score(base, bad_rows, all_rows, failed_checks, all_checks) %}
    round(
        100.0 * {{ base }}
        * greatest(0.0, 1.0 - coalesce(1.0 * {{ bad_rows }} / nullif({{ all_rows }}, 0), 0.0))
        * (1.0 - coalesce(1.0 * {{ failed_checks }} / nullif({{ all_checks }}, 0), 0.0)), 2
    )
{%- endmacro %}

{# Rows of (dimension, score, weight) of one subject as six columns and their total: the weighted mean of what was
   assessed. With a relation, only its six columns by name. #}
{% macro quality_columns(relation=none) %}
    {%- for d in ['completeness', 'validity', 'uniqueness', 'consistency', 'timeliness', 'accuracy'] %}
    {%- if relation %}
    {{ relation }}.{{ d }}_score{{ ',' if not loop.last }}
    {%- else %}
    max(case when dimension = '{{ d }}' then score end) as {{ d }}_score,
    {%- endif %}
    {%- endfor %}
    {%- if not relation %}
    round(
        sum(score * weight) / nullif(sum(case when score is not null then weight end), 0), 2
    ) as total_score
    {%- endif %}
{%- endmacro %}

{# The instant up to which timeliness is judged: var scores_as_of, else the build's. Asked for at run time only. #}
{% macro quality_now() %}
    {%- if var('scores_as_of', none) -%} {{ return(var('scores_as_of')) }}
    {%- elif execute -%} {{ return(env_var('LAKEHOUSE_NOW', '') or run_started_at.isoformat()) }}
    {%- else -%} {{ return('2020-01-01T00:00:00+00:00') }} {%- endif -%}
{% endmacro %}

{% macro quality_now_seconds() %}
    {%- set at = quality_now() | trim -%}
    {%- if modules is defined -%} {{ return(modules.datetime.datetime.fromisoformat(at).timestamp()) }}
    {%- else -%} {{ return(1577836800.0) }} {%- endif -%}
{% endmacro %}
