import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { expect } from 'chai';
import { atEnd } from '../../cache/pools.js';
import { fetchText, makeHost, until } from './hosts.js';
import { freePort, program, startServer } from './server.js';

/** A server without TLS does not know the option; one with it misses the certificate. */
const without = ['--port', '0', '--tls-port', '1', '--tls-cert-file', '/nonexistent'];
const hasTls =
  program !== undefined &&
  spawnSync('openssl', ['version']).status === 0 &&
  spawnSync(program, without, { encoding: 'utf8', timeout: 5000 }).stdout.includes('TLS');

/** A certificate of our own for 127.0.0.1, and its key. */
function makeCertificate(): { key: string; certificate: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sealpool-tls-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const [key, certificate] = [join(folder, 'key'), join(folder, 'certificate')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    ...subject,
    '-keyout',
    key,
    '-out',
    certificate,
  ]);
  return { key, certificate };
}

if (hasTls) {
  describe('a tier behind TLS', () => {
    it('is used by who trusts its certificate, and gone on without by who does not', async () => {
      const { key, certificate } = makeCertificate();
      const port = await freePort();
      const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate];
      await startServer('--tls-port', String(port), ...files, '--tls-auth-clients', 'no');
      const socket = { host: '127.0.0.1', port, tls: true as const };
      const ca = readFileSync(certificate);
      const connect = (settings: object) => createClient({ socket: { ...socket, ca }, ...settings });
      const [one, other] = [await makeHost('', { connect }), await makeHost('', { connect })];
      expect(await fetchText(one, 'key', () => 'value')).to.equal('value');
      expect(await fetchText(other, 'key', () => 'never')).to.equal('value');
      await one.cache.delete('key');
      await until(() => !other.cache.has('key'));
      const untrusting = await makeHost('', {
        connect: (settings) => createClient({ socket, ...settings }),
        requestTimeoutMs: 200,
      });
      expect(await fetchText(untrusting, 'key', () => 'its own')).to.equal('its own');
      expect(untrusting.cache.stats().channel.isVouched).to.equal(false);
    });
  });
}
