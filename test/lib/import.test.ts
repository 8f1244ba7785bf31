import { spawnSync } from 'node:child_process';
import { expect } from 'chai';

const PACKAGE = new URL('../../src/index.js', import.meta.url).href;

/** Runs the statements, then imports the package and prints the code and the message that `connect` throws. */
function connectAfter(statements: string): [code: string, message: string] {
  const program = `${statements}
    import(${JSON.stringify(PACKAGE)})
      .then(({ connect }) => connect('/dev/shm/sealpool-import-test'))
      .then(() => console.log('[]'), (error) => console.log(JSON.stringify([error.code, error.message])));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { encoding: 'utf8' });
  expect(stderr).to.equal('');
  return JSON.parse(stdout) as [string, string];
}

describe('importing the package', () => {
  it('never throws: on another system connect says UNSUPPORTED', () => {
    const [code, message] = connectAfter("Object.defineProperty(process, 'platform', { value: 'sunos' });");
    expect(code).to.equal('UNSUPPORTED');
    expect(message).to.match(/This system is sunos on/);
  });

  it('never throws: where the native part of koffi was not installed, connect says so', () => {
    const [code, message] = connectAfter(`
      const Module = require('node:module');
      const load = Module._load;
      Module._load = (name, ...rest) => {
        if (name === 'koffi') throw new Error('Cannot find the native Koffi module');
        return load(name, ...rest);
      };`);
    expect(code).to.equal('UNSUPPORTED');
    expect(message)
      .to.match(/npm may have left out the native part of koffi/)
      .and.contain('--external:koffi');
  });

  it('never throws: in a bundle without koffi, or one that does not know where it lies, connect says what to mark as external', () => {
    const failing = (code: string, text: string) =>
      connectAfter(`
      const Module = require('node:module');
      const load = Module._load;
      Module._load = (name, ...rest) => {
        if (name === 'koffi') throw Object.assign(new Error(${JSON.stringify(text)}), { code: '${code}' });
        return load(name, ...rest);
      };`);
    const absent = failing('MODULE_NOT_FOUND', "Cannot find module 'koffi'");
    const placeless = failing('ERR_INVALID_ARG_VALUE', "The argument 'filename' must be a file URL object");
    for (const [code, message] of [absent, placeless]) {
      expect(code).to.equal('UNSUPPORTED');
      expect(message).to.contain('--external:sealpool').and.not.contain('npm may');
    }
    expect(absent[1]).to.contain('where koffi is installed');
    expect(placeless[1]).to.contain('a bundle in CommonJS');
  });
});
