/**
 * The 22 analytic queries of the CH-benCHmark in SQLite's dialect, from the published specification (R. Cole et al.,
 * DBTest 2011; its TPC-H queries over TPC-C's tables).
 *
 * Simplified, apart from the dialect (`%` for mod, unicode() for ascii(), strftime() for extract()): every result is cut
 * at 100 rows, and orders are made total where the specification leaves ties; the number of suppliers follows the scale;
 * 8 takes items below a tenth of them rather than below 1,000; 11 asks for 0.0005 of the total instead of 0.005, since
 * there are fewer suppliers per nation; 18 asks for 60,000 instead of 200, since every order here exceeds 200; 20
 * takes items whose data begin with c instead of co.
 */
export interface Query {
  /** As numbered in the specification, 1 to 22. */
  readonly number: number;
  readonly sql: string;
}

const orderOfLine = 'ol_w_id = o_w_id AND ol_d_id = o_d_id AND ol_o_id = o_id';
const customerOfOrder = 'c_w_id = o_w_id AND c_d_id = o_d_id AND c_id = o_c_id';
const customerNation = 'unicode(substr(c_state, 1, 1))';
const year = "strftime('%Y', o_entry_d)";

export interface QueryOptions {
  readonly suppliers: number;
  readonly items: number;
}

export function queries(options: QueryOptions): Query[] {
  const supplierOfStock = `(s_w_id * s_i_id) % ${options.suppliers}`;
  const texts = { ...first(supplierOfStock), ...second(supplierOfStock, options.items), ...third(supplierOfStock) };
  return Object.entries(texts).map(([number, text]) => ({ number: Number(number), sql: `${text.trim()}\nLIMIT 100` }));
}

const first = (supplierOfStock: string): Record<number, string> => ({
  1: `SELECT ol_number, sum(ol_quantity), sum(ol_amount), avg(ol_quantity), avg(ol_amount), count(*)
    FROM order_line WHERE ol_delivery_d > '2007-01-02 00:00:00' GROUP BY ol_number ORDER BY ol_number`,
  2: `SELECT su_suppkey, su_name, n_name, i_id, i_name, su_address, su_phone, su_comment
    FROM item, supplier, stock, nation, region,
      (SELECT s_i_id AS m_i_id, min(s_quantity) AS m_s_quantity FROM stock, supplier, nation, region
        WHERE ${supplierOfStock} = su_suppkey AND su_nationkey = n_nationkey AND n_regionkey = r_regionkey
          AND r_name LIKE 'Europ%' GROUP BY s_i_id) AS m
    WHERE i_id = s_i_id AND ${supplierOfStock} = su_suppkey AND su_nationkey = n_nationkey
      AND n_regionkey = r_regionkey AND i_data LIKE '%b' AND r_name LIKE 'Europ%' AND i_id = m_i_id
      AND s_quantity = m_s_quantity ORDER BY n_name, su_name, i_id`,
  3: `SELECT ol_o_id, ol_w_id, ol_d_id, sum(ol_amount) AS revenue, o_entry_d
    FROM customer, new_order, orders, order_line
    WHERE c_state LIKE 'A%' AND ${customerOfOrder} AND no_w_id = o_w_id AND no_d_id = o_d_id AND no_o_id = o_id
      AND ${orderOfLine} AND o_entry_d > '2007-01-02 00:00:00'
    GROUP BY ol_o_id, ol_w_id, ol_d_id, o_entry_d ORDER BY revenue DESC, o_entry_d, ol_o_id, ol_w_id, ol_d_id`,
  4: `SELECT o_ol_cnt, count(*) FROM orders
    WHERE o_entry_d >= '2007-01-02 00:00:00' AND o_entry_d < '2012-01-02 00:00:00'
      AND EXISTS (SELECT * FROM order_line WHERE ${orderOfLine} AND ol_delivery_d >= o_entry_d)
    GROUP BY o_ol_cnt ORDER BY o_ol_cnt`,
  5: `SELECT n_name, sum(ol_amount) AS revenue
    FROM customer, orders, order_line, stock, supplier, nation, region
    WHERE ${customerOfOrder} AND ${orderOfLine} AND ol_w_id = s_w_id AND ol_i_id = s_i_id
      AND ${supplierOfStock} = su_suppkey AND ${customerNation} = su_nationkey AND su_nationkey = n_nationkey
      AND n_regionkey = r_regionkey AND r_name = 'Europe' AND o_entry_d >= '2007-01-02 00:00:00'
    GROUP BY n_name ORDER BY revenue DESC, n_name`,
  6: `SELECT sum(ol_amount) AS revenue FROM order_line
    WHERE ol_delivery_d >= '1999-01-01 00:00:00' AND ol_delivery_d < '2020-01-01 00:00:00'
      AND ol_quantity BETWEEN 1 AND 100000`,
  7: `SELECT su_nationkey, substr(c_state, 1, 1) AS cust_nation, ${year} AS l_year, sum(ol_amount) AS revenue
    FROM supplier, stock, order_line, orders, customer, nation n1, nation n2
    WHERE ol_supply_w_id = s_w_id AND ol_i_id = s_i_id AND ${supplierOfStock} = su_suppkey AND ${orderOfLine}
      AND ${customerOfOrder} AND su_nationkey = n1.n_nationkey AND ${customerNation} = n2.n_nationkey
      AND ((n1.n_name = 'Germany' AND n2.n_name = 'Cambodia') OR (n1.n_name = 'Cambodia' AND n2.n_name = 'Germany'))
      AND ol_delivery_d BETWEEN '2007-01-02 00:00:00' AND '2012-01-02 00:00:00'
    GROUP BY su_nationkey, cust_nation, l_year ORDER BY su_nationkey, cust_nation, l_year`,
});

