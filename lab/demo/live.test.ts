import { EventEmitter } from 'node:events';
import { expect, test, vi } from 'vitest';
import { liveKeys, readKeys } from './live.ts';
import type { Relay, RelayMode } from './relay.ts';
import type { World } from './world.ts';

function fakeRelay(): Relay {
  let mode: RelayMode = { kind: 'up' };
  return {
    mode: () => mode,
    // As the real one: a change takes its turn.
    set: vi.fn(async (next: RelayMode) => {
      await Promise.resolve();
      mode = next;
    }),
  } as unknown as Relay;
}

function fakeUpstream() {
  let isCut = false;
  return {
    isUpstreamCut: () => isCut,
    cutUpstream: vi.fn(async (wanted: boolean) => {
      isCut = wanted;
    }),
  };
}

function setUp() {
  const world = {
    network: fakeRelay(),
    device: fakeRelay(),
    ...fakeUpstream(),
    loseNext: vi.fn(async () => {}),
    runtimeStatus: vi.fn(() => new Promise<unknown>(() => {})),
    runtime: { killAndRestart: vi.fn(async () => {}) },
    detector: { killAndRestart: vi.fn(() => Promise.reject(new Error('is not running'))) },
  };
  const said: string[] = [];
  const quit = vi.fn();
  const press = liveKeys(world as unknown as World, { say: (text) => said.push(text), quit });
  return { world, said, quit, press };
}

test('n and u cut a cable and restore it', async () => {
  const { world, press, said } = setUp();
  press('n');
  await expect.poll(() => world.network.mode().kind).toBe('cut');
  press('N');
  await expect.poll(() => world.network.mode().kind).toBe('up');
  press('u');
  await expect.poll(() => world.device.mode().kind).toBe('cut');
  expect(world.network.mode().kind).toBe('up');
  expect(said).toEqual(['network cut', 'network restored', 'cables to the equipment cut']);
});

test('c cuts the way to the cloud behind the hub of the gateway, so that its modules still reach each other', () => {
  const { world, press, said } = setUp();
  press('c');
  expect(world.cutUpstream).toHaveBeenLastCalledWith(true);
  expect(world.network.mode().kind).toBe('up');
  press('c');
  expect(world.cutUpstream).toHaveBeenLastCalledWith(false);
  expect(said).toEqual([
    'way to the cloud cut behind the hub of the gateway: rules go on',
    'way to the cloud restored',
  ]);
});

test('says what came once the network is back', async () => {
  const { world, said } = setUp();
  const waiting = [17, 17, 12, 2];
  const status = (messages: number, connected: boolean) => ({
    startedAt: '2026-11-22T00:33:57.965Z',
    uplink: { connected },
    forwarder: { sent: {} },
    sources: [],
    spool: { lanes: { live: { messages, bytes: 1 } } },
    jobs: { open: 0 },
  });
  const runtimeStatus = vi.fn(async () => status(waiting.shift() ?? 0, waiting.length < 3));
  const say = (text: string) => said.push(text);
  const pause = async () => {};
  const press = liveKeys({ ...world, runtimeStatus } as unknown as World, { say, quit: () => {}, pause });
  press('n');
  await expect.poll(() => world.network.mode().kind).toBe('cut');
  press('n');
  await expect.poll(() => said.at(-1)).toMatch(/^network restored: 17 windows that had waited came, \d+ s$/);
  expect(runtimeStatus).toHaveBeenCalledTimes(4);
});

test('k and l break the runtime and the hub', () => {
  const { world, press } = setUp();
  press('k');
  press('l');
  expect(world.runtime.killAndRestart).toHaveBeenCalledOnce();
  expect(world.loseNext).toHaveBeenCalledWith(3);
});

test('an action that fails is told', async () => {
  const { press, said } = setUp();
  press('d');
  await expect.poll(() => said.at(-1)).toBe('kill -9 of the detector: is not running');
});

test('q and Ctrl-C quit; other keys do nothing', () => {
  const { quit, press, said } = setUp();
  press('x');
  expect(said).toEqual([]);
  press('q');
  press('\x03');
  expect(quit).toHaveBeenCalledTimes(2);
});

test('keys come one by one from a terminal, which is given back', () => {
  const input = Object.assign(new EventEmitter(), {
    isTTY: true,
    setRawMode: vi.fn(),
    resume: vi.fn(),
    pause: vi.fn(),
  });
  const keys: string[] = [];
  const stop = readKeys(input as unknown as NodeJS.ReadStream, (key) => keys.push(key));
  input.emit('data', Buffer.from('nl'));
  stop();
  input.emit('data', Buffer.from('q'));
  expect(keys).toEqual(['n', 'l']);
  expect(input.setRawMode.mock.calls).toEqual([[true], [false]]);
});
