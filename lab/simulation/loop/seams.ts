// The seams where a planted fault enters: around what production code is given from outside. Where nothing is planted, a
// seam returns its input.
import type { Database } from '../../../cloud-lite/database/database.ts';
import type { EventSource } from '../../../cloud-lite/ingest/event-source.ts';
import type { HubMethods } from '../../../cloud-lite/repair/hub-methods.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Source } from '../../../runtime/sources/source.ts';
import type { Store } from '../../../runtime/spool/engine/store.ts';
import type { Spool, SpoolOptions } from '../../../runtime/spool/spool.ts';
import type { EdgeClient } from '../../../runtime/uplink/edge-client.ts';
import type { HubPartitions } from './hub.ts';

export interface Seams {
  source(source: Source): Source;
  store(store: Store): Store;
  /** `clock`: the process's, with the machine's own wall clock. */
  spool(options: SpoolOptions, clock: Clock): SpoolOptions;
  /** What the module has once it is open. */
  opened(spool: Spool): Spool;
  client(client: EdgeClient): EdgeClient;
  database(database: Database): Database;
  events(source: EventSource): EventSource;
  hub(hub: HubMethods): HubMethods;
  /** What a detector reads. */
  partitions(hub: HubPartitions): HubPartitions;
  /** Of the model of a detector. */
  readonly order: DetectorOrder;
}

/** In which order it does what a crash may come between. */
export interface DetectorOrder {
  readonly offsetsFirst?: boolean;
  readonly sendsFirst?: boolean;
}

const same = <T>(given: T): T => given;

export const noFault: Seams = {
  source: same,
  store: same,
  spool: same,
  opened: same,
  client: same,
  database: same,
  events: same,
  hub: same,
  partitions: same,
  order: {},
};
