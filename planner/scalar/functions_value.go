package scalar

// The functions over numbers.
const numberFunctions = `
abs(smallint) smallint
abs(integer) integer
abs(bigint) bigint
abs(real) real
abs(double precision) double precision
abs(numeric) numeric
ceil(double precision) double precision
ceil(numeric) numeric
ceiling(double precision) double precision
ceiling(numeric) numeric
floor(double precision) double precision
floor(numeric) numeric
round(double precision) double precision
round(numeric) numeric
round(numeric,integer) numeric
trunc(double precision) double precision
trunc(numeric) numeric
trunc(numeric,integer) numeric
truncate(numeric,integer) numeric                 -- Flink's name of trunc
sign(double precision) double precision
sign(numeric) numeric
mod(smallint,smallint) smallint
mod(integer,integer) integer
mod(bigint,bigint) bigint
mod(numeric,numeric) numeric
div(numeric,numeric) numeric
power(double precision,double precision) double precision
power(numeric,numeric) numeric
pow(double precision,double precision) double precision
pow(numeric,numeric) numeric
sqrt(double precision) double precision
sqrt(numeric) numeric
cbrt(double precision) double precision
exp(double precision) double precision
exp(numeric) numeric
ln(double precision) double precision
ln(numeric) numeric
log(double precision) double precision
log(numeric) numeric
log(numeric,numeric) numeric
log10(double precision) double precision
log10(numeric) numeric
log2(double precision) double precision           -- Flink
random() double precision [volatile]
setseed(double precision) void [volatile]
gcd(integer,integer) integer
gcd(bigint,bigint) bigint
gcd(numeric,numeric) numeric
lcm(integer,integer) integer
lcm(bigint,bigint) bigint
lcm(numeric,numeric) numeric
factorial(bigint) numeric
pi() double precision
degrees(double precision) double precision
radians(double precision) double precision
sin(double precision) double precision
cos(double precision) double precision
tan(double precision) double precision
cot(double precision) double precision
asin(double precision) double precision
acos(double precision) double precision
atan(double precision) double precision
atan2(double precision,double precision) double precision
sinh(double precision) double precision
cosh(double precision) double precision
tanh(double precision) double precision
asinh(double precision) double precision
acosh(double precision) double precision
atanh(double precision) double precision
sind(double precision) double precision
asind(double precision) double precision
acosd(double precision) double precision
atand(double precision) double precision
atan2d(double precision,double precision) double precision
cotd(double precision) double precision
cosd(double precision) double precision
tand(double precision) double precision
e() double precision                              -- Flink
hex(bigint) text                                  -- Flink, in capitals
bin(bigint) text                                  -- Flink
scale(numeric) integer
min_scale(numeric) integer
trim_scale(numeric) numeric
width_bucket(double precision,double precision,double precision,integer) integer
width_bucket(numeric,numeric,numeric,integer) integer
width_bucket(anycompatible,anycompatiblearray) integer -- how many of the sorted thresholds are not above
`

