package scalar

// The functions over strings and bytes.
const stringFunctions = `
length(text) integer                              -- number of characters
length(bytea) integer                             -- number of bytes
length(bytea,text) integer                        -- number of characters in an encoding
char_length(text) integer
character_length(text) integer
octet_length(text) integer
octet_length(char) integer                        -- of a char with its blanks
octet_length(bytea) integer
bit_length(text) integer
lower(text) text
upper(text) text
initcap(text) text
btrim(text) text
btrim(text,text) text
ltrim(text) text
ltrim(text,text) text
rtrim(text) text
rtrim(text,text) text
trim(text) text
trim(text,text) text
btrim(bytea,bytea) bytea
ltrim(bytea,bytea) bytea
rtrim(bytea,bytea) bytea
substr(text,integer) text
substr(text,integer,integer) text
substring(text,integer) text
substring(text,integer,integer) text
substring(text,text) text                         -- the part that matches a regular expression
substring(text,text,text) text                    -- the part that matches an SQL regular expression, with its escape
substr(bytea,integer) bytea
substr(bytea,integer,integer) bytea
substring(bytea,integer) bytea
substring(bytea,integer,integer) bytea
left(text,integer) text
right(text,integer) text
lpad(text,integer) text
lpad(text,integer,text) text
rpad(text,integer) text
rpad(text,integer,text) text
replace(text,text,text) text
translate(text,text,text) text
overlay(text,text,integer) text
overlay(text,text,integer,integer) text
overlay(bytea,bytea,integer) bytea
overlay(bytea,bytea,integer,integer) bytea
reverse(text) text
repeat(text,integer) text
position(text,text) integer                       -- POSITION(a IN b) is position(b, a)
position(bytea,bytea) integer
strpos(text,text) integer
instr(text,text) integer                          -- Flink's name of strpos
split_part(text,text,integer) text
split_index(text,text,integer) text               -- Flink: like split_part, from 0, null when absent
locate(text,text) integer                         -- Flink's order of strpos: what, in what
locate(text,text,integer) integer                 -- from that character on
ucase(text) text                                  -- another name of upper
lcase(text) text
is_alpha(text) boolean                            -- Flink: letters only
is_digit(text) boolean                            -- Flink: digits only
is_decimal(text) boolean                          -- Flink: a number
to_base64(text) text                              -- Flink
from_base64(text) text                            -- Flink
url_encode(text) text                             -- Flink
url_decode(text) text                             -- Flink: null if it is not encoded like that
parse_url(text,text) text                         -- Flink: PROTOCOL, HOST, PATH, QUERY, REF, FILE, AUTHORITY or USERINFO
parse_url(text,text,text) text                    -- QUERY of one key
sha1(text) text                                   -- Flink, in hexadecimal
sha2(text,integer) text                           -- Flink: 224, 256, 384 or 512 bits, in hexadecimal
hex(text) text                                    -- Flink: of the bytes
concat(any...) text [null stable]
concat_ws(text,any...) text [null stable]
starts_with(text,text) boolean
like(text,text) boolean
notlike(text,text) boolean
like(bytea,bytea) boolean
notlike(bytea,bytea) boolean
like_escape(text,text) text                       -- a LIKE pattern with that escape character, rewritten to use a backslash
similar_to_escape(text) text
similar_to_escape(text,text) text                 -- an SQL regular expression as a regular expression for ~
regexp_replace(text,text,text) text
regexp_replace(text,text,text,text) text          -- with flags
regexp_replace(text,text,text,integer) text       -- from that character on
regexp_replace(text,text,text,integer,integer) text -- the n-th match alone, 0 for all
regexp_replace(text,text,text,integer,integer,text) text
regexp_match(text,text) text[]
regexp_match(text,text,text) text[]
regexp_like(text,text) boolean
regexp_like(text,text,text) boolean
regexp_count(text,text) integer
regexp_count(text,text,integer) integer
regexp_count(text,text,integer,text) integer
regexp_instr(text,text) integer
regexp_instr(text,text,integer) integer
regexp_instr(text,text,integer,integer) integer
regexp_instr(text,text,integer,integer,integer) integer
regexp_instr(text,text,integer,integer,integer,text) integer
regexp_instr(text,text,integer,integer,integer,text,integer) integer
regexp_substr(text,text) text
regexp_substr(text,text,integer) text
regexp_substr(text,text,integer,integer) text
regexp_substr(text,text,integer,integer,text) text
regexp_substr(text,text,integer,integer,text,integer) text
regexp_extract(text,text) text                    -- Flink: the whole match
regexp_extract(text,text,integer) text            -- Flink: the n-th group, null without a match
regexp(text,text) boolean                         -- Flink's name of ~
regexp_split_to_array(text,text) text[]
regexp_split_to_array(text,text,text) text[]
md5(text) text
md5(bytea) text
sha224(bytea) bytea
sha256(bytea) bytea
sha384(bytea) bytea
sha512(bytea) bytea
encode(bytea,text) text
decode(text,text) bytea
convert_from(bytea,text) text
convert(bytea,text,text) bytea                    -- between UTF8 and encodings of one byte a character
convert_to(text,text) bytea
to_hex(integer) text
to_hex(bigint) text
ascii(text) integer
chr(integer) text
format(text,any...) text [null stable]
format(text) text [null stable]
format_variadic(text,anyarray) text [null stable] -- format(text, VARIADIC array)
quote_ident(text) text
quote_literal(text) text
quote_literal(anyelement) text [stable]
quote_nullable(text) text [null]
quote_nullable(anyelement) text [null stable]
string_to_array(text,text) text[] [null]
string_to_array(text,text,text) text[] [null]
get_byte(bytea,integer) integer
set_byte(bytea,integer,integer) bytea
get_bit(bytea,bigint) integer
set_bit(bytea,bigint,integer) bytea
bit_count(bytea) bigint
count_char(text,text) bigint                      -- Nexmark q14: how often a character occurs
unistr(text) text
normalize(text) text
normalize(text,text) text
is_normalized(text) boolean
is_normalized(text,text) boolean
parse_ident(text) text[]
parse_ident(text,boolean) text[]
`

