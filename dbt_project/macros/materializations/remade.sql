{# Of a model that is remade by person: since, the run of linking up to which its table was made, empty when all must be
   made; and through, the run up to which it can be made now. #}
{% macro lakehouse_person_runs() %}
    {% set read = [] %}
    {% for node in model.depends_on.nodes if node in graph.nodes and graph.nodes[node].config.get('remade_by') == 'person_key' %}
        {% do read.append(lakehouse_path(graph.nodes[node])) %}
    {% endfor %}
    {% set texts = [] %}
    {% for text in [lakehouse_path(), tojson(read)] %}{% do texts.append("'" ~ adapter.escape_sql_string(text) ~ "'") %}{% endfor %}
    {% set found = fromjson(run_query('select lakehouse_person_runs(' ~ texts | join(', ') ~ ')').rows[0][0]) %}
    {% if should_full_refresh() or found['since'] is none %}
        {% do found.update(since='') %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}

{# For the writer: what is remade, and the note of this commit. Empty for a model that is not remade by person. #}
{% macro lakehouse_remade() %}
    {% set key = config.get('remade_by') %}
    {% if key is none %}
        {{ return({}) }}
    {% endif %}
    {% if config.get('changed_in') is not none %}
        {{ return(lakehouse_remade_records(key)) }}
    {% endif %}
    {% set runs = lakehouse_person_runs() %}
    {% set since, through = runs['since'], runs['through'] %}
    {% set changed = '' if since == '' else
        'select person_key from ' ~ ref('staging__platform__person_identities')
        ~ ' where changed_run > ' ~ since ~ ' and changed_run <= ' ~ through
        ~ ' union all select from_key from ' ~ ref('staging__platform__person_redirects') ~ " where reason <> 'split'" %}
    {{ return({
        'key': key, 'changed_sql': changed, 'through': through,
        'table_key': lakehouse_list(model.config.meta.get('key'))}) }}
{% endmacro %}

{# Whether this model's table was made with what its function knows now. #}
{% macro lakehouse_answers_hold() %}
    {% set known = lakehouse_knowledge() if flags.WHICH in ('build', 'run') else '' %}
    {% if known == '' or should_full_refresh() or model.resource_type == 'unit_test' %}
        {{ return(false) }}
    {% endif %}
    {% set path = adapter.escape_sql_string(lakehouse_path()) %}
    {{ return(run_query("select lakehouse_answered_by('" ~ path ~ "')").rows[0][0] == known) }}
{% endmacro %}

{# Whether rows that ask what they asked before are worth looking up. #}
{% macro lakehouse_keeps_answers() %}
    {{ return(lakehouse_answers_hold() and not (config.get('changed_in') and lakehouse_changed_records()['few'])) }}
{% endmacro %}

{# The digest of what this model's function knows; empty for a model that keeps no answers. #}
{% macro lakehouse_knowledge() %}
    {% set kind = config.get('answered_by') %}
    {% if kind is none %}
        {{ return('') }}
    {% endif %}
    {{ return(run_query("select lakehouse_knowledge('" ~ adapter.escape_sql_string(kind) ~ "')").rows[0][0]) }}
{% endmacro %}

{# For a table that is remade by records: changed, a SELECT of the keys that changed in the feeds and models it is made
   from, empty when all must be made; few, whether they are few beside the table; and made_from, their versions up to
   which that was looked for. The same in all of a build. #}
{% macro lakehouse_changed_records() %}
    {% set made_from = {} %}
    {% for name, column in config.get('changed_in').items() %}
        {% set node = graph.nodes.get('model.' ~ model.package_name ~ '.' ~ name) %}
        {% do made_from.update({name: [column, lakehouse_path(node) if node else none]}) %}
    {% endfor %}
    {% set asked = [lakehouse_path(), tojson(made_from, sort_keys=true), invocation_id] %}
    {% set texts = [] %}
    {% for text in asked %}{% do texts.append("'" ~ adapter.escape_sql_string(text) ~ "'") %}{% endfor %}
    {% set found = fromjson(run_query('select lakehouse_changed_records(' ~ texts | join(', ') ~ ')').rows[0][0]) %}
    {# what is only compiled is asked where its columns come from: the keys that changed are no model #}
    {% set builds = flags.WHICH in ('build', 'run') and not should_full_refresh() %}
    {% set holds = config.get('answered_by') is none or lakehouse_answers_hold() %}
    {% if not builds or not holds or found['changed'] is none %}
        {% do found.update(changed='') %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}

{# What lakehouse_remade is for a table that is remade by records. #}
{% macro lakehouse_remade_records(key) %}
    {% set found = lakehouse_changed_records() %}
    {{ return({
        'key': key, 'changed_sql': found['changed'], 'made_from': found['made_from'],
        'table_key': lakehouse_list(model.config.meta.get('key'))}) }}
{% endmacro %}