// The functions over dates and times. now and its kin are the statement's time;
// in a job, the processing time of the batch.
const timeFunctions = `
now() timestamptz [stable]
current_timestamp() timestamptz [stable]
current_timestamp(integer) timestamptz [stable]
transaction_timestamp() timestamptz [stable]
statement_timestamp() timestamptz [stable]
clock_timestamp() timestamptz [volatile]
localtimestamp() timestamp [stable]
localtimestamp(integer) timestamp [stable]
current_date() date [stable]
current_time() time [stable]                      -- without a zone: there is no timetz
localtime() time [stable]
proctime() timestamptz [stable]                   -- Flink
current_watermark(timestamp) timestamp [null volatile] -- Flink; in SELECT null
current_watermark(timestamptz) timestamptz [null volatile] -- Flink; in SELECT null
extract(text,date) numeric
extract(text,time) numeric
extract(text,timestamp) numeric
extract(text,timestamptz) numeric [stable]
extract(text,interval) numeric
date_part(text,date) double precision
date_part(text,time) double precision
date_part(text,timestamp) double precision
date_part(text,timestamptz) double precision [stable]
date_part(text,interval) double precision
date_trunc(text,timestamp) timestamp
date_trunc(text,timestamptz) timestamptz [stable]
date_trunc(text,timestamptz,text) timestamptz [stable]
date_trunc(text,interval) interval
date_bin(interval,timestamp,timestamp) timestamp
date_bin(interval,timestamptz,timestamptz) timestamptz
age(timestamp,timestamp) interval
age(timestamptz,timestamptz) interval [stable]
age(timestamp) interval [stable]
age(timestamptz) interval [stable]
make_date(integer,integer,integer) date
make_time(integer,integer,double precision) time
make_timestamp(integer,integer,integer,integer,integer,double precision) timestamp
make_timestamptz(integer,integer,integer,integer,integer,double precision) timestamptz [stable]
make_timestamptz(integer,integer,integer,integer,integer,double precision,text) timestamptz [stable]
make_interval() interval                          -- named arguments: the binder fills what is missing with 0
make_interval(integer) interval
make_interval(integer,integer) interval
make_interval(integer,integer,integer) interval
make_interval(integer,integer,integer,integer) interval
make_interval(integer,integer,integer,integer,integer) interval
make_interval(integer,integer,integer,integer,integer,integer) interval
make_interval(integer,integer,integer,integer,integer,integer,double precision) interval
to_char(timestamp,text) text [stable]
to_char(timestamptz,text) text [stable]
to_char(interval,text) text [stable]
to_char(integer,text) text [stable]
to_char(bigint,text) text [stable]
to_char(real,text) text [stable]
to_char(double precision,text) text [stable]
to_char(numeric,text) text [stable]
to_number(text,text) numeric [stable]
to_timestamp(double precision) timestamptz
to_timestamp(text,text) timestamptz [stable]
to_date(text,text) date [stable]
date_format(timestamp,text) text                  -- Flink, with Java patterns: yyyy-MM-dd HH:mm:ss.SSS
date_format(timestamptz,text) text [stable]
timezone(text,timestamp) timestamptz
timezone(text,timestamptz) timestamp
timezone(interval,timestamp) timestamptz
timezone(interval,timestamptz) timestamp
justify_hours(interval) interval
justify_days(interval) interval
justify_interval(interval) interval
isfinite(date) boolean
isfinite(timestamp) boolean
isfinite(timestamptz) boolean
isfinite(interval) boolean
unix_timestamp() bigint [stable]                  -- Flink: seconds
unix_timestamp(timestamptz) bigint
unix_millis(timestamptz) bigint
unix_millis(timestamp) bigint
unix_micros(timestamptz) bigint
from_unixtime(bigint) text [stable]               -- Flink
to_timestamp_ltz(bigint,integer) timestamptz      -- Flink: epoch seconds (0) or milliseconds (3)
overlaps(time,time,time,time) boolean [null]
overlaps(time,interval,time,interval) boolean [null]
overlaps(time,time,time,interval) boolean [null]
overlaps(time,interval,time,time) boolean [null]
overlaps(timestamp,timestamp,timestamp,timestamp) boolean [null]
overlaps(timestamp,interval,timestamp,interval) boolean [null]
overlaps(timestamp,timestamp,timestamp,interval) boolean [null]
overlaps(timestamp,interval,timestamp,timestamp) boolean [null]
overlaps(timestamptz,timestamptz,timestamptz,timestamptz) boolean [null]
overlaps(timestamptz,interval,timestamptz,interval) boolean [null]
overlaps(timestamptz,timestamptz,timestamptz,interval) boolean [null]
overlaps(timestamptz,interval,timestamptz,timestamptz) boolean [null]
year(date) bigint                                 -- Flink
year(timestamp) bigint
year(timestamptz) bigint [stable]
quarter(date) bigint                              -- Flink
quarter(timestamp) bigint
quarter(timestamptz) bigint [stable]
month(date) bigint                                -- Flink
month(timestamp) bigint
month(timestamptz) bigint [stable]
week(date) bigint                                 -- Flink: of the ISO year
week(timestamp) bigint
week(timestamptz) bigint [stable]
dayofyear(date) bigint                            -- Flink
dayofyear(timestamp) bigint
dayofyear(timestamptz) bigint [stable]
dayofmonth(date) bigint                           -- Flink
dayofmonth(timestamp) bigint
dayofmonth(timestamptz) bigint [stable]
dayofweek(date) bigint                            -- Flink: 1 is Sunday
dayofweek(timestamp) bigint
dayofweek(timestamptz) bigint [stable]
hour(time) bigint                                 -- Flink
hour(timestamp) bigint
hour(timestamptz) bigint [stable]
minute(time) bigint                               -- Flink
minute(timestamp) bigint
minute(timestamptz) bigint [stable]
second(time) bigint                               -- Flink
second(timestamp) bigint
second(timestamptz) bigint [stable]
last_day(date) date                               -- of its month
timestampadd(text,bigint,date) date               -- Flink: TIMESTAMPADD(MONTH, 1, x), from SECOND to YEAR; a timestamp for less than a day
timestampadd(text,bigint,timestamp) timestamp
timestampadd(text,bigint,timestamptz) timestamptz [stable]
timestampdiff(text,date,date) bigint              -- Flink: TIMESTAMPDIFF(DAY, x, y) is how many whole units fit from x to y
timestampdiff(text,timestamp,timestamp) bigint
timestampdiff(text,timestamptz,timestamptz) bigint [stable]
`

