-- Distinct products of each order as dense codes, ordered by customer, time and order. A purchase among the events joins them,
-- those of one customer and day as one order, unless an order line of the day, or the day before or after, holds the product.
-- inputs: order_lines, products, events
-- output: baskets
-- params: customer_id (pseudonym, or empty for everybody)
WITH codes AS (
    SELECT product_id, row_number() OVER (ORDER BY product_id) - 1 AS product
    FROM products
),
bought AS (
    SELECT '+' || CAST(day AS VARCHAR) || customer_id AS order_id, product_id, customer_id, min(ts) AS ts, day
    FROM events
    WHERE action = 'purchase' AND customer_id IS NOT NULL
    AND ($customer_id = '' OR customer_id = $customer_id) AND NOT EXISTS (
        SELECT 1
        FROM order_lines AS line
        WHERE line.customer_id = events.customer_id AND line.product_id = events.product_id
        AND line.day >= events.day - INTERVAL '1' DAY AND line.day <= events.day + INTERVAL '1' DAY
    )
    GROUP BY customer_id, product_id, day
),
lines AS (
    SELECT order_id, product_id, customer_id, ts, day FROM order_lines
    WHERE $customer_id = '' OR customer_id = $customer_id
    UNION ALL
    SELECT order_id, product_id, customer_id, ts, day FROM bought
),
orders AS (
    SELECT order_id, coalesce(min(customer_id), '#' || order_id) AS buyer, min(ts) AS ts, min(day) AS day
    FROM lines
    GROUP BY order_id
),
numbered AS (
    SELECT
        order_id,
        day,
        row_number() OVER (ORDER BY buyer, ts, order_id) - 1 AS basket,
        dense_rank() OVER (ORDER BY buyer) - 1 AS customer
    FROM orders
)
SELECT numbered.basket, codes.product, numbered.customer, numbered.day
FROM (SELECT DISTINCT order_id, product_id FROM lines) AS held
JOIN numbered ON numbered.order_id = held.order_id
JOIN codes ON codes.product_id = held.product_id
ORDER BY numbered.basket, codes.product
