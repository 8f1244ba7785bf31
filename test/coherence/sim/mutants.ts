/** Broken protocols: each writeback, invalidate and order left out, and each rule, one at a time, in the compiled code. */
import type { Mutation } from '../../sim/coroutines/build.js';

export interface Mutant extends Mutation {
  readonly name: string;
  /** Why it is not caught, where it is not. */
  readonly survives?: string;
}

function of(file: string, name: string, find: string, replace = '', survives?: string): Mutant {
  return { file: `src/coherence/${file}.js`, name, find, replace, ...(survives === undefined ? {} : { survives }) };
}

const WRITEBACKS: readonly Mutant[] = [
  of('host', 'writeback: data', 'lines.writeback(draft.extent, linesOf(bytes.length));'),
  of('records', 'writeback: a record', 'lines.writeback(line, isInside ? 2 : 1);'),
  of('records', 'writeback: the key of a record', 'isInside ? 2 : 1);', '1);'),
  of('host', 'writeback: a key of its own lines', 'lines.writeback(line, count);'),
  of('members', 'writeback: a row', 'this.lines.writeback(this.plan.row(this.self), 1);'),
  of('members', 'writeback: a death', 'lines.writeback(plan.deaths, 1);'),
  of('pins', 'writeback: pins', 'this.lines.writeback(this.plan.pins(this.self) + line, 1);'),
  of('joining', 'writeback: what a former process left', 'lines.writeback(plan.row(self), plan.metadataLines);'),
];

const INVALIDATES: readonly Mutant[] = [
  of('host', 'invalidate: data', 'lines.invalidate(entry.extent, extentLines(entry));'),
  of('records', 'invalidate: a record', 'this.lines.invalidate(this.plan.record(host, position), 1);'),
  of('records', 'invalidate: the key of a record', 'lines.invalidate(where, linesOf(length));\n        lines.order();'),
  of('members', 'invalidate: rows', 'this.lines.invalidate(this.plan.row(host), 1);', ';'),
  of('members', 'invalidate: the deaths', 'lines.invalidate(plan.deaths, 1);'),
  of('pins', 'invalidate: pins', 'this.lines.invalidate(this.plan.pins(host), this.plan.shape.pinLines);'),
];

const ORDERS: readonly Mutant[] = [
  of(
    'host',
    'order: data before its record',
    'linesOf(bytes.length));\n        lines.order();',
    'linesOf(bytes.length));',
  ),
  of('log', 'order: a record', 'this.members.lines.order();'),
  of(
    'look',
    'order: tails dropped before they are read',
    'members.next[host]);\n        members.lines.order();\n        for',
    'members.next[host]);\n        for',
  ),
  of(
    'look',
    'order: further records dropped',
    'records.drop(host, position);\n                members.lines.order();',
    'records.drop(host, position);',
  ),
  of(
    'records',
    'order: a key dropped',
    'lines.invalidate(where, linesOf(length));\n        lines.order();',
    'lines.invalidate(where, linesOf(length));',
  ),
  of(
    'members',
    'order: the deaths dropped',
    'lines.invalidate(plan.deaths, 1);\n            lines.order();',
    'lines.invalidate(plan.deaths, 1);',
  ),
  of(
    'members',
    'order: a death',
    'lines.writeback(plan.deaths, 1);\n        lines.order();',
    'lines.writeback(plan.deaths, 1);',
  ),
  of('members', 'order: rows dropped', 'this.dropRows();\n        this.lines.order();', 'this.dropRows();'),
  of(
    'members',
    'order: a row',
    '1);\n        this.lines.order();\n    }\n    /** This host',
    '1);\n    }\n    /** This host',
  ),
  of(
    'pins',
    'order: pins before the acknowledgement',
    '        this.lines.order();\n        this.changed',
    '        this.changed',
  ),
  of('host', 'order: pins dropped', 'pins.drop(host);\n        lines.order();', 'pins.drop(host);'),
  of('host', 'order: data dropped', 'extentLines(entry));\n            lines.order();', 'extentLines(entry));'),
];

