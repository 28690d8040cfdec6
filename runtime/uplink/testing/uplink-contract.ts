// What every implementation of the uplink port owes. Run against the fake and, with a hub, the real one.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { Uplink, UplinkState } from '../uplink.ts';

export interface ReceivedMessage {
  readonly messageId: string | undefined;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly contentEncoding: string | undefined;
  readonly body: Uint8Array;
}

/** An uplink and the hub at its other end. */
export interface UplinkWorld {
  readonly uplink: Uplink;
  received(): readonly ReceivedMessage[];
  /** The network goes and stays away until `heal`. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  /** The next messages are settled without being accepted. */
  giveBackNext(count: number): Promise<void>;
  /** Messages are never settled from now on. */
  hold(): Promise<void>;
  call(name: string, payload?: unknown): Promise<{ status: number; body: unknown }>;
  reported(): unknown;
  eventually(check: () => boolean): Promise<void>;
  end(): Promise<void>;
}

export function message(id: string, body: string | Uint8Array = '[]'): WireMessage {
  return {
    messageId: id,
    properties: { batchId: 'press', count: '0' },
    contentEncoding: 'utf-8',
    creationTime: Date.UTC(2026, 0, 1),
    body: typeof body === 'string' ? Buffer.from(body) : body,
  };
}

export function uplinkContract(name: string, makeWorld: () => Promise<UplinkWorld>): void {
  describe(`uplink contract: ${name}`, () => {
    let world: UplinkWorld;
    let uplink: Uplink;

    beforeEach(async () => {
      world = await makeWorld();
      uplink = world.uplink;
    });
    afterEach(() => world.end());

    const connect = async () => {
      uplink.start();
      await world.eventually(() => uplink.state().connected);
    };
    const arrived = () => world.received().map(({ messageId }) => messageId);

    test('without a connection a send is refused at once, to be tried again', async () => {
      expect(uplink.state()).toMatchObject({ connected: false, diagnosis: expect.any(String) });
      await expect(uplink.send(message('a'))).rejects.toMatchObject({ retryable: true });
    });

    test('it connects by itself and says so', async () => {
      const states: UplinkState[] = [];
      uplink.onState((state) => states.push(state));
      await connect();
      expect(states.at(-1)).toEqual(uplink.state());
      expect(uplink.state().diagnosis).toBeUndefined();
    });

    test('a message arrives as it was, before its send resolves', async () => {
      await connect();
      const sent = message('press;1-2', '{"é":1}');
      await uplink.send(sent);
      const [got] = world.received();
      expect(got).toMatchObject({ messageId: 'press;1-2', contentEncoding: 'utf-8' });
      expect(got?.properties).toMatchObject({ batchId: 'press', count: '0' });
      expect(Buffer.from(got!.body).toString()).toBe('{"é":1}');
    });

    test('many sends in flight arrive in order', async () => {
      await connect();
      const ids = Array.from({ length: 64 }, (_, i) => `m${i}`);
      await Promise.all(ids.map((id) => uplink.send(message(id))));
      expect(arrived()).toEqual(ids);
    });

    test('a message that no hub takes is refused for good, and the others go on', async () => {
      await connect();
      const refused = uplink.send(message('big', new Uint8Array(262_144)));
      await expect(refused).rejects.toMatchObject({ code: 'uplink-message-refused', retryable: false });
      await uplink.send(message('next'));
      expect(arrived()).toEqual(['next']);
    });

    test('a message that the hub gives back was not sent', async () => {
      await connect();
      await world.giveBackNext(1);
      await expect(uplink.send(message('a'))).rejects.toMatchObject({ retryable: true });
      await uplink.send(message('a'));
      expect(arrived()).toEqual(['a']);
    });

    test('a lost connection ends what is in flight, and comes back by itself', async () => {
      uplink.handleMethod('ping', async () => ({ status: 200, body: 'pong' }));
      await connect();
      await world.hold();
      const inFlight = uplink.send(message('a'));
      const ended = expect(inFlight).rejects.toMatchObject({ retryable: true });
      await world.cut();
      await ended;
      await world.eventually(() => !uplink.state().connected);
      expect(uplink.state().diagnosis).toEqual(expect.any(String));
      await expect(uplink.send(message('b'))).rejects.toBeInstanceOf(HoldfastError);
      await world.heal();
      await world.eventually(() => uplink.state().connected);
      await uplink.send(message('c'));
      expect(arrived()).toContain('c');
      expect(await world.call('ping')).toEqual({ status: 200, body: 'pong' });
    });

    test('a method is answered, also when it throws and when it does not exist', async () => {
      uplink.handleMethod('echo', async (payload) => ({ status: 202, body: { payload } }));
      uplink.handleMethod('late', async () => {
        await Promise.resolve();
        throw new Error('not for the caller');
      });
      uplink.handleMethod('early', () => {
        throw new Error('not for the caller');
      });
      await connect();
      expect(await world.call('echo', { a: [1] })).toEqual({ status: 202, body: { payload: { a: [1] } } });
      for (const name of ['late', 'early']) {
        const answer = await world.call(name);
        expect(answer.status).toBe(500);
        expect(JSON.stringify(answer.body)).not.toContain('not for the caller');
      }
      expect((await world.call('nobody')).status).toBe(404);
    });

    test('reported properties merge, before and after a connection', async () => {
      uplink.report({ a: 1, nested: { x: 1 } });
      uplink.report({ nested: { y: 2 } });
      await connect();
      await world.eventually(() => JSON.stringify(world.reported()).includes('"y":2'));
      uplink.report({ a: 2 });
      await world.eventually(() => JSON.stringify(world.reported()).includes('"a":2'));
      expect(world.reported()).toEqual({ a: 2, nested: { x: 1, y: 2 } });
    });

    test('a listener that was taken back hears nothing more', async () => {
      let calls = 0;
      const stop = uplink.onState(() => calls++);
      stop();
      await connect();
      expect(calls).toBe(0);
    });

    test('stopping gives up what is in flight, soon', async () => {
      await connect();
      await world.hold();
      const inFlight = expect(uplink.send(message('a'))).rejects.toMatchObject({ retryable: true });
      await uplink.stop();
      await inFlight;
      expect(uplink.state().connected).toBe(false);
      await expect(uplink.send(message('b'))).rejects.toMatchObject({ retryable: true });
    });
  });
}
