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

{# The run up to which this model's table was made; empty when all must be made. #}
{% macro lakehouse_made_through() %}
    {% if should_full_refresh() %}
        {{ return('') }}
    {% endif %}
    {% set path = adapter.escape_sql_string(lakehouse_path()) %}
    {% set found = run_query("select lakehouse_made_through('" ~ path ~ "')") %}
    {{ return(found.rows[0][0] | string if found.rows[0][0] is not none else '') }}
{% endmacro %}

{# For the writer: what is remade, and the note of this commit. Empty for a model that is not remade by person. #}
{% macro lakehouse_remade() %}
    {% set key = config.get('remade_by') %}
    {% if key is none %}
        {{ return({}) }}
    {% endif %}
    {% set identities = ref('staging__platform__person_identities') %}
    {% set newest = run_query('select coalesce(max(changed_run), 0) from ' ~ identities).rows[0][0] | int %}
    {% set since = lakehouse_made_through() %}
    {% set kept = '' if since == '' else 'select person_key from ' ~ identities ~ ' where changed_run <= ' ~ since %}
    {{ return({'key': key, 'kept_sql': kept, 'through': newest, 'table_key': lakehouse_list(model.config.meta.get('key'))}) }}
{% endmacro %}
