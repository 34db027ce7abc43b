{# Library tables of persons are remade for the persons that changed. Linking writes the run in which something of a
   person changed last; a table notes, in its commit, up to which run it was made. A model says
   config(remade_by='person_key') and filters by of_changed_persons; the rest of its text is of a plain table, which is
   what other engines make of it. *Everything* is remade when the dbt project changed, when the table's last commit was
   another's (put back by a gate, a person erased), and with --full-refresh. #}

{# A condition: the person is among those to be remade. A model that uses it says depends_on: the identities. #}
{% macro of_changed_persons(column) %}{{ return(adapter.dispatch('of_changed_persons')(column)) }}{% endmacro %}
{% macro default__of_changed_persons(column) %}true{% endmacro %}
{% macro duckdb__of_changed_persons(column) -%}
    {%- set since = lakehouse_made_through() if execute else none -%}
    {%- if since is not none and since != '' -%}
        {{ column }} in (select person_key from {{ ref('staging__platform__person_identities') }} where changed_run > {{ since }})
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
