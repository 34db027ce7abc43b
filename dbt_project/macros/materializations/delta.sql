{# `table` and `incremental` mean Delta tables, on DuckDB as they do on Spark.

   The compiled SELECT goes to warehouse.dbt_plugin, which streams its rows into one Delta commit; the model's
   relation in the build database is a view on that table. Analysts read Delta and see the old or the new
   version, never a half; if the process dies between commit and view, the view still reads the table. #}

{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
    {{ return(lakehouse_build('overwrite')) }}
{% endmaterialization %}

{% materialization incremental, adapter='duckdb', supported_languages=['sql'] %}
    {{ return(lakehouse_build(lakehouse_strategy())) }}
{% endmaterialization %}

{% materialization snapshot, adapter='duckdb' %}
    {% do exceptions.raise_compiler_error(
        "Snapshots would live in the build database, which may be deleted at any time. Write an incremental model with "
        ~ "incremental_strategy: history, unique_key and, if not all columns count, check_cols.") %}
{% endmaterialization %}

{% macro lakehouse_strategy() %}
    {% set known = {
        'merge': 'merge', 'append': 'append', 'history': 'history',
        'replace_partitions': 'replace_partitions', 'insert_overwrite': 'replace_partitions'} %}
    {% set given = config.get('incremental_strategy') or ('merge' if config.get('unique_key') else 'append') %}
    {% if given not in known %}
        {% do exceptions.raise_compiler_error(
            'incremental_strategy ' ~ given ~ ' is not among ' ~ known.keys() | sort | join(', ')) %}
    {% endif %}
    {{ return(known[given]) }}
{% endmacro %}

{% macro lakehouse_build(strategy) %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set path = lakehouse_path() -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {# The plugin reads on a cursor of its own: what hooks made must be committed to be seen. #}
    {% do adapter.commit() %}
    {%- set reply = {'request': lakehouse_request(strategy, path)} -%}
    {% do adapter.store_relation('lakehouse', target_relation, [], path, 'delta', reply) %}

    {% do lakehouse_put_view('view', target_relation, 'select * from ' ~ reply['scan']) %}
    {% call noop_statement('main', 'OK ' ~ reply['rows'], 'OK', reply['rows']) -%}
        {{ compiled_code }}
    {%- endcall %}

    {{ return(lakehouse_end(target_relation)) }}
{% endmacro %}

{# Put a view in the place of what has its name, in one statement called ``name``. #}
{% macro lakehouse_put_view(name, relation, select) %}
    {%- set existing_relation = load_cached_relation(relation) -%}
    {% if existing_relation is not none and not existing_relation.is_view %}
        {% do adapter.drop_relation(existing_relation) %}
    {% endif %}
    {% call statement(name) -%}
        create or replace view {{ relation }} as {{ select }}
    {%- endcall %}
{% endmacro %}

{# What comes after a model was made; gives what a materialization returns. #}
{% macro lakehouse_end(relation) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {% do persist_docs(relation, model) %}
    {% do adapter.commit() %}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [relation]}) }}
{% endmacro %}

{# What the plugin is asked to do: the fields of warehouse.dbt_store.StoreRequest. #}
{% macro lakehouse_request(strategy, path) %}
    {% set policy = config.get('on_schema_change') or 'ignore' %}
    {% if policy not in ('ignore', 'append_new_columns', 'fail') %}
        {% do exceptions.raise_compiler_error(
            'on_schema_change ' ~ policy ~ ' is not among ignore, append_new_columns, fail; columns go by --full-refresh') %}
    {% endif %}
    {{ return({
        'model': model.unique_id,
        'invocation_id': invocation_id,
        'path': path,
        'sql': compiled_code,
        'contract': lakehouse_contract(),
        'header': config.get('sql_header') or '',
        'strategy': strategy,
        'unique_key': lakehouse_list(config.get('unique_key')),
        'partition_by': lakehouse_list(config.get('partition_by')),
        'on_schema_change': policy,
        'not_null': lakehouse_not_null(),
        'predicates': lakehouse_list(config.get('incremental_predicates') or config.get('predicates')),
        'check_cols': [] if config.get('check_cols') == 'all' else lakehouse_list(config.get('check_cols')),
        'at': lakehouse_instant(),
        'hard_deletes': config.get('hard_deletes') or 'ignore',
        'full_refresh': should_full_refresh(),
        'remade': lakehouse_remade() or none,
        'answered_by': lakehouse_knowledge() or none,
        'inputs': lakehouse_inputs(),
        'by_content': config.get('stands') == 'content',
    }) }}
{% endmacro %}

{# Where what the model reads is, staging views looked through; none for a model whose table is written by every build.
   A model says config(stands=true) when it reads nothing else, and asks no function of ours but that of its answers
   (answered_by): what is the same makes the same. With config(stands='content') a feed that was delivered again as it
   was is the same, too: for models that take longer than reading their feeds through. Seeds are part of the project,
   whose state the table notes. #}
{% macro lakehouse_inputs() %}
    {% if not config.get('stands') or config.get('remade_by') %}
        {{ return(none) }}
    {% endif %}
    {% set paths = [] %}
    {% do lakehouse_collect_inputs(model, paths) %}
    {{ return(paths | unique | list) }}
{% endmacro %}

{% macro lakehouse_collect_inputs(node, paths) %}
    {% for id in node.depends_on.nodes %}
        {% if id in graph.sources %}
            {% set source = graph.sources[id] %}
            {% set layer = {'feed': 'feed', 'history': 'feed', 'platform': 'platform'}[source.schema] %}
            {% do paths.append([lakehouse_lake(), layer, source.schema, source.name] | join('/')) %}
        {% elif graph.nodes[id].resource_type == 'model' and graph.nodes[id].config.materialized == 'view' %}
            {% do lakehouse_collect_inputs(graph.nodes[id], paths) %}
        {% elif graph.nodes[id].resource_type == 'model' %}
            {% do paths.append(lakehouse_path(graph.nodes[id])) %}
        {% endif %}
    {% endfor %}
{% endmacro %}

{# The instant new versions of a history hold from: var history_at, else LAKEHOUSE_NOW, else the run's start. #}
{% macro lakehouse_instant() %}
    {{ return(var('history_at', none) or env_var('LAKEHOUSE_NOW', '') or run_started_at.isoformat()) }}
{% endmacro %}

{% macro lakehouse_list(value) %}
    {{ return([] if value is none else ([value] if value is string else value | list)) }}
{% endmacro %}

{# Columns and types of an enforced contract. The plugin holds the query to them when it reads its columns: dbt's own way
   plans every query once more. #}
{% macro lakehouse_contract() %}
    {% set columns = [] %}
    {% if config.get('contract').enforced %}
        {% for column in model.columns.values() %}
            {% do columns.append([column.name, column.data_type]) %}
        {% endfor %}
    {% endif %}
    {{ return(columns) }}
{% endmacro %}

{# Columns an enforced contract wants filled. Keys and checks are data tests: Delta cannot enforce them. #}
{% macro lakehouse_not_null() %}
    {% set names = [] %}
    {% if config.get('contract').enforced %}
        {% for column in model.columns.values() if column.constraints | selectattr('type', 'in', ('not_null', 'primary_key')) | list %}
            {% do names.append(column.name) %}
        {% endfor %}
        {% for constraint in model.constraints if constraint.type == 'primary_key' %}
            {% do names.extend(constraint.columns) %}
        {% endfor %}
    {% endif %}
    {{ return(names | unique | list) }}
{% endmacro %}

{# True when the model adds to a Delta table that exists. #}
{% macro is_incremental() %}
    {% if not execute %}
        {{ return(false) }}
    {% endif %}
    {{ return(adapter.dispatch('is_incremental', 'xicheng_lakehouse')()) }}
{% endmacro %}

{% macro default__is_incremental() %}
    {{ return(dbt.is_incremental()) }}
{% endmacro %}

{% macro duckdb__is_incremental() %}
    {% if model.config.materialized != 'incremental' or should_full_refresh() %}
        {{ return(false) }}
    {% endif %}
    {% set found = run_query("select lakehouse_delta_exists('" ~ adapter.escape_sql_string(lakehouse_path()) ~ "')") %}
    {{ return(found.rows[0][0]) }}
{% endmacro %}
