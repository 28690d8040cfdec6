import type { WireMessage } from '../../../wire/mini-batch.ts';
import type { EdgeClient, EdgeClientEvents, MakeEdgeClient } from '../edge-client.ts';
import type { TwinObject } from '../merge-patch.ts';

/** What a fake client does at each step; a promise that never settles is how the library hangs. */
export interface FakeClientScript {
  make?: () => Promise<void>;
  open?: () => Promise<void>;
  serveMethods?: () => Promise<void>;
  watchDesired?: () => Promise<void>;
  readDesired?: () => Promise<Record<string, unknown>>;
  reported?: TwinObject;
  report?: (patch: TwinObject) => Promise<void>;
  send?: (message: WireMessage) => Promise<boolean>;
  close?: () => Promise<void>;
}

export interface FakeClient {
  readonly events: EdgeClientEvents;
  discarded: boolean;
  opened: boolean;
  /** Its inputs are attached. */
  receivesInputs: boolean;
  readonly sent: WireMessage[];
  readonly reports: TwinObject[];
}

export const never = new Promise<never>(() => {});

/** Clients in the order in which they were made, each doing what `script` says at that time. */
export function fakeEdgeClients(script: FakeClientScript): { make: MakeEdgeClient; clients: FakeClient[] } {
  const clients: FakeClient[] = [];
  const make: MakeEdgeClient = async (events) => {
    const fake: FakeClient = {
      ...{ events, discarded: false, opened: false, receivesInputs: false },
      sent: [],
      reports: [],
    };
    clients.push(fake);
    await script.make?.();
    return toClient(fake, script);
  };
  return { make, clients };
}

function toClient(fake: FakeClient, script: FakeClientScript): EdgeClient {
  return {
    target: { host: 'hub', port: 5671 },
    async open() {
      await script.open?.();
      fake.opened = true;
    },
    async serveMethods() {
      await script.serveMethods?.();
    },
    async watchDesired() {
      await script.watchDesired?.();
    },
    readTwin: async () => ({
      desired: (await script.readDesired?.()) ?? { $version: 1 },
      reported: script.reported ?? {},
    }),
    async receiveInputs() {
      fake.receivesInputs = true;
    },
    async report(patch) {
      await script.report?.(patch);
      fake.reports.push(patch);
    },
    async send(message) {
      const accepted = (await script.send?.(message)) ?? true;
      if (accepted) fake.sent.push(message);
      return accepted;
    },
    async close() {
      await script.close?.();
    },
    discard() {
      fake.discarded = true;
    },
  };
}
