-- How much the order lines hold.
-- inputs: order_lines
-- output: coverage
-- params:
SELECT
    min(day) AS first_day,
    max(day) AS last_day,
    max(ts) AS last_ts,
    count(*) AS lines,
    count(DISTINCT order_id) AS orders,
    count(DISTINCT customer_id) AS customers,
    count(DISTINCT product_id) AS products
FROM order_lines
