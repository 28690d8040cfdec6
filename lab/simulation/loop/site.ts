// One site of a world: a gateway, its way to the cloud and its equipment, and the faults of its machines.
import type { EdgeHub } from './edge-hub.ts';
import type { Equipment } from './equipment.ts';
import type { Fault } from './faults.ts';
import type { Gateway } from './gateway.ts';
import type { Link } from './link.ts';
import type { WorldTime } from './world-time.ts';

export interface Site {
  readonly gateway: Gateway;
  readonly link: Link;
  readonly edgeHub: EdgeHub | undefined;
  readonly isTight: boolean;
  readonly equipment: readonly Equipment[];
}

/** Of equipment, disk and wall clock. */
export function befallMachine(fault: Fault, site: Site, time: WorldTime): void {
  const later = (ms: number, work: () => void) => time.setTimer(ms, work);
  switch (fault.kind) {
    case 'unplug': {
      const equipment = site.equipment[fault.source]!;
      equipment.isReachable = false;
      later(fault.forMs, () => {
        equipment.isReachable = true;
      });
      return;
    }
    case 'habit': {
      const equipment = site.equipment[fault.source]!;
      equipment.habit = fault.habit;
      later(fault.forMs, () => {
        equipment.habit = {};
      });
      return;
    }
    case 'forget':
      site.equipment[fault.source]!.forget();
      return;
    case 'disk-full':
      site.gateway.refuse(fault.operations, 'ENOSPC', fault.count);
      return;
    case 'disk-error':
      site.gateway.refuse(fault.operations, 'EIO', fault.count);
      return;
    case 'clock':
      site.gateway.wall.offsetMs += fault.stepMs;
      later(60_000, () => {
        site.gateway.wall.offsetMs -= fault.stepMs;
      });
      return;
  }
}

/** The way up is cut for longer than the store keeps anything. */
export function expireAtTheEdge(edgeHub: EdgeHub, forMs: number, time: WorldTime): void {
  edgeHub.timeToLiveMs = forMs / 2;
  edgeHub.upstream.set('down');
  time.setTimer(forMs, () => {
    edgeHub.upstream.set('up');
    // What is still there by now is younger.
    time.setTimer(forMs, () => {
      edgeHub.timeToLiveMs = Number.POSITIVE_INFINITY;
    });
  });
}
