// A roll-out in rings: a configuration goes to one ring after the other, each only once all of the ring before run it; one
// gateway that refuses it, or takes it back, ends it. Who runs what is asked of the detector, as its page shows it.
import type { ConfigurationPage, ConfigurationView } from '../../cloud-lite/gateways/gateways.ts';

export interface Ring {
  /** The value of the gateways' tag `ring`. */
  readonly name: string;
  readonly gateways: readonly string[];
}

export interface RollOutOptions {
  readonly rings: readonly Ring[];
  /** Sends the configuration to the ring's gateways. */
  readonly send: (ring: Ring) => Promise<void>;
  /** By ring. */
  readonly look: () => Promise<ConfigurationPage>;
  readonly wait: () => Promise<void>;
  /** Of the configuration that all run before. */
  readonly former: string;
  readonly say: (text: string) => void;
}

export type Verdict =
  | { readonly kind: 'done' }
  | { readonly kind: 'wait'; readonly applied: number }
  | { readonly kind: 'stop'; readonly bad: number };

/** Rings that were sent the configuration; the last one stopped the roll-out where it did not go through. */
export async function rollOut(
  options: RollOutOptions,
): Promise<{ readonly touched: readonly Ring[]; readonly isThrough: boolean }> {
  const { rings, send, look, wait, former, say } = options;
  const touched: Ring[] = [];
  for (const ring of rings) {
    touched.push(ring);
    await send(ring);
    for (;;) {
      const verdict = judgeRing((await look()).configurations, ring, former);
      if (verdict.kind === 'stop') {
        say(
          `ring ${ring.name}: ${verdict.bad} of ${ring.gateways.length} refuse it or took it back: stopped`,
        );
        return { touched, isThrough: false };
      }
      if (verdict.kind === 'done') break;
      await wait();
    }
    say(`ring ${ring.name}: all ${ring.gateways.length} run it`);
  }
  return { touched, isThrough: true };
}

/** What the ring's gateways say of any other configuration than the former. */
export function judgeRing(
  configurations: readonly ConfigurationView[],
  { name, gateways }: Ring,
  former: string,
): Verdict {
  const fresh = configurations.filter(({ group, hash }) => group === name && hash !== former);
  const count = (states: readonly (keyof ConfigurationView['states'])[]) =>
    fresh.reduce((sum, each) => sum + states.reduce((all, state) => all + each.states[state], 0), 0);
  const bad = count(['refused', 'reverted']);
  if (bad > 0) return { kind: 'stop', bad };
  const applied = count(['applied']);
  return applied === gateways.length ? { kind: 'done' } : { kind: 'wait', applied };
}