// The operators that are not generated for a list of types.
const operators = `
||(text,text) text
||(text,anyelement) text [stable]
||(anyelement,text) text [stable]
||(bytea,bytea) bytea
||(jsonb,jsonb) jsonb
||(anycompatiblearray,anycompatiblearray) anycompatiblearray [null]
||(anycompatiblearray,anycompatible) anycompatiblearray [null]
||(anycompatible,anycompatiblearray) anycompatiblearray [null]
~~(text,text) boolean                             -- LIKE
!~~(text,text) boolean
~~(bytea,bytea) boolean
!~~(bytea,bytea) boolean
~~*(text,text) boolean                            -- ILIKE
!~~*(text,text) boolean
~(text,text) boolean
~*(text,text) boolean
!~(text,text) boolean
!~*(text,text) boolean
~~(char,text) boolean                             -- of a char with its blanks, here and below
!~~(char,text) boolean
~~*(char,text) boolean
!~~*(char,text) boolean
~(char,text) boolean
~*(char,text) boolean
!~(char,text) boolean
!~*(char,text) boolean
^@(text,text) boolean
similar to(text,text) boolean
similar to(text,text,text) boolean                -- with an escape character
not similar to(text,text) boolean
not similar to(text,text,text) boolean
similar to(char,text) boolean
similar to(char,text,text) boolean
not similar to(char,text) boolean
not similar to(char,text,text) boolean
+(date,integer) date
+(integer,date) date
+(date,interval) timestamp
+(interval,date) timestamp
+(date,time) timestamp
+(time,date) timestamp
+(timestamp,interval) timestamp
+(interval,timestamp) timestamp
+(timestamptz,interval) timestamptz [stable]
+(interval,timestamptz) timestamptz [stable]
+(time,interval) time
+(interval,time) time
+(interval,interval) interval
-(date,date) integer
-(date,integer) date
-(date,interval) timestamp
-(timestamp,timestamp) interval
-(timestamptz,timestamptz) interval
-(timestamp,interval) timestamp
-(timestamptz,interval) timestamptz [stable]
-(time,time) interval
-(time,interval) time
-(interval,interval) interval
-(interval) interval
*(interval,double precision) interval
*(double precision,interval) interval
/(interval,double precision) interval
at time zone(timestamp,text) timestamptz
at time zone(timestamptz,text) timestamp
at time zone(timestamp,interval) timestamptz
at time zone(timestamptz,interval) timestamp
->(jsonb,text) jsonb
->(jsonb,integer) jsonb
->>(jsonb,text) text
->>(jsonb,integer) text
#>(jsonb,text[]) jsonb
#>>(jsonb,text[]) text
@>(jsonb,jsonb) boolean
@?(jsonb,jsonpath) boolean
@@(jsonb,jsonpath) boolean
is json(text,text) boolean                        -- IS [NOT] JSON [VALUE|OBJECT|ARRAY|SCALAR] [WITH UNIQUE KEYS]
is json(jsonb,text) boolean
is json(bytea,text) boolean
<@(jsonb,jsonb) boolean
?(jsonb,text) boolean
?|(jsonb,text[]) boolean
?&(jsonb,text[]) boolean
-(jsonb,text) jsonb
-(jsonb,text[]) jsonb
-(jsonb,integer) jsonb
#-(jsonb,text[]) jsonb
@>(anyarray,anyarray) boolean
<@(anyarray,anyarray) boolean
&&(anyarray,anyarray) boolean
%(numeric,numeric) numeric
^(double precision,double precision) double precision
^(numeric,numeric) numeric
|/(double precision) double precision
||/(double precision) double precision
any ~~(text,text[]) boolean [null]
any ~~(char,text[]) boolean [null]                 -- of a char with its blanks, here and below
any !~~(text,text[]) boolean [null]
any !~~(char,text[]) boolean [null]
any ~~*(text,text[]) boolean [null]
any ~~*(char,text[]) boolean [null]
any !~~*(text,text[]) boolean [null]
any !~~*(char,text[]) boolean [null]
any ~(text,text[]) boolean [null]
any ~(char,text[]) boolean [null]
any ~*(text,text[]) boolean [null]
any ~*(char,text[]) boolean [null]
any !~(text,text[]) boolean [null]
any !~(char,text[]) boolean [null]
any !~*(text,text[]) boolean [null]
any !~*(char,text[]) boolean [null]
all ~~(text,text[]) boolean [null]
all ~~(char,text[]) boolean [null]
all !~~(text,text[]) boolean [null]
all !~~(char,text[]) boolean [null]
all ~~*(text,text[]) boolean [null]
all ~~*(char,text[]) boolean [null]
all !~~*(text,text[]) boolean [null]
all !~~*(char,text[]) boolean [null]
all ~(text,text[]) boolean [null]
all ~(char,text[]) boolean [null]
all ~*(text,text[]) boolean [null]
all ~*(char,text[]) boolean [null]
all !~(text,text[]) boolean [null]
all !~(char,text[]) boolean [null]
all !~*(text,text[]) boolean [null]
all !~*(char,text[]) boolean [null]
`
