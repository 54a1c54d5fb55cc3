-- Shelf, loyalty and paid price of one unit, per order line.
-- inputs: order_lines
-- output: unit_prices
-- params:
SELECT
    source,
    row,
    product_id,
    day,
    CAST((amount + loyalty_discount + coupon_match_discount) / units AS DECIMAL(18, 4)) AS shelf,
    CAST((amount + coupon_match_discount) / units AS DECIMAL(18, 4)) AS loyalty,
    CAST((amount - coupon_discount) / units AS DECIMAL(18, 4)) AS paid
FROM order_lines
ORDER BY source, row
