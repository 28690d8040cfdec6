// One site of a world: a gateway, its way to the cloud and its equipment, and the faults of its machines.
import type { EdgeHub } from './edge-hub.ts';
import type { Equipment } from './equipment.ts';
import type { Fault } from './faults.ts';
import type { Gateway } from './gateway.ts';
import type { Hub } from './hub.ts';
import type { Link } from './link.ts';
import type { State } from './meetings.ts';
import { putRight, sourcesOf } from './twin.ts';
import type { WorldTime } from './world-time.ts';

export interface Site {
  readonly gateway: Gateway;
  readonly link: Link;
  readonly edgeHub: EdgeHub | undefined;
  readonly isTight: boolean;
  /** Elapsed time of the last trouble. */
  troubledAt: number;
  readonly equipment: readonly Equipment[];
  /** The twin names a source where it is not, and what ran before has nothing to show that it worked. */
  isAstray: boolean;
  /** The twin named a source otherwise. */
  isRefit: boolean;
  /** When equipment was last put elsewhere, elapsed ms. */
  movedAt: number;
  /** From then on, by elapsed time, a long backlog goes up beside live data. */
  backlogAt: number | undefined;
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
    case 'equipment-restart': {
      const equipment = site.equipment[fault.source]!;
      equipment.isOff = true;
      later(fault.forMs, () => {
        equipment.isOff = false;
        equipment.forget();
      });
      return;
    }
    case 'equipment-clock': {
      const equipment = site.equipment[fault.source]!;
      equipment.setClock(fault.stepMs);
      later(fault.forMs, () => equipment.setClock(0));
      return;
    }
    case 'slow-disk':
      site.gateway.slowDisk(fault.opMs, fault.forMs);
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

/** All that was broken is whole again; a clock that was set is put right by itself, soon after. */
export function healSite(site: Site, hub: Hub): void {
  const { gateway, link, edgeHub, equipment } = site;
  site.isAstray = false;
  site.backlogAt = undefined;
  edgeHub?.upstream.set('up');
  link.set('up');
  link.latencyMs = 20;
  gateway.mendDisk();
  const device = hub.device(gateway.deviceId);
  if (device.version > 1) hub.desire(gateway.deviceId, { sources: sourcesOf(equipment) });
  device.trouble = undefined;
  if (device.refusedSince !== undefined) hub.desire(gateway.deviceId, putRight);
  for (const each of equipment) {
    each.isReachable = true;
    each.isOff = false;
    each.setClock(0);
  }
  gateway.start();
}

/** What keeps live data of a site from coming. */
export function troublesOf(
  { gateway, link, edgeHub, equipment, isAstray, isRefit }: Site,
  hub: Hub,
): readonly string[] {
  const isRefused = hub.device(gateway.deviceId).refusedSince !== undefined;
  const troubles = {
    process: !gateway.isRunning || !gateway.isPowered || gateway.upMs < 60_000,
    disk: gateway.isDiskRefusing,
    link: link.state !== 'up' || link.latencyMs > 20,
    edgeHub: edgeHub !== undefined && (edgeHub.held > 20 || edgeHub.upstream.state !== 'up'),
    client: hub.device(gateway.deviceId).trouble !== undefined,
    equipment: equipment.some((each) => !each.answers || Object.keys(each.habit).length > 0),
    clock: gateway.wall.offsetMs !== 0,
    twin: isAstray,
    // Of a twin that is refused nothing takes effect. With its store the module lost its last good configuration, and it
    // may have read no other before the one that is refused.
    refit: isRefused && isRefit,
    configuration: isRefused && gateway.lostStorageAt > Number.NEGATIVE_INFINITY,
    hub: hub.loses > 0 || hub.delays.count > 0,
  };
  return Object.entries(troubles).flatMap(([name, holds]) => (holds ? [name] : []));
}

/** A process counts as starting for so long. */
const startingMs = 10_000;

/** In which states any of them is. */
export function statesOf(sites: readonly Site[]): readonly State[] {
  const some = (of: (site: Site) => boolean) => sites.some(of);
  const holding: readonly (readonly [State, boolean])[] = [
    ['down', some(({ gateway }) => !gateway.isRunning)],
    ['starting', some(({ gateway }) => gateway.isRunning && gateway.upMs < startingMs)],
    ['cut off', some(({ link }) => link.state !== 'up')],
    ['edgeHub holds', some(({ edgeHub }) => (edgeHub?.held ?? 0) > 0)],
    ['equipment away', some(({ equipment }) => equipment.some(({ answers }) => !answers))],
    ['clock wrong', some(({ gateway }) => gateway.wall.offsetMs !== 0)],
    ['tight', some(({ isTight }) => isTight)],
  ];
  return holding.flatMap(([state, holds]) => (holds ? [state] : []));
}
