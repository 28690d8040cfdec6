// What a simulated gateway is made of.
import type { Log } from '../../../kernel/log.ts';
import type { Equipment } from './equipment.ts';
import type { Hub } from './hub.ts';
import type { Link } from './link.ts';
import type { Seams } from './seams.ts';
import type { Trace } from './trace.ts';
import type { WorldTime } from './world-time.ts';

export interface GatewayOptions {
  readonly deviceId: string;
  readonly equipment: readonly Equipment[];
  readonly link: Link;
  readonly hub: Hub;
  readonly time: WorldTime;
  readonly trace: Trace;
  readonly seed: number;
  readonly seams: Seams;
  /** Room for all that is stored. Absent: as much as is needed. */
  readonly spoolBytes?: number | undefined;
  /** What was not sent goes after so long. Absent: never. */
  readonly unsentMs?: number | undefined;
  /** Where there is no room, sources that can be asked again wait, and nothing unsent goes. */
  readonly holdsBack?: boolean;
  /** Each operation of the disk takes so long. */
  readonly diskMs?: number | undefined;
  /** Largest message, so that windows come in parts. Absent: the hub's own limit. */
  readonly messageBytes?: number | undefined;
  /** What is stored is sealed from the first start on. */
  readonly isSealed?: boolean;
  readonly log?: Log;
}
