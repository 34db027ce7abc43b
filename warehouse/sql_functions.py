"""The functions one read-only statement may call: an allow-list, so that a new engine brings nothing in unseen.

Taken from DuckDB 1.5.5 with its spatial extension, less what reads settings, sessions or catalogues, writes
(sequences, logs, seeds), sleeps, runs SQL given as text, puts values into error messages, or allocates memory
that the engine's limit does not count (``range`` and ``repeat`` as scalars). ``tests/warehouse/test_query.py``
fails when the engine has a function that is neither here nor refused on purpose.
"""

from __future__ import annotations

TABLE_FUNCTIONS = frozenset({"generate_series", "json_each", "json_tree", "range", "unnest"})
"""Table functions that make rows from their arguments only."""

OPERATORS = frozenset(
    {"!__postfix", "!~~", "!~~*", "%", "&", "&&", "*", "**", "+", "-", "->", "->>", "/", "//", "<->", "<<", "<=>"}
    | {"<@", ">>", "@", "@>", "^", "^@", "|", "||", "~", "~~", "~~*", "~~~"}
)

_NAMES = """
abs acos acosh age ago any_value apply approx_count_distinct approx_quantile approx_top_k arbitrary arg_max
arg_max_null arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg array_aggr
array_aggregate array_append array_apply array_cat array_concat array_contains array_cosine_distance
array_cosine_similarity array_cross_product array_distance array_distinct array_dot_product array_extract
array_filter array_grade_up array_has array_has_all array_has_any array_indexof array_inner_product array_intersect
array_length array_negative_dot_product array_negative_inner_product array_pop_back array_pop_front array_position
array_prepend array_push_back array_push_front array_reduce array_reverse array_reverse_sort array_select
array_slice array_sort array_to_json array_to_string array_to_string_comma_default array_transform array_unique
array_value array_where array_zip ascii asin asinh atan atan2 atanh avg bar base64 bin bit_and bit_count bit_length
bit_or bit_position bit_xor bitstring bitstring_agg bool_and bool_or cardinality cbrt ceil ceiling century
char_length character_length chr concat concat_ws constant_or_null contains corr cos cosh cot count count_if
count_star countif covar_pop covar_samp cume_dist current_date current_localtime current_localtimestamp
damerau_levenshtein date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname
dayofmonth dayofweek dayofyear days_in_month decade decode degrees dense_rank editdist3 element_at encode ends_with
entropy enum_code enum_first enum_last enum_range enum_range_boundary epoch epoch_ms epoch_ns epoch_us
equi_width_bins era even exp factorial favg fdiv filter first first_value flatten floor fmod format format_bytes
formatreadabledecimalsize formatreadablesize from_base64 from_binary from_hex from_json from_json_strict fsum gamma
gcd gen_random_uuid geomean geometric_mean get_bit get_current_time get_current_timestamp grade_up greatest
greatest_common_divisor group_concat hamming hash hex histogram histogram_exact hour ilike_escape instr isfinite
isinf isnan isodow isoyear jaccard jaro_similarity jaro_winkler_similarity json json_array json_array_length
json_contains json_exists json_extract json_extract_path json_extract_path_text json_extract_string json_group_array
json_group_object json_group_structure json_keys json_merge_patch json_object json_pretty json_quote json_structure
json_transform json_transform_strict json_type json_valid json_value julian kahan_sum kurtosis kurtosis_pop lag last
last_day last_value lcase lcm lead least least_common_multiple left left_grapheme len length length_grapheme
levenshtein lgamma like_escape list list_aggr list_aggregate list_any_value list_append list_apply
list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or list_cat
list_concat list_contains list_cosine_distance list_cosine_similarity list_count list_distance list_distinct
list_dot_product list_element list_entropy list_extract list_filter list_first list_grade_up list_has list_has_all
list_has_any list_histogram list_indexof list_inner_product list_intersect list_kurtosis list_kurtosis_pop list_last
list_mad list_max list_median list_min list_mode list_negative_dot_product list_negative_inner_product list_pack
list_position list_prepend list_product list_reduce list_reverse list_reverse_sort list_select list_sem
list_skewness list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform
list_unique list_value list_var_pop list_var_samp list_where list_zip listagg ln log log10 log2 lower lpad ltrim mad
make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz make_type map map_concat
map_contains map_contains_entry map_contains_value map_entries map_extract map_extract_value map_from_entries
map_keys map_values max max_by md5 md5_number md5_number_lower md5_number_upper mean median microsecond millennium
millisecond min min_by minute mismatches mod mode month monthname nanosecond nextafter nfc_normalize
normalized_interval not_ilike_escape not_like_escape now nth_value ntile nullif octet_length ord percent_rank pi
position pow power printf product quantile quantile_cont quantile_disc quarter radians random rank rank_dense reduce
regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace
regexp_split_to_array regexp_split_to_table regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope
regr_sxx regr_sxy regr_syy replace reservoir_quantile reverse right right_grapheme round round_even roundbankers row
row_number row_to_json rpad rtrim second sem set_bit sha1 sha256 sign signbit sin sinh skewness split split_part
sqrt st_affine st_area st_area_spheroid st_asbinary st_asgeojson st_ashexwkb st_assvg st_astext st_aswkb st_aswkt
st_azimuth st_boundary st_buffer st_buildarea st_centroid st_closestpoint st_collect st_collectionextract
st_concavehull st_contains st_containsproperly st_convexhull st_coverageclean st_coverageinvalidedges
st_coverageinvalidedges_agg st_coveragesimplify st_coveragesimplify_agg st_coverageunion st_coverageunion_agg
st_coveredby st_covers st_crosses st_crs st_difference st_dimension st_disjoint st_distance st_distance_geos
st_distance_sphere st_distance_spheroid st_dump st_dwithin st_dwithin_geos st_dwithin_spheroid st_endpoint
st_envelope st_envelope_agg st_equals st_expand st_extent st_extent_agg st_extent_approx st_exteriorring
st_flipcoordinates st_force2d st_force3dm st_force3dz st_force4d st_geometrytype st_geomfromgeojson
st_geomfromhexewkb st_geomfromhexwkb st_geomfromtext st_geomfromwkb st_hasm st_hasz st_hilbert st_interiorringn
st_interpolatepoint st_intersection st_intersection_agg st_intersects st_intersects_extent st_isclosed st_isempty
st_isring st_issimple st_isvalid st_length st_length_spheroid st_lineinterpolatepoint st_lineinterpolatepoints
st_linelocatepoint st_linemerge st_linestring2dfromwkb st_linesubstring st_locatealong st_locatebetween st_m
st_makebox2d st_makeenvelope st_makeline st_makepoint st_makepolygon st_makevalid st_maximuminscribedcircle
st_memunion_agg st_minimumrotatedrectangle st_mmax st_mmin st_multi st_ngeometries st_ninteriorrings st_node
st_normalize st_npoints st_numgeometries st_numinteriorrings st_numpoints st_overlaps st_perimeter
st_perimeter_spheroid st_point st_point2d st_point2dfromwkb st_point3d st_point4d st_pointn st_pointonsurface
st_points st_polygon2dfromwkb st_polygonize st_quadkey st_reduceprecision st_removerepeatedpoints st_reverse
st_rotate st_rotatex st_rotatey st_rotatez st_scale st_setcrs st_shortestline st_simplify
st_simplifypreservetopology st_snap st_startpoint st_symdifference st_tileenvelope st_touches st_transform
st_translate st_transscale st_union st_union_agg st_voronoidiagram st_within st_withinproperly st_x st_xmax st_xmin
st_y st_ymax st_ymin st_z st_zmax st_zmflag st_zmin starts_with stddev stddev_pop stddev_samp str_split
str_split_regex strftime string_agg string_split string_split_regex string_to_array strip_accents strlen strpos
strptime struct_concat struct_contains struct_extract struct_extract_at struct_has struct_indexof struct_insert
struct_keys struct_pack struct_position struct_update struct_values substr substring substring_grapheme sum
sum_no_overflow sumkahan tan tanh time_bucket timezone timezone_hour timezone_minute to_base to_base64 to_binary
to_centuries to_days to_decades to_hex to_hours to_json to_microseconds to_millennia to_milliseconds to_minutes
to_months to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp translate trim trunc
try_strptime typeof ucase unbin unhex unicode union_extract union_tag union_value upper url_decode url_encode uuid
uuid_extract_timestamp uuid_extract_version uuidv4 uuidv7 var_pop var_samp variance variant_typeof wavg week weekday
weekofyear weighted_avg xor year yearweek
"""

ADDRESS_FUNCTIONS = frozenset({"address_match", "address_parse", "address_at"})
"""Ours, over the address library; a statement that calls one reads its tables (``warehouse.addresses.functions``)."""

SCALAR_FUNCTIONS = OPERATORS | frozenset(_NAMES.split()) | ADDRESS_FUNCTIONS

INSTEAD = {
    "range": "use it as a table: FROM range(…)",
    "generate_series": "use it as a table: FROM generate_series(…)",
    "repeat": "use lpad('', n, 'text')",
}
"""What to write instead of a refused function."""
