{# Library tables of persons are remade for the persons that changed. Linking writes the run in which something of a
   person changed last (changed_run of person_identities, carried into the tables others read); a table notes, in its
   commit, up to which run it was made. A model says config(remade_by='person_key') and filters what it reads by
   of_changed_rows; the rest of its text is of a plain table, which is what other engines make of
   it. *Everything* is remade when the dbt project changed, when the table's last commit was another's (put back by a
   gate, a person erased), and with --full-refresh. A model says depends_on: the identities and the redirects. #}

{# A condition: the rows of ``relation``, which has changed_run, are of persons to be remade. No more of a table is read
   than the files that have such rows. #}
{% macro of_changed_rows(relation) %}{{ return(adapter.dispatch('of_changed_rows')(relation)) }}{% endmacro %}
{% macro default__of_changed_rows(relation) %}true{% endmacro %}
{% macro duckdb__of_changed_rows(relation) -%}
    {#- a unit test has no table of its own #}
    {%- set runs = lakehouse_person_runs() if execute and model.resource_type != 'unit_test' else {'since': ''} -%}
    {%- if runs['since'] != '' -%}
        {{ relation }}.changed_run > {{ runs['since'] }} and {{ relation }}.changed_run <= {{ runs['through'] }}
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
