/**
 * The rows of the CH-benCHmark-derived database, table by table, from one seeded stream: values as TPC-C clause 4.3.3
 * gives them, with counts from `cardinality`.
 */
import type { Random } from './random.js';
import { type Cardinality, DISTRICTS_PER_WAREHOUSE, nationsByRegion, regions } from './schema.js';

export type Row = readonly (string | number | null)[];

export interface Table {
  readonly name: string;
  readonly columnCount: number;
  readonly rows: Iterable<Row>;
}

const SYLLABLES = ['BAR', 'OUGHT', 'ABLE', 'PRI', 'PRES', 'ESE', 'ANTI', 'CALLY', 'ATION', 'EING'];
const NATION_CODES = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const NEW_ORDER_SHARE = 0.3;
const FIRST_DAY = Date.UTC(2007, 0, 1);
const DAYS = 365 * 5;
const DAY_MS = 86_400_000;

export function* tables(random: Random, counts: Cardinality): Generator<Table> {
  yield { name: 'region', columnCount: 3, rows: regionRows(random) };
  yield { name: 'nation', columnCount: 4, rows: nationRows(random) };
  yield { name: 'supplier', columnCount: 7, rows: supplierRows(random, counts) };
  yield { name: 'item', columnCount: 5, rows: itemRows(random, counts) };
  yield { name: 'warehouse', columnCount: 9, rows: warehouseRows(random, counts) };
  yield { name: 'district', columnCount: 11, rows: districtRows(random, counts) };
  yield { name: 'stock', columnCount: 17, rows: stockRows(random, counts) };
  yield { name: 'customer', columnCount: 21, rows: customerRows(random, counts) };
  yield { name: 'history', columnCount: 8, rows: historyRows(random, counts) };
  const orders = orderSheet(random, counts);
  yield { name: 'orders', columnCount: 8, rows: orderRows(orders) };
  yield { name: 'new_order', columnCount: 3, rows: newOrderRows(orders) };
  yield { name: 'order_line', columnCount: 10, rows: orderLineRows(random, counts, orders) };
}

const instant = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
const cents = (random: Random, first: number, last: number): number => random.between(first, last) / 100;
const lastName = (number: number): string =>
  `${SYLLABLES[Math.floor(number / 100) % 10]}${SYLLABLES[Math.floor(number / 10) % 10]}${SYLLABLES[number % 10]}`;

/** Non-uniform choice from first to last, TPC-C clause 2.1.6, with `a` scaled to the range. */
export function skewed(random: Random, first: number, last: number): number {
  const range = last - first + 1;
  const a = 2 ** Math.max(1, Math.floor(Math.log2(range / 12))) - 1;
  return (((random.between(0, a) | random.between(first, last)) + (a >> 1)) % range) + first;
}

function* regionRows(random: Random): Generator<Row> {
  for (const [key, name] of regions.entries()) yield [key, name, random.letters(31, 115)];
}

function* nationRows(random: Random): Generator<Row> {
  const nations = regions.flatMap((region, key) => nationsByRegion[region].map((name) => ({ name, key })));
  for (const [index, { name, key }] of nations.entries()) {
    yield [NATION_CODES.charCodeAt(index), name, key, random.letters(31, 114)];
  }
}

function* supplierRows(random: Random, counts: Cardinality): Generator<Row> {
  for (let key = 0; key < counts.suppliers; key += 1) {
    const nation = NATION_CODES.charCodeAt(random.below(NATION_CODES.length));
    const comment = random.letters(25, 100);
    const complaint = random.below(200) === 0 ? `bad${comment}` : comment;
    const name = `Supplier#${String(key).padStart(9, '0')}`;
    yield [key, name, random.letters(10, 40), nation, random.digits(15), cents(random, -99_999, 999_999), complaint];
  }
}

/** i_data and s_data: one in ten carries the mark that TPC-C asks for. */
function data(random: Random): string {
  const text = random.letters(26, 50);
  if (random.below(10) > 0) return text;
  const start = random.below(text.length - 8);
  return `${text.slice(0, start)}ORIGINAL${text.slice(start + 8)}`;
}

function* itemRows(random: Random, counts: Cardinality): Generator<Row> {
  for (let item = 1; item <= counts.items; item += 1) {
    yield [item, random.between(1, 10_000), random.letters(14, 24), cents(random, 100, 10_000), data(random)];
  }
}

function address(random: Random): string[] {
  const state = `${NATION_CODES[random.below(NATION_CODES.length)]}${random.letters(1)}`;
  return [random.letters(10, 20), random.letters(10, 20), random.letters(10, 20), state, `${random.digits(4)}11111`];
}

function* warehouseRows(random: Random, counts: Cardinality): Generator<Row> {
  for (let warehouse = 1; warehouse <= counts.warehouses; warehouse += 1) {
    yield [warehouse, random.letters(6, 10), ...address(random), random.between(0, 2_000) / 10_000, 300_000];
  }
}

