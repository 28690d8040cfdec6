// Reduces the faults of a failing world to the fewest with which it still fails in the same way, for a person to read.
import type { Fault } from './faults.ts';
import { type RunOptions, type RunResult, runWorld } from './world.ts';

/** Leaves out one fault after the other, as long as the finding stays. */
export async function shrink(
  failed: RunResult,
  options: Omit<RunOptions, 'faults' | 'seed'>,
): Promise<RunResult> {
  const { seed } = failed;
  const verdict = failed.findings[0]?.verdict;
  let best = failed;
  for (let at = 0; at < best.faults.length; ) {
    const faults: readonly Fault[] = best.faults.filter((_, n) => n !== at);
    const result = await runWorld({ ...options, seed, faults });
    if (result.findings.some((finding) => finding.verdict === verdict)) best = result;
    else at += 1;
  }
  return best;
}
