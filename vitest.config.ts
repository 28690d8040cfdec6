import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Three projects, by what a test needs: `architecture` is fast enough for `npm run check`; `unit` runs
// beside the code, in parallel; `process` starts real processes, servers and browsers, and runs apart
// from the others, three files at a time: they wait more than they work.
export default defineConfig({
  test: {
    reporters: ['default', './scripts/second-try.mjs'],
    projects: [
      {
        test: {
          name: 'architecture',
          include: ['test/*.test.ts'],
          exclude: ['test/*.process.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'unit',
          include: ['{wire,kernel,runtime,cloud-lite,lab}/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.process.test.ts'],
          // Where it is fast, a limit costs nothing: these hold on a busy machine of a quarter of the speed.
          testTimeout: 120_000,
          hookTimeout: 180_000,
          // Vitest leaves one core to itself: on two cores the tests would run one after the other.
          maxWorkers: Math.max(2, availableParallelism() - 1),
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'process',
          include: ['**/*.process.test.ts'],
          exclude: ['**/node_modules/**'],
          testTimeout: 300_000,
          hookTimeout: 180_000,
          maxWorkers: 3,
          // Hundreds of processes compile the same modules: half of their time.
          env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compile') },
          // What waits for processes may be too late on a busy machine, once; the run then names it. Tests that look for rare defects
          // (kill -9 at random moments) say `retry: 0`: there one failure is one too many.
          retry: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
