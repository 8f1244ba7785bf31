/** Hosts that are killed, through the public entry; and what a host tells of pages. */
import { expect } from 'chai';
import { Directory } from '../../src/coherence/directory.js';
import { DELETE, NO_KEY, NO_MORE, PAGE } from '../../src/coherence/records.js';
import { runSoftwareStorm } from './storm.js';

describe('what a host knows', () => {
  it('tells of a page once, however often its record is copied forward', () => {
    const directory = new Directory(0);
    const told: string[] = [];
    directory.onChange = (what) => told.push(what);
    const object = { host: 1, id: 5, extent: 0, byteLength: 9, dataCheck: 0, key: Buffer.from('k'), incarnation: 1 };
    const fields = { ...object, ...NO_MORE };
    for (const position of [6, 90, 170]) directory.note(1, { ...fields, kind: PAGE, position });
    directory.note(0, { ...fields, kind: DELETE, position: 3, key: NO_KEY });
    directory.note(1, { ...fields, kind: PAGE, position: 250 });
    expect(told).to.deep.equal(['sealed', 'deleted']);
  });
});

describe('hosts of an emulated device', () => {
  it('that are killed at random moments lose nothing they were told is sealed, and all space comes back', async () => {
    const { problems, puts, looks, kills, emulation } = await runSoftwareStorm({ seed: 5, kills: 2, pauseMs: 300 });
    expect(problems).to.deep.equal([]);
    expect([kills, emulation]).to.deep.equal([2, 'noncoherent']);
    expect(Math.min(puts, looks)).to.be.above(100);
  });
});
