// A hub, another module that sends through it, and what reaches the cloud: for tests that start the real module between them.
import type device from 'azure-iot-device';
import { type CloudTap, type CloudTapOptions, startCloudTap } from '../../lab/demo/cloud-tap.ts';
import { type Hub, startHub } from '../../lab/hub/hub.ts';
import { moduleClient } from '../../lab/hub/testing/clients.ts';

const deviceId = 'gateway';

export interface SenderSite {
  readonly hub: Hub;
  readonly tap: CloudTap;
  readonly sender: device.ModuleClient;
  /** What the module needs to reach the hub. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export interface SenderSiteOptions {
  /** From the module's outputs to the sender's inputs. */
  readonly back?: Readonly<Record<string, string>>;
  readonly onMessage?: CloudTapOptions['onMessage'];
}

/** `routes`: from the sender's outputs to the module's inputs. */
export async function openSenderSite(
  routes: Readonly<Record<string, string>>,
  { back = {}, onMessage }: SenderSiteOptions = {},
): Promise<SenderSite> {
  const hub = await startHub({ strictMessageIds: true });
  const tap = startCloudTap({
    connectionString: hub.eventHubConnectionString,
    ...(onMessage && { onMessage }),
  });
  for (const [output, input] of Object.entries(routes))
    hub.route({ deviceId, from: 'sensor', output, to: 'holdfast', input });
  for (const [output, input] of Object.entries(back))
    hub.route({ deviceId, from: 'holdfast', output, to: 'sensor', input });
  const sender = await moduleClient(hub, hub.deviceConnectionString(deviceId, 'sensor'));
  await sender.open();
  return {
    hub,
    tap,
    sender,
    env: {
      NODE_EXTRA_CA_CERTS: hub.caFile,
      HOLDFAST_CONNECTION_STRING: hub.deviceConnectionString(deviceId, 'holdfast'),
    },
    async close() {
      await sender.close();
      await tap.close();
      await hub.stop();
    },
  };
}