// The functions over jsonb. The json_ names are the same over jsonb: there is
// no json type.
const jsonFunctions = `
jsonb_typeof(jsonb) text
jsonb_array_length(jsonb) integer
json_array_length(jsonb) integer
json_typeof(jsonb) text
jsonb_build_object(any...) jsonb [null stable]
jsonb_build_object() jsonb [stable]
jsonb_build_array(any...) jsonb [null stable]
jsonb_build_array() jsonb [stable]
json_build_object(any...) jsonb [null stable]
json_build_array(any...) jsonb [null stable]
json_build_object() jsonb [stable]
json_build_array() jsonb [stable]
json_build_object_variadic(anyarray) jsonb [null stable] -- json_build_object(VARIADIC array)
json_build_array_variadic(anyarray) jsonb [null stable] -- json_build_array(VARIADIC array)
to_jsonb(anyelement) jsonb [stable]
to_json(anyelement) jsonb [stable]
row_to_json(record) jsonb [stable]
row_to_json(record,boolean) jsonb [stable]
array_to_json(anyarray) jsonb [stable]
array_to_json(anyarray,boolean) jsonb [stable]
jsonb_extract_path(jsonb,text...) jsonb
jsonb_extract_path_text(jsonb,text...) text
json_extract_path_text(jsonb,text...) text
json_extract_path_text_variadic(jsonb,text[]) text -- json_extract_path_text(json, VARIADIC array)
json_extract_path_variadic(jsonb,text[]) jsonb    -- json_extract_path(json, VARIADIC array)
jsonb_strip_nulls(jsonb) jsonb
jsonb_pretty(jsonb) text
json_record_field(jsonb,text,text,anyelement) anyelement [null stable] -- a member of an object as a value of the last type: what json_to_record and its kin are made of
jsonb_set(jsonb,text[],jsonb) jsonb
jsonb_set(jsonb,text[],jsonb,boolean) jsonb
jsonb_set_lax(jsonb,text[],jsonb) jsonb [null]
jsonb_set_lax(jsonb,text[],jsonb,boolean) jsonb [null]
jsonb_set_lax(jsonb,text[],jsonb,boolean,text) jsonb [null]
jsonb_insert(jsonb,text[],jsonb) jsonb
jsonb_insert(jsonb,text[],jsonb,boolean) jsonb
jsonb_exists(jsonb,text) boolean
jsonb_contains(jsonb,jsonb) boolean
jsonb_object_keys_array(jsonb) text[]
jsonb_object(text[]) jsonb
jsonb_object(text[],text[]) jsonb
json_object(text[]) jsonb
json_object(text[],text[]) jsonb
json_extract_path(jsonb,text...) jsonb
json_strip_nulls(jsonb) jsonb
jsonb_concat(jsonb,jsonb) jsonb
jsonb_path_exists(jsonb,jsonpath) boolean         -- vars and silent can be given by name
jsonb_path_exists(jsonb,jsonpath,jsonb) boolean
jsonb_path_exists(jsonb,jsonpath,jsonb,boolean) boolean
jsonb_path_match(jsonb,jsonpath) boolean
jsonb_path_match(jsonb,jsonpath,jsonb) boolean
jsonb_path_match(jsonb,jsonpath,jsonb,boolean) boolean
jsonb_path_query_array(jsonb,jsonpath) jsonb
jsonb_path_query_array(jsonb,jsonpath,jsonb) jsonb
jsonb_path_query_array(jsonb,jsonpath,jsonb,boolean) jsonb
jsonb_path_query_first(jsonb,jsonpath) jsonb
jsonb_path_query_first(jsonb,jsonpath,jsonb) jsonb
jsonb_path_query_first(jsonb,jsonpath,jsonb,boolean) jsonb
jsonb_path_exists_tz(jsonb,jsonpath) boolean [stable] -- dates and times without a zone are in the session's
jsonb_path_exists_tz(jsonb,jsonpath,jsonb) boolean [stable]
jsonb_path_exists_tz(jsonb,jsonpath,jsonb,boolean) boolean [stable]
jsonb_path_match_tz(jsonb,jsonpath) boolean [stable]
jsonb_path_match_tz(jsonb,jsonpath,jsonb) boolean [stable]
jsonb_path_match_tz(jsonb,jsonpath,jsonb,boolean) boolean [stable]
jsonb_path_query_array_tz(jsonb,jsonpath) jsonb [stable]
jsonb_path_query_array_tz(jsonb,jsonpath,jsonb) jsonb [stable]
jsonb_path_query_array_tz(jsonb,jsonpath,jsonb,boolean) jsonb [stable]
jsonb_path_query_first_tz(jsonb,jsonpath) jsonb [stable]
jsonb_path_query_first_tz(jsonb,jsonpath,jsonb) jsonb [stable]
jsonb_path_query_first_tz(jsonb,jsonpath,jsonb,boolean) jsonb [stable]
json_exists(jsonb,text) boolean                   -- a simple path
json_query(jsonb,text) jsonb                      -- a simple path, to an object or array
json_value(jsonb,text) text                       -- a simple path: $.a.b[0]
`

