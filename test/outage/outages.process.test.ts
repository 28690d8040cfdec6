// The outage matrix in short: the real module in a network namespace of its own, real packets lost on the way to
// the hub, and a hub that misbehaves. `npm run outages` runs it in full, up to ten minutes an outage.
//
// Five gateways at once, each with outages one after the other: what a gateway goes through, the others do
// not see. What a gateway kept is judged over its whole row, so that a loss in any of them is found.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInSite, type SiteRun, stopRuns } from '../../lab/outages/in-site.ts';
import { type OutageName, outages } from '../../lab/outages/outages.ts';
import { removeStaleSites, whyNoNamespaces } from '../../lab/outages/site.ts';
import { tableHead, tableRows } from '../../lab/outages/table.ts';
import { missingPrograms } from '../support/programs.ts';

const rows: readonly (readonly OutageName[])[] = [
  ['cable-out', 'settled-never', 'dns-gone', 'forced-close'],
  ['black-hole', 'no-route', 'expired-certificate', 'throttled'],
  ['half-open', 'flapping', 'wrong-name'],
  ['no-answers', 'restarted', 'other-authority', 'far-cable-out'],
  ['frozen', 'stored-never-settled', 'refused'],
];
/** Longer than the time limit of a send: a silent hub is noticed while the outage lasts. */
const durationMs = 4000;

async function cannotRun(): Promise<boolean> {
  if (missingPrograms('ip')) return true;
  const reason = await whyNoNamespaces();
  if (reason === undefined) return false;
  if (process.env.HOLDFAST_NO_SKIP === '1') throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return true;
}

describe.skipIf(await cannotRun())('the module through outages', () => {
  let runs: PromiseSettledResult<SiteRun>[];

  beforeAll(async () => {
    await removeStaleSites();
    runs = await Promise.allSettled(
      rows.map((row) =>
        runInSite({
          rounds: row.map((outage) => ({ outage, durationMs })),
          sendTimeoutMs: 3000,
          warmUpMs: 1000,
          recoverMs: 30_000,
        }),
      ),
    );
    console.log(tableHead);
    for (const run of runs) if (run.status === 'fulfilled') console.log(tableRows(run.value).join('\n'));
  });

  afterAll(stopRuns);

  const runOf = (row: number): SiteRun => {
    const run = runs[row]!;
    if (run.status === 'rejected') throw run.reason;
    return run.value;
  };

  it('goes through every kind of outage that the lab knows', () => {
    expect(rows.flat().toSorted()).toEqual(Object.keys(outages).toSorted());
  });

  for (const [index, row] of rows.entries()) {
    for (const name of row) {
      it(`is live again and drained by itself: ${outages[name].what}`, () => {
        const round = runOf(index).rounds.find(({ outage }) => outage === name);
        expect(round?.problems).toEqual([]);
      });
    }
    it(`has lost nothing and grown in nothing after ${row.join(', ')}`, () => {
      expect(runOf(index).problems).toEqual([]);
    });
  }
});
