/**
 * In CI a test that fails is tried once more (.mocharc.cjs): two files at a time on a shared machine meet pauses that no test
 * means. What was tried again is told, so that it can be looked into.
 */
export const mochaHooks = {
  afterEach(this: Mocha.Context): void {
    const test = this.currentTest as (Mocha.Test & { currentRetry(): number }) | undefined;
    if (test !== undefined && test.currentRetry() > 0) console.log(`\ntried again: ${test.fullTitle()}: ${test.state}`);
  },
};
