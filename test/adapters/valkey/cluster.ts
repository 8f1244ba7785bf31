/** A cluster of our own: three primaries with a replica each. */
import { createCluster } from '@redis/client';
import { until } from './hosts.js';
import { type Server, startServer } from './server.js';

const PRIMARIES = 3;
const SLOTS = 16_384;

export interface Cluster {
  readonly servers: readonly Server[];
  /** Who has the slot of the key now. */
  primaryOf(key: string): Server;
  connect(settings: object): ReturnType<typeof createCluster>;
}

function isSettled(server: Server): boolean {
  const info = server.cli('CLUSTER', 'INFO');
  return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${2 * PRIMARIES}`);
}

export async function startCluster(): Promise<Cluster> {
  const settings = [
    '--cluster-enabled',
    'yes',
    '--cluster-node-timeout',
    '1500',
    '--cluster-replica-validity-factor',
    '0',
  ];
  const servers: Server[] = [];
  for (let i = 0; i < 2 * PRIMARIES; i++) servers.push(await startServer(...settings));
  const idOf = (server: Server) => server.cli('CLUSTER', 'MYID').trim();
  const [first] = servers as [Server];
  for (const [i, server] of servers.entries()) {
    server.cli('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1));
    if (server !== first) server.cli('CLUSTER', 'MEET', '127.0.0.1', String(first.port));
  }
  for (let i = 0; i < PRIMARIES; i++) {
    const [from, to] = [Math.floor((SLOTS * i) / PRIMARIES), Math.floor((SLOTS * (i + 1)) / PRIMARIES) - 1];
    servers[i]?.cli('CLUSTER', 'ADDSLOTSRANGE', String(from), String(to));
  }
  await until(() => servers.every((server) => server.cli('CLUSTER', 'INFO').includes('cluster_known_nodes:6')));
  for (let i = 0; i < PRIMARIES; i++) {
    const [primary, replica] = [servers[i] as Server, servers[PRIMARIES + i] as Server];
    await until(() => replica.cli('CLUSTER', 'REPLICATE', idOf(primary)).startsWith('OK'));
  }
  await until(() => servers.every(isSettled));
  await until(() =>
    servers.slice(PRIMARIES).every((server) => server.cli('INFO', 'replication').includes('link_status:up')),
  );
  const rootNodes = servers.map(({ url }) => ({ url }));
  return {
    servers,
    primaryOf(key) {
      const living = servers.find((server) => server.cli('PING').startsWith('PONG')) as Server;
      const slot = Number(living.cli('CLUSTER', 'KEYSLOT', key));
      for (const line of living.cli('CLUSTER', 'NODES').split('\n')) {
        const [, address = '', flags = '', , , , , , ...ranges] = line.split(' ');
        const isOf = ranges.some((range) => {
          const [from, to = from] = range.split('-').map(Number);
          return slot >= (from as number) && slot <= (to as number);
        });
        const port = Number(/:(\d+)@/.exec(address)?.[1]);
        if (flags.includes('master') && !flags.includes('fail') && isOf)
          return servers.find((server) => server.port === port) as Server;
      }
      throw new Error(`Nobody has slot ${slot}.`);
    },
    connect: (settings) => createCluster({ rootNodes, defaults: settings, minimizeConnections: true }),
  };
}
