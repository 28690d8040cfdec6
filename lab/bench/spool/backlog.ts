// A backlog of a gigabyte: how it grows memory, how fast it opens, and what is left of it in the end.
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchOptions } from '../harness/bench.ts';
import { runChild } from '../harness/child.ts';
import { median, spread } from '../harness/numbers.ts';

export interface Backlog {
  readonly reopenMs: number;
  readonly residentGrowthMB: number;
  /** Without the settings for small memory; not measured in a quick run. */
  readonly growthByDefaultMB: number | undefined;
  readonly diskLeftMB: number;
  readonly table: Readonly<Record<string, string | number>>;
  readonly notes: readonly string[];
}

// As on a small device. V8 and glibc otherwise let a bulk load grow the young generation to 96 MB and an arena
// for each thread, and keep both: that would drown what a backlog takes.
const smallMemory = {
  nodeArgs: ['--expose-gc', '--max-semi-space-size=4'],
  env: { MALLOC_ARENA_MAX: '2' },
};

export async function measureBacklog(
  { folder, say, quick }: BenchOptions,
  backlogMB: number,
  reopenings: number,
): Promise<Backlog> {
  const spool = { folder: join(folder, 'backlog') };
  const filled = await runChild(
    new URL('backlog.child.ts', import.meta.url),
    { ...spool, backlogMB, warmupMB: 128 },
    smallMemory,
  );
  const byDefault = quick ? undefined : await fillByDefault(join(folder, 'by-default'), backlogMB);
  say('opening it');
  const afterKill = await reopen(spool);
  const opened: number[] = [];
  for (let n = 0; n < reopenings; n++) {
    dropFromCache(spool.folder);
    opened.push((await reopen(spool)).openMs!);
  }
  say('sending it');
  const drained = await runChild(new URL('drain.child.ts', import.meta.url), {
    ...spool,
    limitMs: quick ? 15_000 : 60_000,
  });
  return {
    reopenMs: median(opened),
    residentGrowthMB: filled.growthMB!,
    growthByDefaultMB: byDefault,
    diskLeftMB: drained.diskLeftMB!,
    table: {
      'backlog MB': filled.backlogMB!,
      messages: filled.messages!,
      'filled MB/s': filled.fillMBPerSecond!,
      'memory at most, MB more': filled.peakGrowthMB!,
      'opened after kill -9, ms': afterKill.openMs!,
      'opened cold, ms': spread(opened),
      'drained MB/s': drained.drainMBPerSecond!,
      'on disk when full, MB': drained.fullMB!,
      'records left': drained.recordsLeft!,
    },
    notes: [
      `The backlog is one of ${backlogMB} MB, in messages of 16 KB that do not compress. Memory is RssAnon after a garbage collection, ` +
        'against the same process after the same work with everything acknowledged, run with ' +
        '--max-semi-space-size=4 and MALLOC_ARENA_MAX=2.',
      'Opened cold: the files of the store are dropped from the page cache first. The filler ends by kill -9.',
      'On the disk there are left a ballast of 8 MB and a reserve of 4 MB, which the spool gives up when the disk is full.',
    ],
  };
}

async function fillByDefault(folder: string, backlogMB: number): Promise<number> {
  const settings = { folder, backlogMB, warmupMB: 128 };
  const filled = await runChild(new URL('backlog.child.ts', import.meta.url), settings, {
    nodeArgs: ['--expose-gc'],
  });
  rmSync(folder, { recursive: true, force: true });
  return filled.growthMB!;
}

function reopen(spool: { readonly folder: string }) {
  return runChild(new URL('reopen.child.ts', import.meta.url), spool);
}

/** Asks the kernel to forget these files: no one else's. */
function dropFromCache(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0', 'status=none']);
  }
}
