// Three roll-outs over one fleet: one that is right, one that every gateway refuses, one that is right by its form and leaves
// the equipment without a connection.

import type { Outcome, RingsLab } from './lab.ts';
import { deadHost } from './light-gateway.ts';

export interface Findings {
  readonly good: Outcome;
  readonly refused: Outcome;
  readonly reverted: Outcome;
  /** What must not be, in words. */
  readonly wrong: readonly string[];
}

export async function playScenarios(
  lab: RingsLab,
  former: string,
  look = async (_: string) => {},
): Promise<Findings> {
  const wrong: string[] = [];
  const good = await lab.rollOut({ sources: { press: { host: '10.0.0.6' } } }, former);
  await look('good');
  if (!good.isThrough) wrong.push('a right configuration did not go through');
  expectHosts(lab, '10.0.0.6', wrong, 'after the right configuration');
  const running = (await lab.configurations()).configurations.find(({ running: count }) => count > 0)!.hash!;

  const refused = await bad(lab, running, { sources: { press: { unit: 999 } } }, 'refused', wrong);
  await look('refused');
  await restored(lab, running);
  const reverted = await bad(lab, running, { sources: { press: { host: deadHost } } }, 'reverted', wrong);
  await look('reverted');
  await restored(lab, running);
  expectHosts(lab, '10.0.0.6', wrong, 'in the end');
  return { good, refused, reverted, wrong };
}

/** The first ring alone is touched, and all of it runs the former configuration again without a hand. */
async function bad(
  lab: RingsLab,
  running: string,
  change: object,
  state: 'refused' | 'reverted',
  wrong: string[],
): Promise<Outcome> {
  const before = new Map(lab.gateways.map((gateway) => [gateway.deviceId, gateway.applied()]));
  const outcome = await lab.rollOut(change, running);
  const [first, ...others] = lab.rings;
  await lab.settle(first!);
  if (outcome.isThrough || outcome.touched.length !== 1)
    wrong.push(`${state}: rings ${outcome.touched} were touched`);
  const elsewhere = new Set(others.flatMap(({ gateways }) => gateways));
  const moved = lab.gateways.filter(
    (gateway) => elsewhere.has(gateway.deviceId) && gateway.applied() !== before.get(gateway.deviceId),
  );
  if (moved.length > 0) wrong.push(`${state}: ${moved.length} gateways of other rings were touched`);
  const { configurations } = await lab.configurations();
  const here = configurations.filter(({ group, hash }) => group === first!.name && hash !== running);
  const said = here.reduce((sum, { states }) => sum + states[state], 0);
  if (said !== first!.gateways.length)
    wrong.push(`${state}: only ${said} of ${first!.gateways.length} say so`);
  const runs =
    configurations.find(({ group, hash }) => group === first!.name && hash === running)?.running ?? 0;
  if (runs !== first!.gateways.length)
    wrong.push(`${state}: only ${runs} run the former configuration again`);
  expectHosts(lab, '10.0.0.6', wrong, `after one that is ${state}`);
  return outcome;
}

async function restored(lab: RingsLab, running: string): Promise<void> {
  const [first] = lab.rings;
  await lab.restore(first!, '10.0.0.6');
  await lab.until(
    ({ configurations }) =>
      configurations.find(({ group, hash }) => group === first!.name && hash === running)?.states.applied ===
      first!.gateways.length,
  );
}

function expectHosts({ gateways }: RingsLab, host: string, wrong: string[], when: string): void {
  const others = gateways.filter((gateway) => gateway.hosts().join() !== host);
  if (others.length > 0)
    wrong.push(`${when}: ${others.length} gateways read ${others[0]!.hosts()}, not ${host}`);
}
