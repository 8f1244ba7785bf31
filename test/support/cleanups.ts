/**
 * What a test made is taken away when it ends. Mocha loads this by --require (.mocharc.cjs): a hook at the top of a module that tests import
 * is of the first file alone that imports it in a worker, and all later ones leave what they made.
 */
type Cleanup = () => Promise<void> | void;

const cleanups: Cleanup[] = [];
let isInPlace = false;

/** Runs when the test that is running has ended, last registered first. */
export function atEnd(cleanup: Cleanup): void {
  if (!isInPlace) throw new Error('nobody would clean up: run mocha with --require dist/test/support/cleanups.js');
  cleanups.push(cleanup);
}

async function cleanUp(): Promise<void> {
  const errors: unknown[] = [];
  for (let next = cleanups.pop(); next !== undefined; next = cleanups.pop()) {
    try {
      await next();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

export const mochaHooks = {
  beforeAll(): void {
    isInPlace = true;
  },
  afterEach: cleanUp,
};
