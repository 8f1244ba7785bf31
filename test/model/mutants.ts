/**
 * Mutations of the models: for every ordering a step left out, two steps exchanged, or a look not taken. Each names the
 * case that it is tried on. `survives` says why the checker has nothing against it, where it has not: then the ordering is
 * not needed for what the model covers, and the reason is part of the claim.
 */
import type { CaseName } from './cases.js';
import { claimMutants } from './hostclaims-cases.js';
import { deathMutants } from './hostdeaths-cases.js';
import { pinMutants } from './hostpins-cases.js';
import { lockMutants } from './softlock-mutants.js';
import type { Mutation } from './world.js';

export interface Mutant extends Mutation {
  readonly on: CaseName;
  readonly survives?: string;
  /** Tried by `npm run model` only: it takes long. */
  readonly isLarge?: true;
}

const exposes = ['hit.expose', 'known.expose', 'probe.expose'];
const raises = ['hit.raise', 'known.raise', 'probe.raise'];
const scans = ['scan.count', 'scan.borrow', 'scan.borrow 2', 'scan.borrow 3'];
const announces = ['log.invalid', 'log.slot', 'log.number'];

const reading: Mutant[] = [
  { name: 'hit: sequence, then hazard', on: 'one key', reorder: ['hit.sequence', 'hit.expose', 'hit.raise'] },
  { name: 'hit: no look at the sequence', on: 'one key', omit: ['hit.sequence'] },
  { name: 'hit: no hazard', on: 'one key', omit: ['hit.expose'] },
  { name: 'no count of the borrow ring', on: 'one key', omit: raises },
  {
    name: 'hit: count, then hazard',
    on: 'one key',
    reorder: ['hit.raise', 'hit.expose'],
    survives: 'both are before the sequence is loaded',
  },
  {
    name: 'probe: state, then hazard',
    on: 'one key',
    reorder: ['probe.state', 'probe.expose', 'probe.raise'],
  },
  {
    name: 'probe: state and entry, then hazard',
    on: 'one key',
    reorder: ['probe.state', 'probe.named', 'probe.expose', 'probe.raise'],
  },
  { name: 'probe: no hazard', on: 'one key', omit: ['probe.expose'] },
  {
    name: 'probe: state not looked at',
    on: 'one key',
    omit: ['probe.state'],
  },
  { name: 'probe: entry not looked at again', on: 'one key', omit: ['probe.named'] },
  {
    name: 'probe: any key will do',
    on: 'two keys',
    flags: ['any key will do'],
    survives: 'one entry is for one key here; in the code two keys may share a tag',
  },
  {
    name: 'probe: any key, entry not looked at again',
    on: 'two keys',
    flags: ['any key will do'],
    omit: ['probe.named'],
  },
  { name: 'probe: a retired page is no answer', on: 'one key', flags: ['retired page is no answer'] },
  { name: 'probe: a retired page is remembered', on: 'one key', flags: ['retired page remembered'] },
  { name: 'probe: a retired page not looked at again', on: 'one key', omit: ['probe.still'] },
  { name: 'miss: publish sequence not looked at', on: 'one key', omit: ['missed.published'] },
  {
    name: 'miss: retire sequence not looked at',
    on: 'one key',
    omit: ['missed.retired'],
    survives: 'who gives the key another page moves the publish sequence too',
  },
  { name: 'miss: neither sequence looked at', on: 'one key', omit: ['missed.published', 'missed.retired'] },
  {
    name: 'remembered under the sequence from after the probe',
    on: 'one key',
    flags: ['remembered under what came after'],
  },
  { name: 'log: record not numbered', on: 'one key', omit: ['record.number', 'record.again'] },
  { name: 'log: number not looked at again', on: 'one key', omit: ['record.again'] },
  {
    name: 'log: number looked at after only',
    on: 'one key',
    omit: ['record.number'],
    survives: 'the second look is the one that tells',
  },
  {
    name: 'log: overrun not noticed',
    on: 'one key',
    flags: ['overrun not noticed'],
    survives: 'the numbers of the records tell (R1)',
  },
  { name: 'pin: not stored', on: 'pins', omit: ['pin.entry'] },
  { name: 'pin: count not stored', on: 'pins', omit: ['pin.high'] },
  {
    name: 'pin: count, then entry',
    on: 'pins',
    reorder: ['pin.high', 'pin.entry'],
    survives: 'the borrow ring exposes the page until both are stored',
  },
];

