package nexmark

// query is one of the benchmark's queries.
type query struct {
	name string
	// sql is the query as Nexmark defines it. Where Nexmark leaves open which of
	// several equal rows counts, more columns in ORDER BY say it.
	sql string
	// oracle is the same in PostgreSQL's SQL; "" is the same text.
	oracle string
	// read says what of the view is compared; "" is all of it. The oracle answers it.
	read string
	// sink lists the columns of an object sink that a job fills with the query too.
	sink string
}

// winningBids is the best bid on each auction while it was open.
const winningBids = `SELECT * FROM (SELECT a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS bid_extra,
		row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.date_time, b.bidder, b.extra) AS rownum
		FROM auction a, bid b WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires) w WHERE rownum <= 1`

// ranks are the columns that q15, q16 and q17 share.
const ranks = `count(*) FILTER (WHERE price < 10000) AS rank1_bids,
	count(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
	count(*) FILTER (WHERE price >= 1000000) AS rank3_bids`

// distinctRanks are those that q15 and q16 share.
const distinctRanks = ranks + `,
	count(DISTINCT bidder) AS total_bidders,
	count(DISTINCT bidder) FILTER (WHERE price < 10000) AS rank1_bidders,
	count(DISTINCT bidder) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bidders,
	count(DISTINCT bidder) FILTER (WHERE price >= 1000000) AS rank3_bidders,
	count(DISTINCT auction) AS total_auctions,
	count(DISTINCT auction) FILTER (WHERE price < 10000) AS rank1_auctions,
	count(DISTINCT auction) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_auctions,
	count(DISTINCT auction) FILTER (WHERE price >= 1000000) AS rank3_auctions`

// oracleSchema has tables for the streams, and what PostgreSQL has no table
// functions for as views.
const oracleSchema = `
	CREATE TABLE bid (auction bigint, bidder bigint, price bigint, channel varchar, url varchar, date_time timestamp(3), extra varchar);
	CREATE TABLE auction (id bigint, item_name varchar, description varchar, initial_bid bigint, reserve bigint, date_time timestamp(3),
		expires timestamp(3), seller bigint, category bigint, extra varchar);
	CREATE TABLE person (id bigint, name varchar, email_address varchar, credit_card varchar, city varchar, state varchar,
		date_time timestamp(3), extra varchar);
	CREATE TABLE side_input (key bigint PRIMARY KEY, value varchar);
	CREATE VIEW tumble_bid AS SELECT *, date_bin('10 s', date_time, 'epoch') AS window_start FROM bid;
	CREATE VIEW tumble_auction AS SELECT *, date_bin('10 s', date_time, 'epoch') AS window_start FROM auction;
	CREATE VIEW tumble_person AS SELECT *, date_bin('10 s', date_time, 'epoch') AS window_start FROM person;
	CREATE VIEW hop_bid AS SELECT bid.*, date_bin('2 s', date_time, 'epoch') - n * interval '2 s' AS window_start
		FROM bid, generate_series(0, 4) n;`

