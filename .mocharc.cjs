module.exports = {
  spec: ['dist/test/**/*.test.js'],
  require: ['dist/test/support/tried.js', 'dist/test/support/cleanups.js'],
  'node-option': ['enable-source-maps'],
  timeout: 60_000,
  parallel: true,
  jobs: 2,
  reporter: 'dot',
  // On a machine that others share; what is tried again is told (test/support/tried.ts).
  retries: process.env.CI === 'true' ? 1 : 0,
};