const writing: Mutant[] = [
  { name: 'scan: pins, then rings', on: 'pins', reorder: ['scan.high', 'scan.pin', ...scans] },
  { name: 'no scan of the borrow rings', on: 'one key', omit: scans },
  { name: 'no scan of the pins', on: 'pins', omit: ['scan.high', 'scan.pin'] },
  { name: 'no fence before the scan', on: 'store buffers', omit: ['scan.fence'] },
  {
    name: 'no fence before the scan, hazards by exchange',
    on: 'store buffers',
    omit: ['scan.fence'],
    flags: ['exchange'],
    survives: 'this is the other way to fence, which SEALPOOL_FENCES=own chooses',
  },
  { name: 'scan, then retire', on: 'one key, deleted', flags: ['scan first'] },
  { name: 'retire: no state', on: 'one key', omit: ['retire.state'] },
  { name: 'retire: not announced', on: 'one key', omit: [...announces, 'log.sequence'] },
  {
    name: 'retire: sequence, then state',
    on: 'two readers',
    reorder: [...announces, 'log.sequence', 'retire.state'],
  },
  {
    name: 'retire: record, then state, then sequence',
    on: 'one key',
    reorder: [...announces, 'retire.state'],
    survives: 'nobody reads a record before its sequence',
  },
  {
    name: 'log: sequence, then record',
    on: 'one key',
    reorder: ['log.sequence', ...announces],
    survives: 'the numbers of the records tell (R1)',
  },
  {
    name: 'log: sequence, then record, not numbered',
    on: 'one key',
    reorder: ['log.sequence', ...announces],
    omit: ['record.number', 'record.again'],
  },
  { name: 'log: number not taken away first', on: 'one key', omit: ['log.invalid'] },
  {
    name: 'log: number, then slot',
    on: 'one key',
    reorder: ['log.number', 'log.slot'],
    survives: 'nobody asks for a number before its sequence, and the one before it was taken away first',
  },
  {
    name: 'supersede: entry, then retire',
    on: 'two readers',
    reorder: ['seal.replace', 'retire.state', ...announces, 'log.sequence'],
  },
  { name: 'supersede: no entry', on: 'one key', omit: ['seal.replace'] },
  {
    name: 'delete: entry, then sequence',
    on: 'two readers, deleted',
    reorder: ['retire.entry', 'log.sequence'],
  },
  { name: 'delete: entry left', on: 'one key, deleted', omit: ['retire.entry'] },
  { name: 'seal: state, then bytes', on: 'one key', reorder: ['seal.state', 'fill'] },
  { name: 'seal: state, then check', on: 'created', reorder: ['seal.state', 'seal.check'] },
  { name: 'seal: state, then publish sequence', on: 'one key', reorder: ['seal.state', 'seal.order'] },
  { name: "seal: shard's publish sequence left", on: 'one key', omit: ['seal.published'] },
  {
    name: 'draft: state, then fields',
    on: 'deaths',
    reorder: ['draft.state', 'draft.fields'],
    survives: 'the check is seeded with the generation, so a cut-off draft is dropped as damaged',
  },
];

const dying: Mutant[] = [
  { name: 'repair: the lock taken, nothing repaired', on: 'deaths', flags: ['dead lock taken as it is'] },
  {
    name: 'repair: sequence not past the ring at all',
    on: 'deaths',
    omit: ['repair.overrun', 'repair.retired', 'repair.again'],
  },
  {
    name: 'repair: sequence not past the ring at first',
    on: 'two readers, deaths',
    omit: ['repair.overrun'],
    isLarge: true,
    survives: 'it goes there again before the lock is given back; a damaged page set free at once is not in the model',
  },
  { name: 'repair: sequence not past the ring after twins', on: 'two readers, deaths', omit: ['repair.retired'] },
  {
    name: 'repair: sequence not past the ring at last',
    on: 'two readers, deaths',
    omit: ['repair.again'],
    isLarge: true,
    survives: 'only a bucket too full for a page makes the repair retire later, which is not in the model',
  },
  { name: 'repair: drafts left', on: 'deaths', omit: ['settle.free'] },
  { name: 'repair: twins left', on: 'deaths', omit: ['twins.retire'] },
  { name: 'repair: entry zeroed, then entered', on: 'deaths', flags: ['entry zeroed first'] },
  { name: 'repair: wrong entries left', on: 'deaths, deleted', omit: ['table.correct'] },
];

