import { expect, test } from 'vitest';
import { configStates } from '../../cloud-lite/gateways/gateway-states.ts';
import type { ConfigurationView } from '../../cloud-lite/gateways/gateways.ts';
import { judgeRing, rollOut } from './roll-out.ts';

const none = Object.fromEntries(configStates.map((state) => [state, 0])) as ConfigurationView['states'];
const view = (
  group: string,
  hash: string,
  states: Partial<ConfigurationView['states']>,
): ConfigurationView => ({
  group,
  hash,
  states: { ...none, ...states },
  running: 0,
  versions: {},
});
const ring = { name: '0', gateways: ['a', 'b', 'c'] };

test.each([
  ['nobody has it yet', [view('0', 'old', { applied: 3 })], { kind: 'wait', applied: 0 }],
  ['some are on trial', [view('0', 'new', { applied: 1, trial: 2 })], { kind: 'wait', applied: 1 }],
  ['one is not known', [view('0', 'new', { applied: 2, unknown: 1 })], { kind: 'wait', applied: 2 }],
  ['one refuses', [view('0', 'new', { applied: 2, refused: 1 })], { kind: 'stop', bad: 1 }],
  ['one took it back', [view('0', 'new', { trial: 2, reverted: 1 })], { kind: 'stop', bad: 1 }],
  ['all run it', [view('0', 'new', { applied: 3 }), view('1', 'new', { refused: 1 })], { kind: 'done' }],
])('a ring of which %s', (_what, configurations, verdict) =>
  expect(judgeRing(configurations, ring, 'old')).toEqual(verdict),
);

test('the next ring is sent nothing before the one before is done, nor after one that is bad', async () => {
  const rings = ['0', '1', '2'].map((name) => ({ name, gateways: [name] }));
  const sent: string[] = [];
  const states: Record<string, ConfigurationView[]> = {
    '0': [view('0', 'new', { trial: 1 }), view('0', 'new', { applied: 1 })],
    '1': [view('1', 'new', { reverted: 1 })],
  };
  const said: string[] = [];
  const { touched, isThrough } = await rollOut({
    rings,
    send: async ({ name }) => void sent.push(name),
    look: async () => {
      const [next, ...rest] = states[sent.at(-1)!]!;
      if (rest.length > 0) states[sent.at(-1)!] = rest;
      const reading = { endedAt: 0, failingSince: null, problem: null };
      return { configurations: [next!], reading };
    },
    wait: async () => {},
    former: 'old',
    say: (text) => said.push(text),
  });
  expect(sent).toEqual(['0', '1']);
  expect(touched.map(({ name }) => name)).toEqual(['0', '1']);
  expect(isThrough).toBe(false);
  expect(said).toEqual(['ring 0: all 1 run it', 'ring 1: 1 of 1 refuse it or took it back: stopped']);
});
