-- Price, margin, stock and promotion of every product, as they stand.
-- inputs: products, order_lines, prices, stock, promotions
-- output: product_facts
-- params: today (the shop's local day, ISO 8601)
WITH priced AS (
    SELECT product_id, price, row_number() OVER (PARTITION BY product_id ORDER BY ts DESC, source, row) AS nth
    FROM prices
),
costed AS (
    SELECT product_id, cost, row_number() OVER (PARTITION BY product_id ORDER BY ts DESC, source, row) AS nth
    FROM prices
    WHERE cost IS NOT NULL
),
counted AS (
    SELECT product_id, units, row_number() OVER (PARTITION BY product_id, store_id ORDER BY ts DESC, source, row) AS nth
    FROM stock
),
held AS (
    SELECT product_id, sum(units) AS units
    FROM counted
    WHERE nth = 1
    GROUP BY product_id
),
latest AS (
    SELECT product_id, max(day) AS day
    FROM order_lines
    GROUP BY product_id
),
sold AS (
    SELECT
        order_lines.product_id,
        CAST(sum(amount + loyalty_discount + coupon_match_discount) / sum(units) AS DECIMAL(18, 4)) AS price
    FROM order_lines
    JOIN latest ON latest.product_id = order_lines.product_id AND latest.day = order_lines.day
    GROUP BY order_lines.product_id
),
running AS (
    SELECT DISTINCT product_id
    FROM promotions
    WHERE first_day <= CAST($today AS DATE) AND first_day + INTERVAL '7' DAY > CAST($today AS DATE)
)
SELECT
    products.product_id,
    coalesce(priced.price, sold.price) AS price,
    CAST(coalesce(priced.price, sold.price) - costed.cost AS DECIMAL(18, 4)) AS margin,
    CAST(held.units AS DECIMAL(18, 3)) AS stock,
    running.product_id IS NOT NULL AS promoted
FROM products
LEFT JOIN priced ON priced.product_id = products.product_id AND priced.nth = 1
LEFT JOIN costed ON costed.product_id = products.product_id AND costed.nth = 1
LEFT JOIN held ON held.product_id = products.product_id
LEFT JOIN sold ON sold.product_id = products.product_id
LEFT JOIN running ON running.product_id = products.product_id
ORDER BY products.product_id
