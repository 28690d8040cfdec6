// Builds the library that slows every sync of a process down.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Environment for a child whose syncs take `ms` longer; undefined where there is no C compiler. */
export function slowSyncEnv(folder: string, ms: number): Readonly<Record<string, string>> | undefined {
  const source = fileURLToPath(new URL('slow-sync.c', import.meta.url));
  const library = join(folder, 'slow-sync.so');
  try {
    mkdirSync(folder, { recursive: true });
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl'], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return { LD_PRELOAD: library, SLOW_SYNC_MS: String(ms) };
}
