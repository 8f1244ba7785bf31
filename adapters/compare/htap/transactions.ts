/**
 * The writer's work: transactions derived from TPC-C over the tables of ../sqlite/schema.ts, in its proportions, those that write:
 * new orders, payments, deliveries. (TPC-C Standard Specification 5.11, clause 2; derived, not compliant.)
 *
 * (T1) the n-th transaction follows from the seed and from what the ones before left, so that whoever starts from the same file
 *      has the same database after n of them, in another process, at another time.
 * (T2) each of them commits, and changes the file. Amounts are whole numbers, so that sums are exact in any order.
 * (T3) `violated` looks for what holds after each transaction (TPC-C clause 3.3.2, conditions 1 to 4).
 */
import type { Database, PreparedStatement } from '@sqlite.org/sqlite-wasm';
import { Random } from '../sqlite/random.js';
import { skewed } from '../sqlite/rows.js';
import { type Cardinality, DISTRICTS_PER_WAREHOUSE } from '../sqlite/schema.js';

type Value = string | number | null;

/** Random streams below belong to the generator and the readers. */
const STREAM = 1_000;
const FIRST_DAY = Date.UTC(2012, 0, 1);

const instant = (n: number): string => new Date(FIRST_DAY + n * 1_000).toISOString().slice(0, 19).replace('T', ' ');

export class Transactions {
  /** How many were committed. */
  count = 0;
  private readonly db: Database;
  private readonly random: Random;
  private readonly counts: Cardinality;
  private readonly statements = new Map<string, PreparedStatement>();

  constructor(db: Database, seed: number, counts: Cardinality) {
    this.db = db;
    this.counts = counts;
    this.random = new Random(seed, STREAM);
  }

  /** Runs the next one. */
  next(): void {
    const kind = this.random.below(100);
    this.run('BEGIN IMMEDIATE');
    if (kind < 49) this.newOrder();
    else if (kind < 96) this.payment();
    else this.delivery();
    this.run('COMMIT');
    this.count += 1;
  }

  close(): void {
    for (const statement of this.statements.values()) statement.finalize();
    this.statements.clear();
  }

  private statement(sql: string): PreparedStatement {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }

  private run(sql: string, ...values: readonly Value[]): void {
    const statement = this.statement(sql);
    if (values.length > 0) statement.bind([...values]);
    statement.stepReset();
  }

  /** The first row; throws where there is none. */
  private row(sql: string, ...values: readonly Value[]): Value[] {
    const statement = this.statement(sql);
    if (values.length > 0) statement.bind([...values]);
    try {
      if (!statement.step()) throw new Error(`no row: ${sql} (${values.join(', ')})`);
      return statement.get([]) as Value[];
    } finally {
      statement.reset();
    }
  }

  private customer(): number {
    return skewed(this.random, 1, this.counts.customersPerDistrict);
  }

  private newOrder(): void {
    const { random, counts } = this;
    const warehouse = random.between(1, counts.warehouses);
    const district = random.between(1, DISTRICTS_PER_WAREHOUSE);
    const customer = this.customer();
    const lineCount = random.between(5, 15);
    this.row('SELECT w_tax FROM warehouse WHERE w_id = ?', warehouse);
    this.row(
      'SELECT c_discount FROM customer WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?',
      warehouse,
      district,
      customer,
    );
    const place = [warehouse, district];
    const [order] = this.row('SELECT d_next_o_id FROM district WHERE d_w_id = ? AND d_id = ?', ...place) as [number];
    this.run('UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_w_id = ? AND d_id = ?', ...place);
    const now = instant(this.count);
    this.run('INSERT INTO orders VALUES (?, ?, ?, ?, ?, NULL, ?, 1)', ...place, order, customer, now, lineCount);
    this.run('INSERT INTO new_order VALUES (?, ?, ?)', ...place, order);
    for (let line = 1; line <= lineCount; line += 1) {
      const item = skewed(random, 1, counts.items);
      const quantity = random.between(1, 10);
      const [price] = this.row('SELECT i_price FROM item WHERE i_id = ?', item) as [number];
      const info = `s_dist_${String(district).padStart(2, '0')}`;
      const sql = `SELECT s_quantity, ${info} FROM stock WHERE s_w_id = ? AND s_i_id = ?`;
      const [stock, text] = this.row(sql, warehouse, item) as [number, string];
      const left = stock - quantity >= 10 ? stock - quantity : stock - quantity + 91;
      this.run(
        'UPDATE stock SET s_quantity = ?, s_ytd = s_ytd + ?, s_order_cnt = s_order_cnt + 1 WHERE s_w_id = ? AND s_i_id = ?',
        ...[left, quantity, warehouse, item],
      );
      const amount = Math.round(price) * quantity;
      const values = [...place, order, line, item, warehouse, null, quantity, amount, text];
      this.run('INSERT INTO order_line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', ...values);
    }
  }

