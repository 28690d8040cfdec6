import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { type Hub, startHub } from './hub.ts';
import { deviceId, eventually, moduleClient, moduleId, openModule, telemetry } from './testing/clients.ts';
import { callService } from './testing/rest.ts';

interface Ready {
  readonly amqpsPort: number;
  readonly controlPort: number;
  readonly caFile: string;
  readonly deviceConnectionString: string;
  readonly workloadSocket: string;
}

const main = new URL('./main.ts', import.meta.url).pathname;
const children: ChildProcess[] = [];

async function start(...args: string[]): Promise<{ child: ChildProcess; ready: Ready; lines: string[] }> {
  const child = spawn(process.execPath, [main, '--log-level', 'warn', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const lines: string[] = [];
  createInterface({ input: child.stdout! }).on('line', (line) => lines.push(line));
  const ready = await eventually(() => lines[0] && JSON.parse(lines[0]));
  return { child, ready, lines };
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

test('the process prints one ready line, serves, stops on SIGTERM, and is the same hub again on its data folder', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-hub-test-'));
  try {
    const first = await start('--data', folder, '--device', 'd', '--module', 'm');
    const ca = readFileSync(first.ready.caFile, 'utf8');
    const client = await moduleClient(first.ready as unknown as Hub, first.ready.deviceConnectionString);
    await client.open();
    expect(await client.sendEvent(telemetry('{}'))).toBeTruthy();
    await client.close();
    first.child.kill('SIGTERM');
    expect(await once(first.child, 'exit')).toEqual([0, null]);
    expect(first.lines).toHaveLength(1);
    expect(existsSync(first.ready.workloadSocket)).toBe(false);
    const again = await start('--data', folder, '--device', 'd', '--module', 'm');
    expect(readFileSync(again.ready.caFile, 'utf8')).toBe(ca);
    const key = /SharedAccessKey=.*/;
    expect(key.exec(again.ready.deviceConnectionString)?.[0]).toBe(
      key.exec(first.ready.deviceConnectionString)?.[0],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Processor time of a process so far, in ms: unlike a rate it means the same on a busy machine. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  // utime and stime, in hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

test('a message of 1 KB costs the hub less than it costs its sender', async () => {
  const { child, ready } = await start();
  const client = await moduleClient(ready as unknown as Hub, ready.deviceConnectionString);
  await client.open();
  const body = Buffer.alloc(1024, 'x');
  const properties = {
    batchId: 'press',
    startWindow: '2026-11-21T22:20:00.000Z',
    count: '50',
    schema: 'columns/1',
  };
  const send = async (count: number) => {
    let next = 0;
    const lane = async () => {
      while (next < count) await client.sendEvent(telemetry(body, properties, `press-${next++}`));
    };
    await Promise.all(Array.from({ length: 64 }, lane));
  };
  await send(2000);
  const [hubMs, senderMs] = [cpuMs(child.pid!), cpuMs(process.pid)];
  await send(10_000);
  const [perMessageUs, senderUs] = [(cpuMs(child.pid!) - hubMs) / 10, (cpuMs(process.pid) - senderMs) / 10];
  console.log(`${perMessageUs} us of processor a message; its sender ${senderUs} us`);
  expect(perMessageUs).toBeGreaterThan(0);
  expect(perMessageUs).toBeLessThan(senderUs);
  await client.close();
});

test('a direct method whose answer is lost is 504 to the caller, after the response timeout', async () => {
  const hub = await startHub();
  const client = await openModule(hub);
  client.onMethod('echo', (_, response) => response!.send(200));
  const call = { methodName: 'echo', payload: null, responseTimeoutInSeconds: 5, connectTimeoutInSeconds: 5 };
  const path = `/twins/${deviceId}/modules/${moduleId}/methods`;
  expect(await callService(hub, 'POST', path, call)).toMatchObject({ status: 200 });
  await hub.setFaults({ loseMethodReplies: { next: 1 } });
  const start = performance.now();
  expect(await callService(hub, 'POST', path, call)).toMatchObject({ status: 504, code: 'GatewayTimeout' });
  expect(performance.now() - start).toBeGreaterThan(4990);
  await client.close();
  await hub.stop();
});
