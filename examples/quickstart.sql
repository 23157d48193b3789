-- Loaded by `make run` into a new data folder: a stream of auction bids, a
-- windowed aggregate that can be queried at any moment, and a job that writes
-- JSON files. Connect with psql and look around:
--
--   SELECT * FROM bids_per_window ORDER BY window_start DESC, bids DESC LIMIT 10;
--   SHOW JOBS;
--   SELECT * FROM millrace.checkpoints;

-- Twenty thousand auction events a second, for ever: the Nexmark generator.
CREATE SOURCE bid (
  auction bigint, bidder bigint, price bigint, channel varchar, url varchar,
  date_time timestamp(3), extra varchar,
  WATERMARK FOR date_time AS date_time - INTERVAL '1' SECOND
) WITH (connector = 'nexmark', stream = 'bid', event_rate = '20000', rows_per_second = '20000');

-- How much is bid on each channel, in windows of ten seconds. The view always
-- shows the newest state and survives restarts.
CREATE MATERIALIZED VIEW bids_per_window WITH (checkpoint_interval = '5s') AS
SELECT window_start, window_end, channel, count(*) AS bids, avg(price) AS average_price, max(price) AS highest_price
FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND)
WHERE channel IN ('Apple', 'Google', 'Facebook', 'Baidu')
GROUP BY window_start, window_end, channel;

-- The same kind of figures as files: each appears once, with the checkpoint
-- that covers it, whatever happens in between.
CREATE SINK bidder_files (
  window_end timestamp(3), bidder bigint, bids bigint, spent numeric
) WITH (connector = 'object', path = 'file:///${MILLRACE_DATA}/output/bidders', format = 'json');

CREATE JOB busy_bidders WITH (checkpoint_interval = '5s') AS
INSERT INTO bidder_files
SELECT window_end, bidder, count(*), sum(price)
FROM TUMBLE(bid, date_time, INTERVAL '10' SECOND)
GROUP BY window_start, window_end, bidder
HAVING count(*) >= 100;
