-- How much the order lines hold, and when something last happened.
-- inputs: order_lines, events, stock
-- output: coverage
-- params:
SELECT
    min(day) AS first_day,
    max(day) AS last_day,
    greatest(max(ts), (SELECT max(ts) FROM events), (SELECT max(ts) FROM stock)) AS last_ts,
    count(*) AS lines,
    count(DISTINCT order_id) AS orders,
    count(DISTINCT customer_id) AS customers,
    count(DISTINCT product_id) AS products
FROM order_lines
