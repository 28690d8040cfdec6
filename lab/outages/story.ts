// What the status page and `holdfast status` say of the hub during an outage, beside what the log says: one story. Both are told
// the same overview; the log is read from its file.
import { readFileSync } from 'node:fs';
import type { Gateway } from './gateway.ts';

export interface Story {
  /** What does not fit together; once the outage is over. */
  end(): Promise<readonly string[]>;
}

const lookMs = 200;
/** The log leaves out what is over within 5 s; a busy machine is slow to say the rest. */
const toldAfterMs = 10_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export function followStory(gateway: Gateway): Story {
  const from = readFileSync(gateway.logFile).length;
  const causes = new Set<string>();
  let isOver = false;
  let awaySince: number | undefined;
  let longestMs = 0;
  const look = async () => {
    const { troubles } = await gateway.overview();
    const away = troubles.find(({ text }) => text.startsWith('the hub is not reached'));
    if (away === undefined) awaySince = undefined;
    else {
      awaySince ??= Date.now();
      longestMs = Math.max(longestMs, Date.now() - awaySince);
      causes.add(/ for [^:]+: (.+); \d+ messages wait/.exec(away.text)?.[1] ?? away.text);
    }
  };
  const looking = (async () => {
    while (!isOver && gateway.exited() === undefined) {
      await look().catch(() => {});
      await pause(lookMs);
    }
  })();
  return {
    async end() {
      isOver = true;
      await looking;
      return differences(readFileSync(gateway.logFile, 'utf8').slice(from), causes, longestMs);
    },
  };
}

/** `log`: lines of JSON. `causes`: what page and terminal gave as the cause, at any time. */
export function differences(log: string, causes: ReadonlySet<string>, longestMs: number): readonly string[] {
  const lines = log
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { code?: string; reason?: string; msg: string });
  const told = lines.filter(({ code }) => code === 'link-down');
  // A short one is not told, and its cause may be.
  const begun = lines.filter(({ msg }) => msg.startsWith('the link is down'));
  const back = lines.filter(({ msg }) => msg.startsWith('the link is back'));
  const problems = told
    .filter(({ reason = 'no reason known yet' }) => !causes.has(reason))
    .map(({ reason }) => `the log says "${reason}", page and terminal say "${[...causes].join('", "')}"`);
  if (longestMs > toldAfterMs && told.length === 0)
    problems.push(`the log says nothing of ${longestMs} ms without a hub`);
  if (begun.length > 0 && back.length === 0) problems.push('the log does not say that the link is back');
  return problems;
}
