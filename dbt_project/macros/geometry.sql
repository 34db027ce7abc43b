{# Geometry is stored as WKB in CGCS2000 (EPSG:4490), x longitude, y latitude. #}
{% macro point_longitude(wkb) %}{{ return(adapter.dispatch('point_longitude')(wkb)) }}{% endmacro %}
{% macro default__point_longitude(wkb) %}st_x(st_geomfromwkb({{ wkb }})){% endmacro %}

{% macro point_latitude(wkb) %}{{ return(adapter.dispatch('point_latitude')(wkb)) }}{% endmacro %}
{% macro default__point_latitude(wkb) %}st_y(st_geomfromwkb({{ wkb }})){% endmacro %}

{% macro geometry_contains(wkb_area, wkb_point) %}{{ return(adapter.dispatch('geometry_contains')(wkb_area, wkb_point)) }}{% endmacro %}
{% macro default__geometry_contains(wkb_area, wkb_point) %}st_contains(st_geomfromwkb({{ wkb_area }}), st_geomfromwkb({{ wkb_point }})){% endmacro %}

{# Area on the ellipsoid; DuckDB's function takes latitude first. #}
{% macro geometry_area_m2(wkb) %}{{ return(adapter.dispatch('geometry_area_m2')(wkb)) }}{% endmacro %}
{% macro default__geometry_area_m2(wkb) %}st_area_spheroid(st_flipcoordinates(st_geomfromwkb({{ wkb }}))){% endmacro %}
{% macro spark__geometry_area_m2(wkb) %}st_areaspheroid(st_geomfromwkb({{ wkb }})){% endmacro %}
