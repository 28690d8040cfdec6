// Each message says where its stream began, so that the loss of the first ones shows too.
import { describe, expect, it } from 'vitest';
import type { Outgoing } from '../uplink/lanes.ts';
import { MemoryStore } from './engine/testing/memory-store.ts';
import { change, closed, openTestSpool, takeAll, window } from './testing/open-test-spool.ts';

const said = ({ message: { properties } }: Outgoing) => `${properties.startWindow} ${properties.streamStart}`;
const commit = (from: number, to: number) => [change('a', [closed('a', window(from, to))])];

describe('the beginning of a stream', () => {
  it('is that of its first window, and every later message says so, after a start too', async () => {
    let store = new MemoryStore();
    const first = await openTestSpool(store);
    await first.spool.commitWindows(commit(30, 40));
    await first.spool.commitWindows(commit(40, 50));
    expect((await takeAll(first.spool, 'live')).map(said)).toEqual(['30 30', '40 30']);
    store = store.restarted();
    const again = await openTestSpool(store);
    await again.spool.commitWindows(commit(60, 70));
    expect((await takeAll(again.spool, 'live')).map(said)).toEqual(['60 30']);
  });
});
