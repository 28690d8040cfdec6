import { runChild } from '../harness/child.ts';
import { makeDevice } from '../harness/device.ts';
import type { ClosedLoopSettings } from './closed-loop.child.ts';

export async function measureClosedLoop(folder: string, quick: boolean) {
  const device = makeDevice(folder, 1024);
  const settings: ClosedLoopSettings = {
    folder: device.folder,
    streams: 1,
    warmupMs: 2000,
    measureMs: quick ? 4000 : 8000,
  };
  try {
    const result = await runChild(new URL('closed-loop.child.ts', import.meta.url), settings);
    return result as { readingsPerSecond: number; cpuMicrosPerReading: number };
  } finally {
    device.remove();
  }
}
