import { defineConfig } from 'vitest/config';

// Three projects, by what a test needs: `architecture` is fast enough for `npm run check`; `unit` runs
// beside the code, in parallel; `process` starts real processes, servers and browsers, one file at a time.
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'architecture', include: ['test/architecture.test.ts'] } },
      {
        test: {
          name: 'unit',
          include: ['{wire,kernel,runtime,cloud-lite,lab}/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.process.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'process',
          include: ['**/*.process.test.ts'],
          exclude: ['**/node_modules/**'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