  private payment(): void {
    const { random, counts } = this;
    const place = [random.between(1, counts.warehouses), random.between(1, DISTRICTS_PER_WAREHOUSE)];
    const customer = this.customer();
    const amount = random.between(1, 5_000);
    this.run('UPDATE warehouse SET w_ytd = w_ytd + ? WHERE w_id = ?', amount, place[0] as number);
    this.run('UPDATE district SET d_ytd = d_ytd + ? WHERE d_w_id = ? AND d_id = ?', amount, ...place);
    this.run(
      `UPDATE customer SET c_balance = c_balance - ?, c_ytd_payment = c_ytd_payment + ?, c_payment_cnt = c_payment_cnt + 1
        WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?`,
      ...[amount, amount, ...place, customer],
    );
    const [warehouse, district] = place as [number, number];
    const values = [
      customer,
      district,
      warehouse,
      district,
      warehouse,
      instant(this.count),
      amount,
      random.letters(24),
    ];
    this.run('INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)', ...values);
  }

  /** The oldest order of each district of a warehouse. */
  private delivery(): void {
    const { random, counts } = this;
    const warehouse = random.between(1, counts.warehouses);
    const carrier = random.between(1, 10);
    // (T2) Also where nothing is left to be delivered.
    this.run('UPDATE warehouse SET w_name = ? WHERE w_id = ?', random.letters(6, 10), warehouse);
    for (let district = 1; district <= DISTRICTS_PER_WAREHOUSE; district += 1) {
      const place = [warehouse, district];
      const oldest = 'SELECT min(no_o_id) FROM new_order WHERE no_w_id = ? AND no_d_id = ?';
      const [order] = this.row(oldest, ...place) as [number | null];
      if (order === null) continue;
      const key = [...place, order];
      this.run('DELETE FROM new_order WHERE no_w_id = ? AND no_d_id = ? AND no_o_id = ?', ...key);
      const where = 'WHERE o_w_id = ? AND o_d_id = ? AND o_id = ?';
      const [customer] = this.row(`SELECT o_c_id FROM orders ${where}`, ...key) as [number];
      this.run(`UPDATE orders SET o_carrier_id = ? ${where}`, carrier, ...key);
      const lines = 'WHERE ol_w_id = ? AND ol_d_id = ? AND ol_o_id = ?';
      this.run(`UPDATE order_line SET ol_delivery_d = ? ${lines}`, instant(this.count), ...key);
      const [amount] = this.row(`SELECT sum(ol_amount) FROM order_line ${lines}`, ...key) as [number];
      this.run(
        `UPDATE customer SET c_balance = c_balance + ?, c_delivery_cnt = c_delivery_cnt + 1
          WHERE c_w_id = ? AND c_d_id = ? AND c_id = ?`,
        ...[amount, ...place, customer],
      );
    }
  }
}

const CONDITIONS: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'W_YTD = sum(D_YTD)',
    sql: `SELECT count(*) FROM warehouse
      WHERE w_ytd <> (SELECT sum(d_ytd) FROM district WHERE d_w_id = w_id) AND w_id = ?1 AND ?2 > 0`,
  },
  {
    name: 'D_NEXT_O_ID - 1 = max(O_ID)',
    sql: `SELECT count(*) FROM district WHERE d_w_id = ?1 AND d_id = ?2
      AND d_next_o_id - 1 <> (SELECT max(o_id) FROM orders WHERE o_w_id = ?1 AND o_d_id = ?2)`,
  },
  {
    name: 'max(NO_O_ID) - min(NO_O_ID) + 1 = count of the rows',
    sql: `SELECT count(*) FROM (SELECT max(no_o_id) - min(no_o_id) + 1 AS span, count(*) AS rows FROM new_order
      WHERE no_w_id = ?1 AND no_d_id = ?2) WHERE rows > 0 AND span <> rows`,
  },
  {
    name: 'sum(O_OL_CNT) = count of the lines',
    sql: `SELECT (SELECT sum(o_ol_cnt) FROM orders WHERE o_w_id = ?1 AND o_d_id = ?2)
      <> (SELECT count(*) FROM order_line WHERE ol_w_id = ?1 AND ol_d_id = ?2)`,
  },
];

/** (T3) The conditions that do not hold in one district, and its warehouse; districts are counted round from 0. */
export function violated(db: Database, { warehouses }: Cardinality, index: number): string[] {
  const warehouse = 1 + (Math.floor(index / DISTRICTS_PER_WAREHOUSE) % warehouses);
  const district = 1 + (index % DISTRICTS_PER_WAREHOUSE);
  return CONDITIONS.filter(({ sql }) => Number(db.selectValue(sql, [warehouse, district])) !== 0).map(
    ({ name }) => name,
  );
}