// The functions over arrays and rows, and what array syntax becomes: ARRAY[a,b]
// is array(...), x[i] subscript, x[i:j] slice (null bounds are open), x[i][j] and
// x[i:j][k:l] are subscripts and slices, SET x[i] = v, SET x[i:j] = v and SET
// j['k'] = v are assign_element, assign_slice and assign_member, ROW(a,b)
// row(...), (x).f field(x, n) with n from 1.
const arrayFunctions = `
array(anycompatible...) anycompatiblearray [null]
subscript(anyarray,integer) anyelement
subscript(jsonb,text) jsonb
subscript(jsonb,integer) jsonb
slice(anyarray,integer,integer) anyarray [null]
subscripts(anyarray,integer...) anyelement
slices(anyarray,integer...) anyarray [null]
assign_element(anyarray,anyelement,integer...) anyarray [null] -- what SET x[i] = v makes of x
assign_slice(anyarray,anyarray,integer...) anyarray [null] -- what SET x[i:j] = v makes of x; for each dimension 1 or 0 for a bound that is given or open, and the bound
assign_member(jsonb,jsonb,boolean,text...) jsonb [null] -- what SET j['k'] = v makes of j; true if a null is to become an array
row(any...) record [null]
field(record,integer) void
array_length(anyarray,integer) integer
array_ndims(anyarray) integer
array_lower(anyarray,integer) integer
array_upper(anyarray,integer) integer
array_dims(anyarray) text
cardinality(anyarray) integer
array_append(anycompatiblearray,anycompatible) anycompatiblearray [null]
array_prepend(anycompatible,anycompatiblearray) anycompatiblearray [null]
array_cat(anycompatiblearray,anycompatiblearray) anycompatiblearray [null]
array_remove(anycompatiblearray,anycompatible) anycompatiblearray [null]
array_replace(anycompatiblearray,anycompatible,anycompatible) anycompatiblearray [null]
array_to_string(anyarray,text) text [stable]
array_to_string(anyarray,text,text) text [null stable]
array_position(anycompatiblearray,anycompatible) integer [null]
array_position(anycompatiblearray,anycompatible,integer) integer [null]
array_positions(anycompatiblearray,anycompatible) integer[] [null]
array_fill(anyelement,integer[]) anyarray [null]
array_fill(anyelement,integer[],integer[]) anyarray [null]
array_reverse(anyarray) anyarray
array_distinct(anyarray) anyarray                 -- Flink
array_contains(anycompatiblearray,anycompatible) boolean [null] -- Flink
array_sort(anyarray) anyarray
trim_array(anyarray,integer) anyarray
`

