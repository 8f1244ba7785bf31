/**
 * The tables of the CH-benCHmark-derived database: TPC-C's nine, and supplier, nation and region as in TPC-H, with the
 * links between them that the CH-benCHmark specification gives (a supplier of a stock row is warehouse × item modulo
 * the number of suppliers; the nation of a customer is the code of the first letter of its state).
 *
 * Source: R. Cole et al., 'The mixed workload CH-benCHmark', DBTest 2011; TPC-C Standard Specification 5.11, clauses 1
 * and 4.3. Derived, not compliant: the cardinalities per warehouse are scaled, and amounts are plain REAL.
 */

/** Rows per warehouse at scale 1, from TPC-C clause 1.2. */
const ITEMS = 100_000;
const CUSTOMERS_PER_DISTRICT = 3_000;
const SUPPLIERS = 10_000;
export const DISTRICTS_PER_WAREHOUSE = 10;

export interface Cardinality {
  readonly warehouses: number;
  readonly items: number;
  readonly customersPerDistrict: number;
  readonly suppliers: number;
}

/** `scale` is the share of the specification's rows per warehouse, above 0. */
export function cardinality(scale: number): Cardinality {
  const scaled = (rows: number): number => Math.max(10, Math.round(rows * scale));
  return {
    warehouses: 2,
    items: scaled(ITEMS),
    customersPerDistrict: scaled(CUSTOMERS_PER_DISTRICT),
    suppliers: scaled(SUPPLIERS),
  };
}

export const schema = `
CREATE TABLE warehouse (
  w_id INTEGER PRIMARY KEY, w_name TEXT, w_street_1 TEXT, w_street_2 TEXT, w_city TEXT, w_state TEXT, w_zip TEXT,
  w_tax REAL, w_ytd REAL);
CREATE TABLE district (
  d_w_id INTEGER, d_id INTEGER, d_name TEXT, d_street_1 TEXT, d_street_2 TEXT, d_city TEXT, d_state TEXT, d_zip TEXT,
  d_tax REAL, d_ytd REAL, d_next_o_id INTEGER, PRIMARY KEY (d_w_id, d_id)) WITHOUT ROWID;
CREATE TABLE item (i_id INTEGER PRIMARY KEY, i_im_id INTEGER, i_name TEXT, i_price REAL, i_data TEXT);
CREATE TABLE stock (
  s_w_id INTEGER, s_i_id INTEGER, s_quantity INTEGER, s_dist_01 TEXT, s_dist_02 TEXT, s_dist_03 TEXT, s_dist_04 TEXT,
  s_dist_05 TEXT, s_dist_06 TEXT, s_dist_07 TEXT, s_dist_08 TEXT, s_dist_09 TEXT, s_dist_10 TEXT, s_ytd INTEGER,
  s_order_cnt INTEGER, s_remote_cnt INTEGER, s_data TEXT, PRIMARY KEY (s_w_id, s_i_id)) WITHOUT ROWID;
CREATE TABLE customer (
  c_w_id INTEGER, c_d_id INTEGER, c_id INTEGER, c_first TEXT, c_middle TEXT, c_last TEXT, c_street_1 TEXT,
  c_street_2 TEXT, c_city TEXT, c_state TEXT, c_zip TEXT, c_phone TEXT, c_since TEXT, c_credit TEXT, c_credit_lim REAL,
  c_discount REAL, c_balance REAL, c_ytd_payment REAL, c_payment_cnt INTEGER, c_delivery_cnt INTEGER, c_data TEXT,
  PRIMARY KEY (c_w_id, c_d_id, c_id)) WITHOUT ROWID;
CREATE TABLE history (
  h_c_id INTEGER, h_c_d_id INTEGER, h_c_w_id INTEGER, h_d_id INTEGER, h_w_id INTEGER, h_date TEXT, h_amount REAL,
  h_data TEXT);
CREATE TABLE orders (
  o_w_id INTEGER, o_d_id INTEGER, o_id INTEGER, o_c_id INTEGER, o_entry_d TEXT, o_carrier_id INTEGER, o_ol_cnt INTEGER,
  o_all_local INTEGER, PRIMARY KEY (o_w_id, o_d_id, o_id)) WITHOUT ROWID;
CREATE TABLE new_order (
  no_w_id INTEGER, no_d_id INTEGER, no_o_id INTEGER, PRIMARY KEY (no_w_id, no_d_id, no_o_id)) WITHOUT ROWID;
CREATE TABLE order_line (
  ol_w_id INTEGER, ol_d_id INTEGER, ol_o_id INTEGER, ol_number INTEGER, ol_i_id INTEGER, ol_supply_w_id INTEGER,
  ol_delivery_d TEXT, ol_quantity INTEGER, ol_amount REAL, ol_dist_info TEXT,
  PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number)) WITHOUT ROWID;
CREATE TABLE supplier (
  su_suppkey INTEGER PRIMARY KEY, su_name TEXT, su_address TEXT, su_nationkey INTEGER, su_phone TEXT, su_acctbal REAL,
  su_comment TEXT);
CREATE TABLE nation (n_nationkey INTEGER PRIMARY KEY, n_name TEXT, n_regionkey INTEGER, n_comment TEXT);
CREATE TABLE region (r_regionkey INTEGER PRIMARY KEY, r_name TEXT, r_comment TEXT);
`;

/** Made after the rows, as a bulk load does. */
export const indexes = `
CREATE INDEX customer_name ON customer (c_w_id, c_d_id, c_last, c_first);
CREATE INDEX orders_customer ON orders (o_w_id, o_d_id, o_c_id, o_id);
CREATE INDEX supplier_nation ON supplier (su_nationkey);
`;

export const regions = ['Africa', 'America', 'Asia', 'Australia', 'Europe'] as const;

/** 62 nations by region, for the 62 codes of 0-9, A-Z and a-z. */
export const nationsByRegion: Readonly<Record<(typeof regions)[number], readonly string[]>> = {
  Africa: 'Algeria Angola Botswana Cameroon Egypt Ethiopia Ghana Kenya Madagascar Morocco Nigeria Tunisia'.split(' '),
  America: 'Argentina Bolivia Brazil Canada Chile Colombia Cuba Ecuador Jamaica Mexico Panama Peru Venezuela'.split(
    ' ',
  ),
  Asia: 'Bangladesh Cambodia China India Indonesia Iran Japan Jordan Laos Malaysia Mongolia Nepal Vietnam'.split(' '),
  Australia: ['Australia', 'Fiji', 'Kiribati', 'Nauru', 'New Zealand', 'Samoa', 'Tonga', 'Tuvalu', 'Vanuatu'],
  Europe:
    'Austria Belgium Croatia Denmark Finland France Germany Greece Hungary Ireland Italy Norway Poland Portugal Spain'.split(
      ' ',
    ),
};
