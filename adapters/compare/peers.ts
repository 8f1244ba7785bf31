/**
 * The optional packages: whether they are there, and the line that installs them.
 *
 * (O1) versions are read from this package's own package.json, so that the line always names what was tested.
 */
import { readFileSync } from 'node:fs';

export type PeerName = '@sqlite.org/sqlite-wasm' | 'echarts';

/** Resolved from this package, as its own imports are. */
export function peerInstalled(name: PeerName): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** For example: npm install echarts@6.1.0 */
export function installLine(name: PeerName): string {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    peerDependencies?: Record<string, string>;
  };
  const version = manifest.peerDependencies?.[name]?.replace(/^[\^~]/, '');
  return version === undefined ? `npm install ${name}` : `npm install ${name}@${version}`;
}