// Conditionals and the rest. coalesce, if and nullif evaluate lazily, as CASE does.
const otherFunctions = `
coalesce(anycompatible...) anycompatible [null]
ifnull(anycompatible,anycompatible) anycompatible [null]
nullif(anycompatible,anycompatible) anycompatible [null]
greatest(anycompatible...) anycompatible [null]
least(anycompatible...) anycompatible [null]
if(boolean,anycompatible,anycompatible) anycompatible [null]
num_nulls(any...) integer [null]
num_nonnulls(any...) integer [null]
num_nulls_variadic(anyarray) integer [null]       -- num_nulls(VARIADIC array)
num_nonnulls_variadic(anyarray) integer [null]    -- num_nonnulls(VARIADIC array)
gen_random_uuid() uuid [volatile]
uuid() uuid [volatile]                            -- Flink
pg_typeof(any) text [null stable]
pg_column_size(any) integer [stable]              -- what PostgreSQL keeps the value in
check_constraint(boolean,text,text) boolean [null volatile] -- true unless the condition is false: then error 23514, for that relation and constraint
version() text [stable]
current_user() name [stable]
session_user() name [stable]
user() name [stable]
current_role() name [stable]
current_database() name [stable]
current_catalog() name [stable]
current_schema() name [stable]
pg_backend_pid() integer [stable]
current_query() text [stable]
pg_sleep(double precision) void [volatile]
pg_sleep_for(interval) void [volatile]
pg_sleep_until(timestamptz) void [volatile]
timeofday() text [volatile]
hashtext(text) integer
pg_size_pretty(bigint) text
pg_size_pretty(numeric) text
pg_size_bytes(text) bigint
pg_client_encoding() name [stable]
`

