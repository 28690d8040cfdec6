import { describe, expect, it } from 'vitest';
import { silentLog } from '../kernel/log.ts';
import { VirtualClock } from '../kernel/testing/virtual-clock.ts';
import { createRuntime, type RuntimeParts } from './runtime.ts';

function harness(hang: readonly string[] = [], fail: readonly string[] = []) {
  const calls: string[] = [];
  const clock = new VirtualClock();
  const step = (name: string) => () => {
    calls.push(name);
    if (hang.includes(name)) return new Promise<never>(() => {});
    return fail.includes(name) ? Promise.reject(new Error(`${name} broke`)) : Promise.resolve();
  };
  const note = (name: string) => () => void calls.push(name);
  const parts: RuntimeParts = {
    sources: { start: note('source.start'), stop: step('source.stop') },
    config: { start: note('config.start'), stop: step('config.stop') },
    windows: { closeAll: step('windows.closeAll') },
    jobs: { start: step('jobs.start'), stop: step('jobs.stop') },
    methods: { stop: note('methods.stop') },
    forwarder: { start: note('forwarder.start'), stop: step('forwarder.stop') },
    uplink: { start: note('uplink.start'), stop: step('uplink.stop') },
    spool: { close: step('spool.close') },
    clock,
    log: silentLog,
  };
  return { runtime: createRuntime(parts), calls, clock };
}

const stopOrder = [
  'methods.stop',
  'config.stop',
  'source.stop',
  'windows.closeAll',
  'jobs.stop',
  'forwarder.stop',
  'uplink.stop',
  'spool.close',
];

describe('the runtime', () => {
  it('starts sources last, and stops them first, before windows close and the spool after all', async () => {
    const { runtime, calls } = harness();
    await runtime.start();
    expect(calls).toEqual(['jobs.start', 'uplink.start', 'forwarder.start', 'source.start', 'config.start']);
    calls.length = 0;
    await Promise.all([runtime.stop(), runtime.stop()]);
    expect(calls).toEqual(stopOrder);
  });

  it('gives every part its turn to stop within 10 s although each of them hangs', async () => {
    const { runtime, calls, clock } = harness(stopOrder);
    let done = false;
    void runtime.stop().then(() => {
      done = true;
    });
    await clock.advance(10_000);
    expect(calls).toEqual(stopOrder);
    expect(done).toBe(true);
  });

  it('goes on stopping when a part fails to', async () => {
    const { runtime, calls } = harness([], stopOrder);
    await runtime.stop();
    expect(calls).toEqual(stopOrder);
  });
});
