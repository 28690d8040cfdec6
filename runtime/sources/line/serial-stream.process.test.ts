// A real port (a pseudo terminal), given up and taken again at once, as a reload or a lost session does.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { missingPrograms } from '../../../test/support/programs.ts';
import { openSerial } from './serial-stream.ts';

describe.skipIf(missingPrograms('socat'))('a serial port', () => {
  const folder = mkdtempSync(join(tmpdir(), 'serial-stream-'));
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
  let pair: ChildProcess;

  beforeAll(async () => {
    pair = spawn('socat', [`PTY,link=${ours},rawer`, `PTY,link=${theirs},rawer`], { stdio: 'ignore' });
    while (!existsSync(ours) || !existsSync(theirs)) await delay(10);
  });

  afterAll(() => {
    pair.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  const open = (path: string, signal = new AbortController().signal) =>
    openSerial({
      path,
      baudRate: 9600,
      dataBits: 8,
      parity: 'none',
      stopBits: 1,
      limitMs: 5000,
      failedCode: 'test-failed',
      clock: systemClock,
      signal,
    });

  it('is let go of when its stream is destroyed, and can be taken again at once', async () => {
    for (let turn = 0; turn < 10; turn++) (await open(ours)).destroy();
    const [mine, peer] = [await open(ours), await open(theirs)];
    const heard = new Promise((resolve) => peer.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    mine.write('hello');
    expect(await heard).toBe('hello');
    mine.destroy();
    peer.destroy();
  });

  it('gives nothing that came while it was closed: nobody knows when that was', async () => {
    // Somebody holds it, or its other end would read an error: no serial port does that.
    const held = openSync(ours, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
    const peer = await open(theirs);
    peer.write('stale');
    await delay(50);
    const mine = await open(ours);
    const heard: string[] = [];
    mine.on('data', (chunk: Buffer) => heard.push(chunk.toString()));
    await delay(20);
    peer.write('fresh');
    while (heard.join('').length < 5) await delay(5);
    expect(heard.join('')).toBe('fresh');
    mine.destroy();
    peer.destroy();
    closeSync(held);
  });

  it('that another has open is refused, and says so', async () => {
    const mine = await open(ours);
    await expect(open(ours)).rejects.toMatchObject({ code: 'test-failed', message: /another program/ });
    mine.destroy();
  });

  it('that is not there is refused, with advice', async () => {
    await expect(open(join(folder, 'none'))).rejects.toMatchObject({
      code: 'test-failed',
      retryable: true,
      message: /is the adapter plugged in/,
    });
  });
});