const RULES: readonly Mutant[] = [
  of(
    'host',
    'the record before its data',
    'lines.copyIn(draft.extent, bytes);',
    'log.append({ ...fieldsOf(PAGE, entry), extent: draft.extent, byteLength: bytes.length, dataCheck: dataCheckOf(draft.key, bytes, metadata) });\n        lines.copyIn(draft.extent, bytes);',
  ),
  of('host', 'no look at the deaths after a seal', 'dataCheck });\n        members.readDeaths();', 'dataCheck });'),
  of(
    'host',
    'no look at the deaths after a delete',
    'log.append(fieldsOf(DELETE, entry));\n        members.readDeaths();',
    'log.append(fieldsOf(DELETE, entry));',
  ),
  of(
    'host',
    'no look at the deaths after a copy',
    'page.entry.extent, bytes);\n        this.parts.members.readDeaths();',
    'page.entry.extent, bytes);',
  ),
  of(
    'look',
    'the deaths before the logs',
    'const news = this.fetchAll();\n            members.readDeaths();',
    'members.readDeaths();\n            const news = this.fetchAll();',
  ),
  of(
    'look',
    'news of before a new death count',
    'const isStale = ofHost.length > 0 &&',
    'const isStale = false &&',
    'a host would have to die, come again and die between two looks: found by protocol.test.ts, and in test/model/hostdeaths.ts',
  ),
  of('host', 'a claim without a look', 'look.look();\n            const others', 'const others'),
  of(
    'host',
    'nobody waits for a higher claim',
    "if (others.length === 0)\n                return 'alone';",
    "return 'alone';",
  ),
  of(
    'host',
    'all claims are waited for',
    "state !== 'claim' || host < members.self",
    "state !== 'claim'",
    'nobody is wrong: two of one key wait for each other until both say BUSY',
  ),
  of('host', 'an end is not waited for by all', '(rows[host]?.acks[entry.deletedBy] ?? 0) > entry.deletedAt', 'true'),
  of('host', 'an end is waited for one record too few', '?? 0) > entry.deletedAt', '?? 0) >= entry.deletedAt'),
  of('host', 'pins do not count', '.filter(({ id }) => !pinned.has(id))', '.slice()'),
  of(
    'members',
    'acknowledged before the pins are out',
    'pins.publish();\n        for (const host of this.others)\n            this.storeRow(row.acks + host, this.next[host]);\n        this.storeRow(row.acks + this.self, head);',
    'for (const host of this.others)\n            this.storeRow(row.acks + host, this.next[host]);\n        this.storeRow(row.acks + this.self, head);\n        this.publishRow();\n        pins.publish();',
  ),
  of('members', 'the arbiter is not waited for', 'if (host === ARBITER)\n            return true;', ''),
  of(
    'members',
    'the dead are waited for',
    'isThere && view.incarnation > (this.deaths[host]?.incarnation ?? 0)',
    'isThere',
    'nothing is wrong: space comes back later, when that host comes back',
  ),
  of(
    'members',
    'who joins is not waited for',
    'view.state === JOINING || view.state === JOINED',
    'view.state === JOINED',
  ),
  of(
    'members',
    'a limit after it is said to be one',
    'if (limit !== undefined)\n            lines.store(word + 1, limit);\n        lines.store(word, (incarnation << 1) | (limit === undefined ? 1 : 0));',
    'lines.store(word, (incarnation << 1) | (limit === undefined ? 1 : 0));\n        if (limit !== undefined)\n            lines.store(word + 1, limit);',
  ),
  of('members', 'deaths are never pending', '| (limit === undefined ? 1 : 0)', '| 0'),
  of('joining', 'a limit from before the death is pending', 'const news = look.fetch(host);', 'const news = [];'),
  of('look', 'records beyond a limit count', 'if (record.position >= death.limit)\n                    break;', ''),
  of('look', 'records of a death that is pending count', 'if (death.isPending)\n                    return false;', ''),
  of('look', 'drafts of the dead stay', 'this.directory.voidUnsealed(host, incarnation);'),
  of(
    'look',
    'drafts of the dead go before all of the log was read',
    'if (this.members.next[host] < limit)\n            return false;',
    '',
  ),
  of(
    'directory',
    'what was deleted revives',
    "if (entry.state === 'retired')\n                return;\n            entry.state",
    'entry.state',
  ),
  of(
    'log',
    'lines of keys are given back unread',
    'Math.min(this.publishedTail, this.leastRead(rows))',
    'this.publishedTail',
  ),
  of(
    'log',
    'lines of keys are given back before the tail has passed',
    'Math.min(this.publishedTail, this.leastRead(rows))',
    'this.leastRead(rows)',
  ),
  of('joining', 'lines of keys of a former life are free', 'log.keys.takeAll();'),
  of('log', 'places are written again unread', 'if (old >= least)', 'if (false)'),
  of('log', 'the tail is not published', 'this.members.publishTail(this.tail);'),
  of(
    'log',
    'the tail before a look at the deaths',
    'this.members.readDeaths();\n        this.members.publishTail(this.tail);',
    'this.members.publishTail(this.tail);',
  ),
  of('log', 'who joined since is not looked for', 'this.acknowledged = 0;\n        this.directory', 'this.directory'),
  of(
    'log',
    'pages are not copied forward',
    'return kind === PAGE && !entry.isFreed ? fieldsOf(PAGE, entry) : undefined;',
    'return undefined;',
  ),
  of(
    'log',
    'ends are not copied forward',
    'return entry.ownDelete === position ? fieldsOf(DELETE, entry) : undefined;',
    'return undefined;',
  ),
  of('log', 'drafts are not copied forward', 'return fieldsOf(DRAFT, entry);', 'return undefined;'),
  of(
    'joining',
    'the tails are read once',
    'const tails = this.tails();\n        for',
    'const tails = [...Array(plan.shape.hosts).keys()].map((host) => members.loadRow(host).tail);\n        for',
  ),
  of(
    'joining',
    'its row after the logs',
    'members.enter(Math.max(before.incarnation, dead) + 1, before.tail, this.tails(), tenant);',
    'members.incarnation = Math.max(before.incarnation, dead) + 1;',
  ),
  of('joining', 'nothing is forgotten at the end of a join', 'parts.directory.forgetBelow(host, later[host]);', ';'),
  of(
    'joining',
    'the limit of its death is not waited for',
    'members.deaths[members.self]?.isPending === true',
    'false',
  ),
  of(
    'joining',
    'what lies beyond the limit is taken up',
    'if (this.doesCount(record))\n                continue;',
    'continue;',
  ),
  of(
    'joining',
    'a new life goes on with the old incarnation',
    'Math.max(before.incarnation, dead) + 1',
    'Math.max(before.incarnation, dead, 1)',
  ),
  of(
    'joining',
    'drafts of a former life stay',
    "if (!own.some(({ state }) => state === 'claim' || state === 'draft'))",
    'if (true)',
  ),
  of('joining', 'pins of a former life stay', 'parts.pins.clear();'),
];

export const MUTANTS: readonly Mutant[] = [...WRITEBACKS, ...INVALIDATES, ...ORDERS, ...RULES];
