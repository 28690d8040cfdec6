// `npm start`: runs the world until a person ends it; keys cause faults.
import type { Cable } from './equipment.ts';
import type { DemoEvent } from './live-state.ts';
import { runtimeView } from './runtime-view.ts';
import type { World } from './world.ts';

export interface LiveOptions {
  readonly say: (text: string, tone?: DemoEvent['tone']) => void;
  /** Ends the demo. */
  readonly quit: () => void;
  /** Between two looks at what still waits. Default: half a second. */
  readonly pause?: () => Promise<void>;
}

const loseCount = 3;

/** What each key does. Failures are told, never thrown: a key may come while a process is down. */
export function liveKeys(world: World, options: LiveOptions): (key: string) => void {
  const { say, quit } = options;
  const act = (text: string, action: () => Promise<unknown>) => {
    say(text, 'key');
    action().catch((error: unknown) => say(`${text}: ${(error as Error).message}`, 'bad'));
  };
  const toggle = (what: string, relay: Cable, onRestored?: () => Promise<void>) => {
    const cut = relay.mode().kind === 'up';
    act(`${what} ${cut ? 'cut' : 'restored'}`, async () => {
      await relay.set({ kind: cut ? 'cut' : 'up' });
      if (!cut) await onRestored?.();
    });
  };
  const actions: Readonly<Record<string, () => void>> = {
    n: () => toggle('network', world.network, () => sayWhatCame(world, options)),
    c: () => {
      const isCut = !world.isUpstreamCut();
      const text = isCut ? 'cut behind the hub of the gateway: rules go on' : 'restored';
      act(`way to the cloud ${text}`, () => world.cutUpstream(isCut));
    },
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

const halfASecond = () => new Promise<void>((wake) => setTimeout(wake, 500));
/** Then it is left to the figures on the screen. */
const maxLooks = 240;
/** Windows that are on their way while all is well. */
const fewWindows = 9;

/** Once the network is back: how many windows had waited, and how long it took until they had gone. */
async function sayWhatCame(world: World, { say, pause = halfASecond }: LiveOptions): Promise<void> {
  const startedAt = performance.now();
  let waited = 0;
  for (let look = 0; look < maxLooks && world.network.mode().kind === 'up'; look++) {
    const view = runtimeView(await world.runtimeStatus().catch(() => undefined));
    if (view) waited = Math.max(waited, view.spooled.messages);
    if (view?.connected && view.spooled.messages <= fewWindows) {
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      say(`network restored: ${waited} windows that had waited came, ${seconds} s`, 'key');
      return;
    }
    await pause();
  }
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
