import { expect, it } from 'vitest';
import { keepHolding } from './hold-back.ts';
import type { SupervisedSource } from './sources/supervisor.ts';

function setUp(holdingAtFirst: boolean) {
  let listener: (holding: boolean) => void = () => {};
  let holding = holdingAtFirst;
  const held = new Map<string, boolean>();
  const source = (name: string, history: object | undefined) =>
    ({ name, source: { history }, hold: (on: boolean) => held.set(name, on) }) as unknown as SupervisedSource;
  const dropped: ((batchId: string) => boolean)[] = [];
  const spool = {
    stats: () => ({ holding }) as never,
    onHold: (listen: typeof listener) => {
      listener = listen;
      return () => {};
    },
  };
  const windows = {
    hold: (isHeld: ((batchId: string) => boolean) | undefined) => {
      dropped.length = 0;
      if (isHeld !== undefined) dropped.push(isHeld);
    },
  };
  const holdBack = keepHolding(spool, windows, (batchId) => batchId === 'ring');
  const change = (on: boolean) => {
    holding = on;
    listener(on);
  };
  const ring = source('ring', {});
  const meter = source('meter', undefined);
  const running = new Map([ring, meter].map((each) => [each.name, each]));
  return { holdBack, running, ring, meter, held, dropped, change };
}

it('a full spool holds the sources that keep their own history, and only them, until there is room', () => {
  const { holdBack, running, held, dropped, change } = setUp(false);
  holdBack.begin(running);
  change(true);
  expect(Object.fromEntries(held)).toEqual({ ring: true, meter: false });
  expect(['ring', 'meter'].map((each) => dropped[0]?.(each))).toEqual([true, false]);
  change(false);
  expect(Object.fromEntries(held)).toEqual({ ring: false, meter: false });
  expect(dropped).toEqual([]);
});

it('a spool that is full at the start, or while a source is built anew, holds it from the beginning', () => {
  const { holdBack, running, ring, meter, held } = setUp(true);
  holdBack.begin(running);
  expect(Object.fromEntries(held)).toEqual({ ring: true, meter: false });
  held.clear();
  holdBack.heed(ring);
  holdBack.heed(meter);
  expect(Object.fromEntries(held)).toEqual({ ring: true, meter: false });
});