function* districts(counts: Cardinality): Generator<[warehouse: number, district: number]> {
  for (let warehouse = 1; warehouse <= counts.warehouses; warehouse += 1) {
    for (let district = 1; district <= DISTRICTS_PER_WAREHOUSE; district += 1) yield [warehouse, district];
  }
}

function* districtRows(random: Random, counts: Cardinality): Generator<Row> {
  for (const [warehouse, district] of districts(counts)) {
    const tax = random.between(0, 2_000) / 10_000;
    const next = counts.customersPerDistrict + 1;
    yield [warehouse, district, random.letters(6, 10), ...address(random), tax, 30_000, next];
  }
}

function* stockRows(random: Random, counts: Cardinality): Generator<Row> {
  for (let warehouse = 1; warehouse <= counts.warehouses; warehouse += 1) {
    for (let item = 1; item <= counts.items; item += 1) {
      const texts = Array.from({ length: DISTRICTS_PER_WAREHOUSE }, () => random.letters(24));
      const orders = random.between(0, 100);
      yield [warehouse, item, random.between(10, 100), ...texts, 0, orders, random.below(10), data(random)];
    }
  }
}

function* customerRows(random: Random, counts: Cardinality): Generator<Row> {
  for (const [warehouse, district] of districts(counts)) {
    for (let customer = 1; customer <= counts.customersPerDistrict; customer += 1) {
      const name = lastName(customer <= 1_000 ? customer - 1 : skewed(random, 0, 999));
      yield [
        ...[warehouse, district, customer, random.letters(8, 16), 'OE', name, ...address(random), random.digits(16)],
        ...[instant(FIRST_DAY), random.below(10) === 0 ? 'BC' : 'GC', 50_000, random.between(0, 5_000) / 10_000],
        ...[cents(random, -1_000, 10_000), 10, 1, 0, random.letters(300, 500)],
      ];
    }
  }
}

function* historyRows(random: Random, counts: Cardinality): Generator<Row> {
  for (const [warehouse, district] of districts(counts)) {
    for (let customer = 1; customer <= counts.customersPerDistrict; customer += 1) {
      const when = instant(FIRST_DAY + random.below(DAYS) * DAY_MS);
      yield [customer, district, warehouse, district, warehouse, when, 10, random.letters(12, 24)];
    }
  }
}

interface Order {
  readonly warehouse: number;
  readonly district: number;
  readonly id: number;
  readonly customer: number;
  readonly enteredMs: number;
  readonly carrier: number | null;
  readonly lineCount: number;
}

/** One order for nine customers in ten, in random order; the latest 30 % are not delivered yet. */
function orderSheet(random: Random, counts: Cardinality): Order[] {
  const orders: Order[] = [];
  const perDistrict = counts.customersPerDistrict;
  for (const [warehouse, district] of districts(counts)) {
    const customers = random.permutation(perDistrict);
    for (let id = 1; id <= perDistrict; id += 1) {
      // A tenth of the customers have no order (query 22 looks for them), a tenth have two.
      const index = id > perDistrict * 0.9 ? id - Math.ceil(perDistrict * 0.9) : id - 1;
      const delivered = id <= perDistrict * (1 - NEW_ORDER_SHARE);
      const enteredMs = FIRST_DAY + Math.floor(((id + random.below(50)) / (perDistrict + 50)) * DAYS * 86_400) * 1_000;
      const carrier = delivered ? random.between(1, 10) : null;
      orders.push({
        warehouse,
        district,
        id,
        customer: customers[index]! + 1,
        enteredMs,
        carrier,
        lineCount: random.between(5, 15),
      });
    }
  }
  return orders;
}

function* orderRows(orders: readonly Order[]): Generator<Row> {
  for (const { warehouse, district, id, customer, enteredMs, carrier, lineCount } of orders) {
    yield [warehouse, district, id, customer, instant(enteredMs), carrier, lineCount, 1];
  }
}

function* newOrderRows(orders: readonly Order[]): Generator<Row> {
  for (const { warehouse, district, id, carrier } of orders) if (carrier === null) yield [warehouse, district, id];
}

function* orderLineRows(random: Random, counts: Cardinality, orders: readonly Order[]): Generator<Row> {
  for (const { warehouse, district, id, enteredMs, carrier, lineCount } of orders) {
    for (let line = 1; line <= lineCount; line += 1) {
      const item = skewed(random, 1, counts.items);
      const supply = random.below(100) === 0 ? random.between(1, counts.warehouses) : warehouse;
      // Most lines arrive days after the order was entered, some are booked just before it.
      const delivered = carrier === null ? null : instant(enteredMs + random.between(-1, 9) * DAY_MS);
      const amount = cents(random, 1, 999_999);
      yield [warehouse, district, id, line, item, supply, delivered, random.between(1, 10), amount, random.letters(24)];
    }
  }
}