const second = (supplierOfStock: string, items: number): Record<number, string> => ({
  8: `SELECT ${year} AS l_year, sum(CASE WHEN n2.n_name = 'Germany' THEN ol_amount ELSE 0 END) / sum(ol_amount)
    FROM item, supplier, stock, order_line, orders, customer, nation n1, nation n2, region
    WHERE i_id = s_i_id AND ol_i_id = s_i_id AND ol_supply_w_id = s_w_id AND ${supplierOfStock} = su_suppkey
      AND ${orderOfLine} AND ${customerOfOrder} AND n1.n_nationkey = ${customerNation}
      AND n1.n_regionkey = r_regionkey AND ol_i_id < ${Math.ceil(items / 10)} AND r_name = 'Europe'
      AND su_nationkey = n2.n_nationkey AND o_entry_d BETWEEN '2007-01-02 00:00:00' AND '2012-01-02 00:00:00'
      AND i_data LIKE '%b' AND i_id = ol_i_id
    GROUP BY l_year ORDER BY l_year`,
  9: `SELECT n_name, ${year} AS l_year, sum(ol_amount) AS sum_profit
    FROM item, stock, supplier, order_line, orders, nation
    WHERE ol_i_id = s_i_id AND ol_supply_w_id = s_w_id AND ${supplierOfStock} = su_suppkey AND ${orderOfLine}
      AND ol_i_id = i_id AND su_nationkey = n_nationkey AND i_data LIKE '%BB'
    GROUP BY n_name, l_year ORDER BY n_name, l_year DESC`,
  10: `SELECT c_id, c_last, sum(ol_amount) AS revenue, c_city, c_phone, n_name
    FROM customer, orders, order_line, nation
    WHERE ${customerOfOrder} AND ${orderOfLine} AND o_entry_d >= '2007-01-02 00:00:00' AND o_entry_d <= ol_delivery_d
      AND n_nationkey = ${customerNation}
    GROUP BY c_id, c_last, c_city, c_phone, n_name ORDER BY revenue DESC, c_id, c_phone`,
  11: `SELECT s_i_id, sum(s_order_cnt) AS ordercount FROM stock, supplier, nation
    WHERE ${supplierOfStock} = su_suppkey AND su_nationkey = n_nationkey AND n_name = 'Germany' GROUP BY s_i_id
    HAVING sum(s_order_cnt) > (SELECT sum(s_order_cnt) * .0005 FROM stock, supplier, nation
      WHERE ${supplierOfStock} = su_suppkey AND su_nationkey = n_nationkey AND n_name = 'Germany')
    ORDER BY ordercount DESC, s_i_id`,
  12: `SELECT o_ol_cnt, sum(CASE WHEN o_carrier_id = 1 OR o_carrier_id = 2 THEN 1 ELSE 0 END),
      sum(CASE WHEN o_carrier_id <> 1 AND o_carrier_id <> 2 THEN 1 ELSE 0 END)
    FROM orders, order_line
    WHERE ${orderOfLine} AND o_entry_d <= ol_delivery_d AND ol_delivery_d < '2020-01-01 00:00:00'
    GROUP BY o_ol_cnt ORDER BY o_ol_cnt`,
  13: `SELECT c_count, count(*) AS custdist FROM (SELECT c_id, count(o_id) AS c_count
      FROM customer LEFT OUTER JOIN orders ON (${customerOfOrder} AND o_carrier_id > 8) GROUP BY c_id)
    GROUP BY c_count ORDER BY custdist DESC, c_count DESC`,
  14: `SELECT 100.00 * sum(CASE WHEN i_data LIKE 'PR%' THEN ol_amount ELSE 0 END) / (1 + sum(ol_amount))
    FROM order_line, item
    WHERE ol_i_id = i_id AND ol_delivery_d >= '2007-01-02 00:00:00' AND ol_delivery_d < '2020-01-02 00:00:00'`,
  15: `WITH revenue AS (SELECT ${supplierOfStock} AS supplier_no, sum(ol_amount) AS total_revenue
      FROM order_line, stock WHERE ol_i_id = s_i_id AND ol_supply_w_id = s_w_id
        AND ol_delivery_d >= '2007-01-02 00:00:00' GROUP BY supplier_no)
    SELECT su_suppkey, su_name, su_address, su_phone, total_revenue FROM supplier, revenue
    WHERE su_suppkey = supplier_no AND total_revenue = (SELECT max(total_revenue) FROM revenue) ORDER BY su_suppkey`,
});

