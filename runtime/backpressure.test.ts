import { expect, it } from 'vitest';
import { applyBackpressure } from './backpressure.ts';
import type { SupervisedSource } from './sources/supervisor.ts';

function setUp(activeAtFirst: boolean) {
  let listener: (isActive: boolean) => void = () => {};
  let isActive = activeAtFirst;
  const paused = new Map<string, boolean>();
  const source = (name: string, history: object | undefined) =>
    ({
      name,
      source: { history },
      pause: (on: boolean) => paused.set(name, on),
    }) as unknown as SupervisedSource;
  const dropped: ((batchId: string) => boolean)[] = [];
  const spool = {
    stats: () => ({ backpressure: isActive }) as never,
    onBackpressure: (listen: typeof listener) => {
      listener = listen;
      return () => {};
    },
  };
  const windows = {
    pause: (isPaused: ((batchId: string) => boolean) | undefined) => {
      dropped.length = 0;
      if (isPaused !== undefined) dropped.push(isPaused);
    },
  };
  const backpressure = applyBackpressure(spool, windows, (batchId) => batchId === 'ring');
  const change = (on: boolean) => {
    isActive = on;
    listener(on);
  };
  const ring = source('ring', {});
  const meter = source('meter', undefined);
  const running = new Map([ring, meter].map((each) => [each.name, each]));
  return { backpressure, running, ring, meter, paused, dropped, change };
}

it('a full spool pauses the sources that keep their own history, and only them, until there is room', () => {
  const { backpressure, running, paused, dropped, change } = setUp(false);
  backpressure.begin(running);
  change(true);
  expect(Object.fromEntries(paused)).toEqual({ ring: true, meter: false });
  expect(['ring', 'meter'].map((each) => dropped[0]?.(each))).toEqual([true, false]);
  change(false);
  expect(Object.fromEntries(paused)).toEqual({ ring: false, meter: false });
  expect(dropped).toEqual([]);
});

it('a spool that is full at the start, or while a source is built anew, pauses it from the beginning', () => {
  const { backpressure, running, ring, meter, paused } = setUp(true);
  backpressure.begin(running);
  expect(Object.fromEntries(paused)).toEqual({ ring: true, meter: false });
  paused.clear();
  backpressure.register(ring);
  backpressure.register(meter);
  expect(Object.fromEntries(paused)).toEqual({ ring: true, meter: false });
});
