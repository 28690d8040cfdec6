// A forwarder whose limits can change: one takes the other's place. What the old one had taken it gives back, so the
// new one sends some of it again; what was used of the day goes on counting.
import { createForwarder } from './forwarder.ts';
import type { Forwarder, ForwarderOptions, ForwarderState } from './forwarder-api.ts';
import type { ForwarderLimits } from './forwarder-limits.ts';
import type { LaneName } from './lanes.ts';
import type { DayUse } from './rate-caps.ts';

export interface ForwarderSlot extends Forwarder {
  setLimits(limits: Partial<ForwarderLimits>): Promise<void>;
}

/** How long acknowledgements are waited for before the new one takes over. */
const handOverMs = 1000;

export function createForwarderSlot(
  options: Omit<ForwarderOptions, 'limits'>,
  limits: Partial<ForwarderLimits>,
): ForwarderSlot {
  const make = (wanted: Partial<ForwarderLimits>, dayUse: DayUse | undefined) => {
    const { dayUse: _, ...rest } = options;
    return createForwarder({ ...rest, limits: wanted, ...(dayUse && { dayUse }) });
  };
  let current = make(limits, options.dayUse);
  let isStarted = false;
  let isStopped = false;
  let before: Pick<ForwarderState, 'sent' | 'sentBytes' | 'failed' | 'rejected'> | undefined;

  const state = (): ForwarderState => {
    const now = current.state();
    if (!before) return now;
    const { sent, sentBytes, failed, rejected } = before;
    const total = (lane: LaneName) => sent[lane] + now.sent[lane];
    return {
      ...now,
      sent: { live: total('live'), backlog: total('backlog'), backfill: total('backfill') },
      sentBytes: sentBytes + now.sentBytes,
      failed: failed + now.failed,
      rejected: rejected + now.rejected,
    };
  };

  return {
    start() {
      isStarted = true;
      current.start();
    },
    state,
    async setLimits(wanted) {
      await current.stop(handOverMs);
      if (isStopped) return;
      before = state();
      current = make(wanted, before && current.state().dayUse);
      if (isStarted) current.start();
    },
    async stop(drainMs) {
      isStopped = true;
      await current.stop(drainMs);
    },
  };
}
