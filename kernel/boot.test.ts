import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readBoot } from './boot.ts';
import { systemClock } from './clock.ts';

describe('the time since the machine started', () => {
  it('goes on with the monotonic clock', () => {
    const boot = readBoot('none');
    const [before, from] = [boot.sinceStartMs(), systemClock.monotonic()];
    while (systemClock.monotonic() - from < 3);
    const passed = boot.sinceStartMs() - before;
    expect(passed).toBeGreaterThanOrEqual(3);
    expect(passed).toBeLessThan(1000);
  });

  it.skipIf(process.platform !== 'linux')('is one of the machine, not of the process', () => {
    const boot = readBoot('none');
    expect(boot.id).toMatch(/^[0-9a-f-]{36}$/);
    const upMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
    // Uptime also counts time asleep.
    expect(boot.sinceStartMs()).toBeLessThan(upMs + 1000);
  });
});
