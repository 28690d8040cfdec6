import type { SpoolStats } from './spool/spool.ts';

/** Why the module cannot do all of its work right now. A lost network is no reason: it works without. */
export function notReady(
  failedSources: readonly { readonly name: string; readonly reason: string }[],
  spool: SpoolStats,
  isWaiting: boolean,
  keyProblem: string | undefined,
): readonly string[] {
  const reasons = failedSources.map(({ name, reason }) => `source ${name} cannot run: ${reason}`);
  if (isWaiting) reasons.unshift('the sources wait after repeated crashes');
  if (keyProblem !== undefined) reasons.unshift(`the spool lacks a key: ${keyProblem}`);
  if (spool.state !== 'ok') reasons.unshift(`the spool is ${spool.state}: ${spool.problem}`);
  return reasons;
}
