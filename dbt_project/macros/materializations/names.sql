{# Where a model stands, from its file: models/<folder>/…/<schema>__<table>.sql, split at the first "__".
   The Delta table lies at <lake>/<layer>/<schema>/<table>, its layer follows from the folder. #}

{% macro lakehouse_split_name(name) %}
    {% set parts = name.split('__') %}
    {{ return({'schema': parts[0] if parts | length > 1 else none, 'table': parts[1:] | join('__') if parts | length > 1 else name}) }}
{% endmacro %}

{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set given = custom_schema_name | trim if custom_schema_name is not none else none -%}
    {%- if node.resource_type in ('model', 'seed', 'snapshot') and '__' in node.name -%}
        {{ lakehouse_split_name(node.name)['schema'] }}
    {%- elif given -%}
        {{ given }}
    {%- else -%}
        {{ target.schema }}
    {%- endif -%}
{%- endmacro %}

{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {%- if custom_alias_name -%}
        {{ custom_alias_name | trim }}
    {%- elif node.resource_type in ('model', 'seed', 'snapshot') and '__' in node.name -%}
        {{ lakehouse_split_name(node.name)['table'] }}
    {%- elif node.version -%}
        {{ node.name ~ '_v' ~ (node.version | replace('.', '_')) }}
    {%- else -%}
        {{ node.name }}
    {%- endif -%}
{%- endmacro %}

{# Layer of the lake for the folder a model stands in. #}
{% macro lakehouse_layer(node) %}
    {% set layers = {'library': 'library', 'marts': 'mart', 'extracts': 'extract'} %}
    {% set folder = node.fqn[1] if node.fqn | length > 2 else '' %}
    {% if folder not in layers %}
        {% do exceptions.raise_compiler_error(
            node.name ~ ': a table stands in models/library, models/marts or models/extracts; in '
            ~ ('models/' ~ folder if folder else 'models') ~ ' only views are possible') %}
    {% endif %}
    {{ return(layers[folder]) }}
{% endmacro %}

{# Folder or URL of the lake, as catalog.settings.Settings reads it. #}
{% macro lakehouse_lake() %}
    {% set home = env_var('LAKEHOUSE_HOME', '') or 'var' %}
    {{ return((env_var('LAKEHOUSE_LAKE', '') or home ~ '/lake').rstrip('/')) }}
{% endmacro %}

{% macro lakehouse_path(node=model) %}
    {{ return([lakehouse_lake(), lakehouse_layer(node), node.schema, node.alias] | join('/')) }}
{% endmacro %}