const versioned: Mutant[] = [
  {
    name: 'install: sealed, then predecessors end',
    on: 'versions',
    reorder: ['install.state', 'shorten.until', 'shorten.record', 'shorten.sequence'],
  },
  { name: 'install: predecessors go on', on: 'versions', omit: ['shorten.find', 'shorten.until'] },
  { name: 'install: end not logged', on: 'versions', omit: ['shorten.record', 'shorten.sequence'] },
  {
    name: 'install: logged, then ended',
    on: 'versions',
    reorder: ['shorten.record', 'shorten.sequence', 'shorten.until'],
  },
  {
    name: 'install: own end left open',
    on: 'versions',
    omit: ['install.until'],
    survives: 'an open-ended page below a later one is refused before; it is for an end given by the caller',
  },
  { name: 'evict: version not told', on: 'versions, longer', omit: ['retire.told'] },
  {
    name: 'evict: retired, then told',
    on: 'versions, deaths, longer',
    reorder: ['retire.state', 'retire.told'],
    isLarge: true,
  },
  {
    name: 'install: pages that are there are not looked at',
    on: 'versions',
    flags: ['pages that are there are not looked at'],
    survives: 'the later page gives it its end: it is refused because its caller said that it has none',
  },
  { name: 'install: outdated pages are taken', on: 'versions', flags: ['outdated pages are taken'] },
  {
    name: 'refused: predecessors go on',
    on: 'versions of a stripe',
    omit: ['refuse.shorten.find', 'refuse.shorten.until'],
  },
  { name: 'invalidate: version not told', on: 'versions', omit: ['invalidate.told'] },
  { name: 'invalidate: end not stored', on: 'versions', omit: ['invalidate.shorten.find', 'invalidate.shorten.until'] },
];

const small: Mutant[] = [
  { name: 'drop: count, then generation', on: 'drops', reorder: ['drop.count', 'drop.generation'] },
  { name: 'drop: no count', on: 'drops', omit: ['drop.count'] },
  { name: 'drop: of a dead dropper left', on: 'drops', flags: ['pending drop left'] },
  { name: 'drop: generations, then count', on: 'drops', reorder: ['again.generation', 'again.drops'] },
  { name: 'drop: hit without the count', on: 'drops', omit: ['hit.drops'] },
  { name: 'drop: space of a found page not looked at', on: 'drops', flags: ['space not looked at'] },
  {
    name: 'drop: count, then sequence',
    on: 'drops',
    reorder: ['hit.drops', 'hit.sequence'],
    survives: 'a drop that returned is seen by either; in the code the order keeps the compiler from an older read',
  },
  { name: 'lease: source, then count', on: 'leases', reorder: ['lease.source', 'lease.count'] },
  { name: 'lease: not compared', on: 'leases', omit: ['fill.compare'] },
  { name: 'lease: compared, then locked', on: 'leases', reorder: ['fill.compare', 'fill.lock'] },
  { name: 'lease: count not moved', on: 'leases', omit: ['invalidate.count'] },
  {
    name: 'lease: retired, then count moved',
    on: 'leases',
    reorder: ['invalidate.page', 'invalidate.count'],
    survives: 'both happen under the lock; it is for a death between them, after which repair moves every count',
  },
  { name: 'fence: wanted, then the entry gone', on: 'fences', reorder: ['fence.due', 'retire.entry'] },
  { name: 'fence: made, then counted', on: 'fences', reorder: ['fence.look', 'fence.all', 'fence.begun'] },
  { name: 'fence: done, then made', on: 'fences', reorder: ['fence.done', 'fence.all'] },
  { name: 'fence: none', on: 'fences', omit: ['fence.all', 'fence.all 2'] },
  { name: 'light: looked for, then counted', on: 'fences', reorder: ['fence.look', 'fence.begun'] },
  { name: 'light: not said', on: 'fences', omit: ['light.say'] },
  { name: 'light: said no more, then stored once more', on: 'fences', reorder: ['light.unsay', 'light.expose'] },
  { name: 'fence: not waited for', on: 'fences', omit: ['fence.last'] },
  { name: 'join: state, then incarnation', on: 'joins', reorder: ['probe.state', 'join.incarnation'] },
  { name: 'join: state, then rows', on: 'joins', reorder: ['probe.state', 'join.high'] },
  { name: 'join: hazards emptied after the first', on: 'joins', reorder: ['raise', 'join.hazards'] },
  {
    name: 'join: rows, then incarnation',
    on: 'joins',
    reorder: ['join.high', 'join.incarnation'],
    survives: 'both are before the first hazard',
  },
  { name: 'until: low, then high', on: 'until', reorder: ['lower.low', 'lower.high'] },
  { name: 'until: high not looked at again', on: 'until', omit: ['read.again'] },
];