const third = (supplierOfStock: string): Record<number, string> => ({
  16: `SELECT i_name, substr(i_data, 1, 3) AS brand, i_price, count(DISTINCT ${supplierOfStock}) AS supplier_cnt
    FROM stock, item
    WHERE i_id = s_i_id AND i_data NOT LIKE 'zz%'
      AND ${supplierOfStock} NOT IN (SELECT su_suppkey FROM supplier WHERE su_comment LIKE '%bad%')
    GROUP BY i_name, brand, i_price ORDER BY supplier_cnt DESC, i_name, i_price`,
  17: `SELECT sum(ol_amount) / 2.0 AS avg_yearly FROM order_line,
      (SELECT i_id, avg(ol_quantity) AS a FROM item, order_line WHERE i_data LIKE '%b' AND ol_i_id = i_id
        GROUP BY i_id) AS t
    WHERE ol_i_id = t.i_id AND ol_quantity < t.a`,
  18: `SELECT c_last, c_id, o_id, o_entry_d, o_ol_cnt, sum(ol_amount) AS amount FROM customer, orders, order_line
    WHERE ${customerOfOrder} AND ${orderOfLine}
    GROUP BY o_id, o_w_id, o_d_id, c_id, c_last, o_entry_d, o_ol_cnt HAVING sum(ol_amount) > 60000
    ORDER BY amount DESC, o_entry_d, o_id, o_w_id, o_d_id`,
  19: `SELECT sum(ol_amount) AS revenue FROM order_line, item
    WHERE ol_i_id = i_id AND ol_quantity BETWEEN 1 AND 10 AND i_price BETWEEN 1 AND 400000
      AND ((i_data LIKE '%a' AND ol_w_id IN (1, 2, 3)) OR (i_data LIKE '%b' AND ol_w_id IN (1, 2, 4))
        OR (i_data LIKE '%c' AND ol_w_id IN (1, 5, 3)))`,
  20: `SELECT su_name, su_address FROM supplier, nation
    WHERE su_suppkey IN (SELECT ${supplierOfStock} FROM stock, order_line
        WHERE s_i_id IN (SELECT i_id FROM item WHERE i_data LIKE 'c%') AND ol_i_id = s_i_id
          AND ol_delivery_d > '2010-05-23 12:00:00'
        GROUP BY s_i_id, s_w_id, s_quantity HAVING 2 * s_quantity > sum(ol_quantity))
      AND su_nationkey = n_nationkey AND n_name = 'Germany' ORDER BY su_name`,
  21: `SELECT su_name, count(*) AS numwait FROM supplier, order_line l1, orders, stock, nation
    WHERE l1.ol_w_id = o_w_id AND l1.ol_d_id = o_d_id AND l1.ol_o_id = o_id AND l1.ol_w_id = s_w_id
      AND l1.ol_i_id = s_i_id AND ${supplierOfStock} = su_suppkey AND l1.ol_delivery_d > o_entry_d
      AND NOT EXISTS (SELECT * FROM order_line l2 WHERE l2.ol_o_id = l1.ol_o_id AND l2.ol_w_id = l1.ol_w_id
        AND l2.ol_d_id = l1.ol_d_id AND l2.ol_delivery_d > l1.ol_delivery_d)
      AND su_nationkey = n_nationkey AND n_name = 'Germany'
    GROUP BY su_name ORDER BY numwait DESC, su_name`,
  22: `SELECT substr(c_state, 1, 1) AS country, count(*) AS numcust, sum(c_balance) AS totacctbal FROM customer
    WHERE substr(c_phone, 1, 1) IN ('1', '2', '3', '4', '5', '6', '7')
      AND c_balance > (SELECT avg(c_balance) FROM customer WHERE c_balance > 0.00
        AND substr(c_phone, 1, 1) IN ('1', '2', '3', '4', '5', '6', '7'))
      AND NOT EXISTS (SELECT * FROM orders WHERE ${customerOfOrder})
    GROUP BY country ORDER BY country`,
});
