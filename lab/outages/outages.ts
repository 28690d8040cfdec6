// The outages, as data: how each begins, what goes on meanwhile, how it ends.
import type { Hub } from '../hub/hub-port.ts';
import { addresses, ip, type SiteNames, setHubKnown, uplinkDevice } from './site.ts';

export interface Scene {
  readonly site: SiteNames;
  readonly hub: Hub;
}

export interface Outage {
  /** What an operator would say. */
  readonly what: string;
  /** It lets some messages through; all others must not, or the outage was none. */
  readonly isLeaky?: boolean;
  begin(scene: Scene, durationMs: number): Promise<unknown> | undefined;
  /** Each second while it lasts; `second` counts from 1. */
  eachSecond?(scene: Scene, second: number): Promise<unknown> | undefined;
  end(scene: Scene): Promise<unknown> | undefined;
}

const cable = (end: 'gateway' | 'far', state: 'up' | 'down') => (scene: Scene) =>
  ip('-n', scene.site[end], 'link', 'set', uplinkDevice, state);

const hubAddress = (action: 'add' | 'delete') => (scene: Scene) =>
  ip('-n', scene.site.far, 'address', action, `${addresses.hub}/30`, 'dev', uplinkDevice);

const route = (end: 'gateway' | 'far', kind: 'blackhole' | 'unreachable', to: string) => ({
  begin: (scene: Scene) => ip('-n', scene.site[end], 'route', 'add', kind, `${to}/32`),
  end: (scene: Scene) => ip('-n', scene.site[end], 'route', 'delete', kind, `${to}/32`),
});

/** Cut everything; the reset reaches the gateway only if the cable lets it. */
const cut = async (scene: Scene) => {
  scene.hub.drop(['device']);
};

const restart = (certificate: 'new-ca' | 'expired' | 'wrong-name' | 'renewed' | 'same', downMs: number) => {
  return (scene: Scene) => scene.hub.restart({ downMs, certificate, where: ['device'] });
};

const faulty = (faults: Parameters<Hub['setFaults']>[0]) => ({
  begin: (scene: Scene) => scene.hub.setFaults(faults),
  end: (scene: Scene) => scene.hub.clearFaults(),
});

/** The hub is gone for the whole outage; `end` waits until it is back. */
function gone(certificate: 'new-ca' | 'same') {
  const back = new WeakMap<Hub, Promise<void>>();
  return {
    async begin(scene: Scene, durationMs: number) {
      back.set(scene.hub, restart(certificate, durationMs)(scene));
    },
    end: async (scene: Scene) => back.get(scene.hub),
  };
}

export const outages = {
  'cable-out': {
    what: "the cable is out of the gateway's own socket",
    begin: cable('gateway', 'down'),
    end: cable('gateway', 'up'),
  },
  'far-cable-out': {
    what: 'the cable is out at the far end: no carrier',
    begin: cable('far', 'down'),
    end: cable('far', 'up'),
  },
  'black-hole': {
    what: 'packets vanish in both directions, the cable looks well',
    // A neighbour entry that holds: else the gateway would notice that nobody answers at that address.
    async begin(scene) {
      const links = JSON.parse(await ip('-n', scene.site.far, '-j', 'link', 'show', uplinkDevice));
      const { gateway } = scene.site;
      const to = ['to', addresses.hub, 'lladdr', links[0].address, 'dev', uplinkDevice];
      await ip('-n', gateway, 'neighbour', 'replace', ...to, 'nud', 'permanent');
      await hubAddress('delete')(scene);
    },
    async end(scene) {
      await hubAddress('add')(scene);
      await ip('-n', scene.site.gateway, 'neighbour', 'delete', 'to', addresses.hub, 'dev', uplinkDevice);
    },
  },
  'no-answers': {
    what: 'what the gateway sends arrives, what the hub answers vanishes',
    isLeaky: true,
    ...route('far', 'blackhole', addresses.gateway),
  },
  'no-route': { what: 'the gateway has no route', ...route('gateway', 'unreachable', addresses.hub) },
  'dns-gone': {
    what: 'the connection is cut and the name is not resolved any more',
    async begin(scene) {
      setHubKnown(scene.site, false);
      await cut(scene);
    },
    end: async (scene) => setHubKnown(scene.site, true),
  },
  'half-open': {
    what: 'the hub loses the connection while no packet passes: the gateway believes it is open',
    async begin(scene) {
      await cable('far', 'down')(scene);
      await cut(scene);
    },
    end: cable('far', 'up'),
  },
  flapping: {
    what: 'one second without the cable, one with it',
    isLeaky: true,
    begin: cable('far', 'down'),
    eachSecond: (scene, second) => cable('far', second % 2 === 1 ? 'up' : 'down')(scene),
    end: cable('far', 'up'),
  },
  refused: {
    what: 'the hub refuses connections',
    async begin(scene) {
      await scene.hub.setFaults({ refuse: ['device'] });
      await cut(scene);
    },
    end: (scene) => scene.hub.clearFaults(),
  },
  frozen: { what: 'the hub neither reads nor writes', ...faulty({ stall: ['device'] }) },
  'forced-close': {
    what: 'the hub closes each connection by force, again each second',
    isLeaky: true,
    begin: async (scene) => scene.hub.close(['device']),
    eachSecond: async (scene) => scene.hub.close(['device']),
    end: async () => {},
  },
  throttled: { what: 'the hub rejects all messages as too many', ...faulty({ throttle: true }) },
  'settled-never': {
    what: 'the hub takes messages and never settles them',
    ...faulty({ neverSettle: true }),
  },
  'stored-never-settled': {
    what: 'the hub stores messages and never settles them',
    isLeaky: true,
    ...faulty({ neverSettle: 'store' }),
  },
  restarted: { what: 'the hub is down', ...gone('same') },
  'other-authority': {
    what: 'the hub is down and comes back with the certificate of another authority',
    ...gone('new-ca'),
  },
  'expired-certificate': {
    what: "the hub's certificate has expired",
    begin: restart('expired', 0),
    end: restart('renewed', 0),
  },
  'wrong-name': {
    what: "the hub's certificate has another name",
    begin: restart('wrong-name', 0),
    end: restart('renewed', 0),
  },
} as const satisfies Record<string, Outage>;

export type OutageName = keyof typeof outages;

export function isOutageName(text: string): text is OutageName {
  return Object.hasOwn(outages, text);
}
