{# Library tables that are remade for the keys whose records changed in feed tables, or whose rows did in tables of the
   house. A model says config(remade_by=<key>, changed_in={feed or model: column with the key, …}) and filters by
   of_changed_records; the rest of its text is of a plain table, which is what other engines make of it. The table notes,
   in its commit, the versions of the tables it was made from. *Everything* is remade in the cases of
   changed_persons.sql; where a version noted is gone; and, for a table of answers, when what its function knows has
   changed. #}

{# A condition: the key is among those to be remade. #}
{% macro of_changed_records(column) %}{{ return(adapter.dispatch('of_changed_records')(column)) }}{% endmacro %}
{% macro default__of_changed_records(column) %}true{% endmacro %}
{% macro duckdb__of_changed_records(column) -%}
    {#- a unit test has no table of its own #}
    {%- set asked = execute and model.resource_type != 'unit_test' -%}
    {%- set changed = lakehouse_changed_records()['changed'] if asked else '' -%}
    {%- if changed != '' -%}{{ column }} in ({{ changed }}){%- else -%}true{%- endif -%}
{%- endmacro %}