/** Stores that no reader waits for, or loads whose staleness is found out by another. */
const UNFLUSHED_SURVIVORS: Readonly<Record<string, string>> = {
  'draft.state': 'the state SEALED follows in the same line',
  'log.number': 'that the number before was taken away is written back, and whoever meets that forgets the shard',
  'free.state': 'no page is as little there in a free slot as in a retired one',
  'run.end': 'an old count holds memory back and no more',
  'search.sequence': 'an old sequence is found out by the next hit, or before a miss is believed',
  'record.number': 'the number is looked at again',
  'search.published': 'an old one lets a miss be doubted and no more',
  'missed.retired': 'the publish sequence tells as well',
};

/** Steps that share a hazard's line, left unflushed together. */
const GROUPS: readonly (readonly string[])[] = [exposes, raises];

/** The model's writebacks, then its invalidates. Those of the groups stand for the others of their line. */
const FLUSHED: readonly string[] = [
  ...['draft.fields', 'draft.state', 'fill', 'seal.entry', 'seal.state', 'retire.state', ...announces, 'log.sequence'],
  ...['retire.entry', 'seal.replace', 'seal.published', 'free.state', 'run.end'],
  ...['hit.sequence', 'search.sequence', 'record.number', 'record.slot', 'record.again'],
  ...['search.published', 'probe.entry', 'probe.state', 'probe.named', 'probe.still', 'probe.key', 'probe.data'],
  ...['missed.published', 'missed.retired', 'scan.count', 'scan.borrow', 'scan.borrow 2'],
];

/** Every writeback and invalidate of the model of pages left out, one after another. */
function unflushed(): Mutant[] {
  return [...GROUPS, ...FLUSHED.map((name) => [name])].map((steps) => {
    const [first = ''] = steps;
    const reason = UNFLUSHED_SURVIVORS[first];
    const isOfKeys = ['draft.fields', 'probe.key'].includes(first);
    const isOfDeletion = ['retire.entry', 'seal.entry'].includes(first);
    const on = isOfKeys ? 'hosts apart, two keys' : isOfDeletion ? 'hosts apart, deleted' : 'hosts apart';
    return { name: `unflushed: ${first}`, on, unflushed: steps, ...(reason === undefined ? {} : { survives: reason }) };
  });
}

const early: Mutant = {
  name: 'data invalidated, then state',
  on: 'hosts apart',
  reorder: ['probe.data', 'probe.state'],
};

/** A page known of from before is taken under an old sequence: other pages have to be retired while one is looked for. */
const known: Mutant = {
  name: 'unflushed: known.sequence',
  on: 'hosts apart, two keys deleted',
  unflushed: ['known.sequence'],
  isLarge: true,
  survives: 'the hit that was refused exposed the page, and the sequence was looked at since',
};

export const mutants: readonly Mutant[] = [
  ...reading,
  ...writing,
  ...dying,
  ...versioned,
  ...small,
  early,
  known,
  ...unflushed(),
  ...lockMutants,
  ...deathMutants,
  ...pinMutants,
  ...claimMutants,
];