var queries = []query{
	{name: "q0", sql: `SELECT auction, bidder, price, date_time, extra FROM bid`},
	{name: "q1", sql: `SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM bid`},
	{name: "q2", sql: `SELECT auction, price FROM bid WHERE mod(auction, 123) = 0`},
	{name: "q3", sql: `SELECT p.name, p.city, p.state, a.id FROM auction AS a INNER JOIN person AS p ON a.seller = p.id
		WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA')`,
		sink: `name varchar, city varchar, state varchar, id bigint`},
	{name: "q4", sql: `SELECT q.category, avg(q.final) AS final FROM (
			SELECT max(b.price) AS final, a.category FROM auction a, bid b
			WHERE a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires GROUP BY a.id, a.category) q
		GROUP BY q.category`},
	{name: "q5", sql: `SELECT auctionbids.auction, auctionbids.num FROM (
			SELECT auction, count(*) AS num, window_start AS starttime, window_end AS endtime
			FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
			GROUP BY auction, window_start, window_end) AS auctionbids
		JOIN (SELECT max(countbids.num) AS maxn, countbids.starttime, countbids.endtime FROM (
				SELECT count(*) AS num, window_start AS starttime, window_end AS endtime
				FROM TABLE(HOP(TABLE bid, DESCRIPTOR(date_time), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
				GROUP BY auction, window_start, window_end) AS countbids
			GROUP BY countbids.starttime, countbids.endtime) AS maxbids
		ON auctionbids.starttime = maxbids.starttime AND auctionbids.endtime = maxbids.endtime AND auctionbids.num >= maxbids.maxn`,
		oracle: `SELECT auction, num FROM (
			SELECT auction, count(*) AS num, rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) AS r
			FROM hop_bid GROUP BY auction, window_start) c WHERE r = 1`,
		sink: `auction bigint, num bigint`},
	{name: "q6", sql: `SELECT seller, avg(price) OVER (PARTITION BY seller ORDER BY bid_date_time, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price
		FROM (` + winningBids + `) q`},
	{name: "q7", sql: `SELECT b.auction, b.price, b.bidder, b.date_time, b.extra FROM bid b JOIN (
			SELECT max(price) AS maxprice, window_end AS date_time
			FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY window_start, window_end) b1
		ON b.price = b1.maxprice WHERE b.date_time BETWEEN b1.date_time - INTERVAL '10' SECOND AND b1.date_time`,
		oracle: `SELECT b.auction, b.price, b.bidder, b.date_time, b.extra FROM bid b JOIN (
			SELECT max(price) AS maxprice, window_start FROM tumble_bid GROUP BY window_start) b1
		ON b.price = b1.maxprice AND b.date_time BETWEEN b1.window_start AND b1.window_start + interval '10 s'`,
		sink: `auction bigint, price bigint, bidder bigint, date_time timestamp(3), extra varchar`},
	{name: "q8", sql: `SELECT p.id, p.name, p.starttime FROM (
			SELECT id, name, window_start AS starttime, window_end AS endtime
			FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY id, name, window_start, window_end) p
		JOIN (SELECT seller, window_start AS starttime, window_end AS endtime
			FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(date_time), INTERVAL '10' SECOND)) GROUP BY seller, window_start, window_end) a
		ON p.id = a.seller AND p.starttime = a.starttime AND p.endtime = a.endtime`,
		oracle: `SELECT DISTINCT p.id, p.name, p.window_start FROM tumble_person p JOIN tumble_auction a
		ON p.id = a.seller AND p.window_start = a.window_start`,
		sink: `id bigint, name varchar, starttime timestamp(3)`},
	{name: "q9", sql: `SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, category, extra,
			auction, bidder, price, bid_date_time, bid_extra FROM (` + winningBids + `) q`},
	{name: "q10", sql: `SELECT auction, bidder, price, date_time, extra, date_format(date_time, 'yyyy-MM-dd') AS dt, date_format(date_time, 'HH:mm') AS hm FROM bid`,
		oracle: `SELECT auction, bidder, price, date_time, extra, to_char(date_time, 'YYYY-MM-DD'), to_char(date_time, 'HH24:MI') FROM bid`,
		sink:   `auction bigint, bidder bigint, price bigint, date_time timestamp(3), extra varchar, dt varchar, hm varchar`},
	{name: "q11", sql: `SELECT b.bidder, count(*) AS bid_count, SESSION_START(b.date_time, INTERVAL '10' SECOND) AS starttime,
			SESSION_END(b.date_time, INTERVAL '10' SECOND) AS endtime FROM bid b GROUP BY b.bidder, SESSION(b.date_time, INTERVAL '10' SECOND)`,
		oracle: `SELECT bidder, count(*), min(date_time), max(date_time) + interval '10 s' FROM (
			SELECT bidder, date_time, sum(starts) OVER (PARTITION BY bidder ORDER BY date_time RANGE UNBOUNDED PRECEDING) AS session FROM (
				SELECT bidder, date_time, (lag(date_time) OVER (PARTITION BY bidder ORDER BY date_time) + interval '10 s' >= date_time IS NOT TRUE)::int AS starts
				FROM bid) s) s
		GROUP BY bidder, session`,
		sink: `bidder bigint, bid_count bigint, starttime timestamp(3), endtime timestamp(3)`},
	{name: "q12", sql: `SELECT b.bidder, count(*) AS bid_count, TUMBLE_START(b.p_time, INTERVAL '10' SECOND) AS starttime,
			TUMBLE_END(b.p_time, INTERVAL '10' SECOND) AS endtime FROM (SELECT *, proctime() AS p_time FROM bid) b
		GROUP BY b.bidder, TUMBLE(b.p_time, INTERVAL '10' SECOND)`,
		read:   `SELECT bidder, sum(bid_count) FROM q12 WHERE endtime = starttime + INTERVAL '10' SECOND GROUP BY bidder`, // which window is up to the clock
		oracle: `SELECT bidder, count(*) FROM bid GROUP BY bidder`},
	{name: "q13", sql: `SELECT b.auction, b.bidder, b.price, b.date_time, s.value FROM (SELECT *, proctime() AS p_time FROM bid) b
			JOIN side_input FOR SYSTEM_TIME AS OF b.p_time AS s ON mod(b.auction, 10000) = s.key`,
		oracle: `SELECT b.auction, b.bidder, b.price, b.date_time, s.value FROM bid b JOIN side_input s ON mod(b.auction, 10000) = s.key`},
	{name: "q14", sql: `SELECT auction, bidder, 0.908 * price AS price, CASE WHEN hour(date_time) >= 8 AND hour(date_time) <= 18 THEN 'dayTime'
			WHEN hour(date_time) <= 6 OR hour(date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidtimetype,
			date_time, extra, count_char(extra, 'c') AS c_counts
		FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`,
		oracle: `SELECT auction, bidder, 0.908 * price AS price, CASE WHEN extract(hour FROM date_time) BETWEEN 8 AND 18 THEN 'dayTime'
			WHEN extract(hour FROM date_time) <= 6 OR extract(hour FROM date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END,
			date_time, extra, length(extra) - length(replace(extra, 'c', ''))
		FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000`},
	{name: "q15", sql: `SELECT date_format(date_time, 'yyyy-MM-dd') AS day, count(*) AS total_bids, ` + distinctRanks + `
		FROM bid GROUP BY date_format(date_time, 'yyyy-MM-dd')`,
		oracle: `SELECT to_char(date_time, 'YYYY-MM-DD'), count(*), ` + distinctRanks + ` FROM bid GROUP BY 1`},
	{name: "q16", sql: `SELECT channel, date_format(date_time, 'yyyy-MM-dd') AS day, max(date_format(date_time, 'HH:mm')) AS minute,
			count(*) AS total_bids, ` + distinctRanks + `
		FROM bid GROUP BY channel, date_format(date_time, 'yyyy-MM-dd')`,
		oracle: `SELECT channel, to_char(date_time, 'YYYY-MM-DD'), max(to_char(date_time, 'HH24:MI')), count(*), ` + distinctRanks + ` FROM bid GROUP BY 1, 2`},
	{name: "q17", sql: `SELECT auction, date_format(date_time, 'yyyy-MM-dd') AS day, count(*) AS total_bids, ` + ranks + `,
			min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price
		FROM bid GROUP BY auction, date_format(date_time, 'yyyy-MM-dd')`,
		oracle: `SELECT auction, to_char(date_time, 'YYYY-MM-DD'), count(*), ` + ranks + `, min(price), max(price), avg(price), sum(price) FROM bid GROUP BY 1, 2`},
	{name: "q18", sql: `SELECT auction, bidder, price, channel, url, date_time, extra FROM (
			SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY date_time DESC, price, url, extra) AS rank_number FROM bid) r
		WHERE rank_number <= 1`},
	{name: "q19", sql: `SELECT * FROM (
			SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, date_time, bidder, url, extra) AS rank_number FROM bid) r
		WHERE rank_number <= 10`},
	{name: "q20", sql: `SELECT auction, bidder, price, channel, url, b.date_time, b.extra, item_name, description, initial_bid, reserve,
			a.date_time AS auction_date_time, expires, seller, category, a.extra AS auction_extra
		FROM bid AS b INNER JOIN auction AS a ON b.auction = a.id WHERE a.category = 10`},
	{name: "q21", sql: `SELECT auction, bidder, price, channel, CASE WHEN lower(channel) = 'apple' THEN '0' WHEN lower(channel) = 'google' THEN '1'
			WHEN lower(channel) = 'facebook' THEN '2' WHEN lower(channel) = 'baidu' THEN '3'
			ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id
		FROM bid WHERE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) IS NOT NULL OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')`,
		oracle: `SELECT auction, bidder, price, channel, CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1'
			WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3' ELSE (regexp_match(url, '(&|^)channel_id=([^&]*)'))[2] END
		FROM bid WHERE (regexp_match(url, '(&|^)channel_id=([^&]*)'))[2] IS NOT NULL OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')`},
	{name: "q22", sql: `SELECT auction, bidder, price, channel, split_index(url, '/', 3) AS dir1, split_index(url, '/', 4) AS dir2,
			split_index(url, '/', 5) AS dir3 FROM bid`,
		oracle: `SELECT auction, bidder, price, channel, split_part(url, '/', 4), split_part(url, '/', 5), split_part(url, '/', 6) FROM bid`,
		sink:   `auction bigint, bidder bigint, price bigint, channel varchar, dir1 varchar, dir2 varchar, dir3 varchar`},
}
