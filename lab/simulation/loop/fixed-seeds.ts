// The seeds that always run with the tests, and which fault has to meet which state in them: were a cell reached no more, the
// simulation would have lost sight of something. After a change of what is drawn, look at what went, and write the list anew.
import type { Fault } from './faults.ts';
import type { State } from './meetings.ts';

export const fixedSeeds: readonly number[] = [1, 2, 3, 4];

export const metByFixedSeeds: Readonly<Partial<Record<Fault['kind'], readonly State[]>>> = {
  clock: ['well'],
  'disk-error': ['tight', 'well'],
  habit: ['well'],
  'kill-detector': ['down', 'tight', 'well'],
  kill: ['clock wrong', 'equipment away', 'tight', 'well'],
  link: ['repairing', 'tight', 'well'],
  'lose-answers': ['tight'],
  'lose-calls': ['tight'],
  lose: ['repairing', 'tight'],
  move: ['tight'],
  'power-cut': ['starting', 'tight', 'well'],
  reload: ['tight'],
  remake: ['tight'],
  repeat: ['tight'],
  shorten: ['tight'],
  'slow-link': ['well'],
  stop: ['detector down', 'down', 'tight'],
  unplug: ['cut off', 'repairing', 'tight', 'well'],
};
