// What befalls the module's process, its machine's power and its link.
import type { Fault } from './faults.ts';
import type { Gateway } from './gateway.ts';
import type { Hub } from './hub.ts';
import type { Site } from './site.ts';
import { changeOf, sourcesOf } from './twin.ts';
import type { WorldTime } from './world-time.ts';

export interface ModuleParts {
  readonly time: WorldTime;
  readonly hub: Hub;
  /** A process was ended by force. */
  readonly crashed: () => void;
}

/** How long a hub takes little at a time. */
export const backlogMs = 200_000;
/** What ran for so long without trouble is known to work. */
const provenMs = 60_000;

/** Of the process, its power and its link. */
export async function befallModule(fault: Fault, site: Site, parts: ModuleParts): Promise<void> {
  const { time, hub, crashed } = parts;
  const { gateway, link } = site;
  const later = (ms: number, work: () => void) => time.setTimer(ms, work);
  switch (fault.kind) {
    case 'kill':
      if (!gateway.isRunning) return;
      crashed();
      await gateway.kill();
      later(fault.forMs, () => gateway.start());
      return;
    case 'stop':
      await gateway.stop();
      later(fault.forMs, () => gateway.start());
      return;
    case 'power-cut':
      gateway.planPowerCut(fault.operations);
      return;
    case 'power-cuts':
      gateway.planPowerCuts(fault.operations);
      return;
    case 'boot-1970':
      await during(parts, gateway, 'cutPower', fault.forMs, () => {
        const { wall } = gateway;
        const wrongBy = -time.wall;
        wall.offsetMs += wrongBy;
        later(fault.wrongMs, () => {
          wall.offsetMs -= wrongBy;
        });
      });
      return;
    case 'bit-flips':
      await during(parts, gateway, 'cutPower', fault.forMs, () => gateway.flipBits(fault.count));
      return;
    case 'key-change':
    case 'key-loss':
      await during(parts, gateway, fault.isKilled ? 'kill' : 'stop', fault.forMs, () =>
        gateway.changeKeys(fault.kind === 'key-loss'),
      );
      return;
    case 'upgrade':
    case 'downgrade':
      // A version that does not know what was kept needs a twin that it does understand.
      hub.desire(gateway.deviceId, fault.kind === 'downgrade' ? { windows: null } : changeOf(fault.choice));
      await during(parts, gateway, fault.isKilled ? 'kill' : 'stop', fault.forMs, () =>
        gateway.upgrade(fault.choice, fault.kind === 'downgrade'),
      );
      return;
    case 'refit':
    case 'narrow':
      befallTwin(fault, site, parts);
      return;
    case 'client': {
      const device = hub.device(gateway.deviceId);
      device.trouble = fault.trouble;
      later(fault.forMs, () => {
        device.trouble = undefined;
      });
      return;
    }
    case 'link':
      link.set(fault.state);
      later(fault.forMs, () => link.set('up'));
      return;
    case 'flap':
      for (let n = 0; n < fault.times; n++) {
        later(n * 4000, () => link.set('down'));
        later(n * 4000 + 2000, () => link.set('up'));
      }
      return;
    case 'slow-link':
      link.latencyMs = fault.latencyMs;
      later(fault.forMs, () => {
        link.latencyMs = 20;
      });
      return;
  }
}

/** The process ends in that way, something is done to the machine, and it starts again. */
async function during(
  { time, crashed }: ModuleParts,
  gateway: Gateway,
  how: 'cutPower' | 'kill' | 'stop',
  forMs: number,
  change: () => void | Promise<void>,
): Promise<void> {
  if (!gateway.isRunning) return;
  if (how !== 'stop') crashed();
  await gateway[how]();
  // It was started again meanwhile: by another fault.
  if (gateway.isRunning) return;
  await change();
  time.setTimer(forMs, () => gateway.start());
}

/** Somebody changes what the twin says, and changes it back. */
function befallTwin(fault: Fault, site: Site, { time, hub }: ModuleParts): void {
  const { gateway, link } = site;
  const later = (ms: number, work: () => void) => time.setTimer(ms, work);
  switch (fault.kind) {
    case 'refit': {
      const { equipment } = site;
      const changed = equipment[fault.source]!;
      const n = Math.round(fault.at);
      // What worked for long comes back by itself; of other settings nobody can tell that they did.
      site.isAstray ||= fault.how === 'elsewhere' && time.elapsed - site.troubledAt < provenMs;
      site.isRefit = true;
      if (fault.how === 'moved') {
        site.movedAt = time.elapsed;
        changed.host = `moved-${changed.plan.name}-${n}`;
      }
      hub.desire(gateway.deviceId, { sources: sourcesOf(equipment, changed, fault.how, n % 1000) });
      if (fault.how !== 'moved')
        later(fault.forMs, () => {
          site.isAstray = false;
          hub.desire(gateway.deviceId, { sources: sourcesOf(equipment) });
        });
      return;
    }
    case 'narrow':
      hub.desire(gateway.deviceId, { uplink: { caps: { messagesPerSecond: 0.8 * site.equipment.length } } });
      // Once the module has it.
      later(5000, () => link.set('down'));
      site.backlogAt = time.elapsed + fault.forMs;
      later(fault.forMs, () => link.set('up'));
      later(fault.forMs + backlogMs, () => hub.desire(gateway.deviceId, { uplink: { caps: null } }));
      return;
  }
}
