// `npm start`: the world runs until someone has seen enough; keys break it.
import type { Cable } from './equipment.ts';
import type { DemoEvent } from './live-state.ts';
import type { World } from './world.ts';

export interface LiveOptions {
  readonly say: (text: string, tone?: DemoEvent['tone']) => void;
  /** Ends the demo. */
  readonly quit: () => void;
}

const loseCount = 3;

/** What each key does. Failures are told, never thrown: a key may come while a process is down. */
export function liveKeys(world: World, { say, quit }: LiveOptions): (key: string) => void {
  const act = (text: string, action: () => Promise<unknown>) => {
    say(text, 'key');
    action().catch((error: unknown) => say(`${text}: ${(error as Error).message}`, 'bad'));
  };
  const toggle = (what: string, relay: Cable) => {
    const cut = relay.mode().kind === 'up';
    act(`${what} ${cut ? 'cut' : 'restored'}`, () => relay.set({ kind: cut ? 'cut' : 'up' }));
  };
  const actions: Readonly<Record<string, () => void>> = {
    n: () => toggle('network', world.network),
    u: () => toggle('cables to the equipment', world.device),
    l: () =>
      act(`the hub will acknowledge and lose the next ${loseCount} messages`, () =>
        world.loseNext(loseCount),
      ),
    k: () => act('kill -9 of the runtime', () => world.runtime.killAndRestart()),
    d: () => act('kill -9 of the detector', () => world.detector.killAndRestart()),
    q: quit,
    // Raw mode hands Ctrl-C over as a key.
    '\x03': quit,
  };
  return (key) => actions[key.toLowerCase()]?.();
}

/** Calls `onKey` for each key pressed. Returns the way to stop that. */
export function readKeys(input: NodeJS.ReadStream, onKey: (key: string) => void): () => void {
  if (!input.isTTY) return () => {};
  const take = (chunk: Buffer | string) => {
    for (const key of String(chunk)) onKey(key);
  };
  input.setRawMode(true);
  input.on('data', take);
  input.resume();
  return () => {
    input.off('data', take);
    input.setRawMode(false);
    input.pause();
  };
}