// Catalog functions: eval.Context.External answers them.
const catalogFunctions = `
current_schemas(boolean) name[] [stable]
current_setting(text) text [stable]
current_setting(text,boolean) text [stable]
set_config(text,text,boolean) text [null volatile]
col_description(oid,integer) text [stable]
col_description(text,integer) text [stable]
obj_description(oid) text [stable]
obj_description(oid,name) text [stable]
shobj_description(oid,name) text [stable]
format_type(oid,integer) text [null stable]
pg_get_expr(text,oid) text [stable]
pg_get_expr(text,oid,boolean) text [stable]
pg_get_userbyid(oid) name [stable]
pg_get_constraintdef(oid) text [stable]
pg_get_constraintdef(oid,boolean) text [stable]
pg_get_indexdef(oid) text [stable]
pg_get_indexdef(oid,integer,boolean) text [stable]
pg_get_viewdef(oid) text [stable]
pg_get_viewdef(oid,boolean) text [stable]
pg_get_viewdef(text) text [stable]
pg_get_viewdef(text,boolean) text [stable]
pg_get_triggerdef(oid,boolean) text [stable]
pg_get_ruledef(oid,boolean) text [stable]
pg_get_serial_sequence(text,text) text [stable]
pg_get_statisticsobjdef_columns(oid) text [stable]
pg_get_partkeydef(oid) text [stable]
pg_get_function_arguments(oid) text [stable]
pg_get_function_identity_arguments(oid) text [stable]
pg_get_function_result(oid) text [stable]
pg_get_functiondef(oid) text [stable]
pg_get_function_sqlbody(oid) text [stable]
pg_table_is_visible(oid) boolean [stable]
pg_type_is_visible(oid) boolean [stable]
pg_function_is_visible(oid) boolean [stable]
pg_operator_is_visible(oid) boolean [stable]
pg_collation_is_visible(oid) boolean [stable]
pg_ts_config_is_visible(oid) boolean [stable]
pg_ts_dict_is_visible(oid) boolean [stable]
pg_ts_parser_is_visible(oid) boolean [stable]
pg_ts_template_is_visible(oid) boolean [stable]
pg_statistics_obj_is_visible(oid) boolean [stable]
pg_conversion_is_visible(oid) boolean [stable]
pg_opclass_is_visible(oid) boolean [stable]
pg_opfamily_is_visible(oid) boolean [stable]
pg_relation_is_publishable(oid) boolean [stable]
pg_relation_size(oid) bigint [stable]
pg_table_size(oid) bigint [stable]
pg_total_relation_size(oid) bigint [stable]
pg_indexes_size(oid) bigint [stable]
pg_relation_size(text) bigint [stable]
pg_relation_size(oid,text) bigint [stable]
pg_relation_size(text,text) bigint [stable]
pg_table_size(text) bigint [stable]
pg_total_relation_size(text) bigint [stable]
pg_indexes_size(text) bigint [stable]
pg_column_is_updatable(oid,smallint,boolean) boolean [stable]
pg_column_is_updatable(text,smallint,boolean) boolean [stable]
pg_relation_is_updatable(oid,boolean) integer [stable]
pg_relation_is_updatable(text,boolean) integer [stable]
pg_sequence_last_value(oid) bigint [stable]
pg_sequence_last_value(text) bigint [stable]
pg_stat_get_numscans(oid) bigint [stable]
pg_is_wal_replay_paused() boolean [stable]
pg_database_size(name) bigint [stable]
pg_database_size(oid) bigint [stable]
pg_tablespace_size(oid) bigint [stable]
pg_tablespace_location(oid) text [stable]
pg_encoding_to_char(integer) name [stable]
pg_char_to_encoding(name) integer [stable]
getdatabaseencoding() name [stable]
pg_is_in_recovery() boolean [stable]
pg_is_other_temp_schema(oid) boolean [stable]
pg_my_temp_schema() oid [stable]
pg_postmaster_start_time() timestamptz [stable]
pg_conf_load_time() timestamptz [stable]
pg_partition_root(oid) oid [stable]
pg_describe_object(oid,oid,integer) text [stable]
pg_cancel_backend(integer) boolean [volatile]
pg_terminate_backend(integer) boolean [volatile]
pg_advisory_lock(bigint) void [volatile]
pg_advisory_lock(integer,integer) void [volatile]
pg_advisory_unlock(integer,integer) boolean [volatile]
pg_try_advisory_lock(integer,integer) boolean [volatile]
pg_advisory_xact_lock(integer,integer) void [volatile]
pg_try_advisory_xact_lock(bigint) boolean [volatile]
pg_try_advisory_xact_lock(integer,integer) boolean [volatile]
pg_advisory_unlock_all() void [volatile]
pg_advisory_unlock(bigint) boolean [volatile]
pg_try_advisory_lock(bigint) boolean [volatile]
pg_advisory_xact_lock(bigint) void [volatile]
pg_jit_available() boolean [stable]
pg_current_xact_id() bigint [stable]
txid_current() bigint [stable]
has_database_privilege(name,text) boolean [stable]
has_database_privilege(name,name,text) boolean [stable]
has_database_privilege(oid,text) boolean [stable]
has_database_privilege(name,oid,text) boolean [stable]
has_schema_privilege(name,text) boolean [stable]
has_schema_privilege(oid,text) boolean [stable]
has_schema_privilege(name,name,text) boolean [stable]
has_schema_privilege(name,oid,text) boolean [stable]
has_table_privilege(text,text) boolean [stable]
has_table_privilege(oid,text) boolean [stable]
has_table_privilege(name,text,text) boolean [stable]
has_table_privilege(name,oid,text) boolean [stable]
has_column_privilege(oid,integer,text) boolean [stable]
has_column_privilege(oid,text,text) boolean [stable]
has_column_privilege(text,text,text) boolean [stable]
has_any_column_privilege(oid,text) boolean [stable]
has_any_column_privilege(text,text) boolean [stable]
has_any_column_privilege(name,text,text) boolean [stable]
has_any_column_privilege(name,oid,text) boolean [stable]
has_column_privilege(name,text,text,text) boolean [stable]
has_column_privilege(name,oid,text,text) boolean [stable]
has_column_privilege(name,oid,integer,text) boolean [stable]
has_function_privilege(oid,text) boolean [stable]
has_function_privilege(text,text) boolean [stable]
has_function_privilege(name,oid,text) boolean [stable]
has_sequence_privilege(oid,text) boolean [stable]
has_sequence_privilege(text,text) boolean [stable]
has_sequence_privilege(name,oid,text) boolean [stable]
has_sequence_privilege(name,text,text) boolean [stable]
has_tablespace_privilege(name,text) boolean [stable]
has_tablespace_privilege(oid,text) boolean [stable]
has_type_privilege(text,text) boolean [stable]
has_type_privilege(oid,text) boolean [stable]
has_language_privilege(text,text) boolean [stable]
has_language_privilege(oid,text) boolean [stable]
pg_has_role(name,name,text) boolean [stable]
pg_has_role(oid,text) boolean [stable]
pg_has_role(name,text) boolean [stable]
pg_has_role(name,oid,text) boolean [stable]
to_regclass(text) oid [stable]
to_regtype(text) oid [stable]
to_regnamespace(text) oid [stable]
regclass_text(oid) text [stable]                  -- what oid::regclass::text prints
to_regproc(text) oid [stable]
regproc_text(oid) text [stable]                   -- what oid::regproc::text prints
regnamespace_text(oid) text [stable]              -- what oid::regnamespace::text prints
to_regrole(text) oid [stable]
regclass_in(text) oid [stable]                    -- text::regclass: unlike to_regclass, an error if there is none
regtype_in(text) oid [stable]
regnamespace_in(text) oid [stable]
regproc_in(text) oid [stable]
regrole_in(text) oid [stable]
inet_server_addr() text [stable]
inet_server_port() integer [stable]
inet_client_addr() text [stable]
inet_client_port() integer [stable]
nextval(text) bigint [volatile]
nextval(oid) bigint [volatile]
currval(text) bigint [volatile]
currval(oid) bigint [volatile]
lastval() bigint [volatile]
setval(text,bigint) bigint [volatile]
setval(oid,bigint) bigint [volatile]
setval(text,bigint,boolean) bigint [volatile]
setval(oid,bigint,boolean) bigint [volatile]
`
