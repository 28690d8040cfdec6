// The dashboard that the demo's detector serves: built when its sources changed, at an address that stays the
// same through the detector's lives.
import { type AddressInfo, createServer } from 'node:net';
import { ensureDashboard } from '../../cloud-lite/dashboard/build.ts';

export interface DemoDashboard {
  readonly folder: string;
  readonly port: number;
  readonly url: string;
}

const preferredPort = 8080;

/** For requests, cancellations and waivers. No secret: all of it is on this machine's loopback, and made up. */
export const demoToken = 'holdfast-demo-token';

export async function prepareDashboard(): Promise<DemoDashboard> {
  const [folder, port] = await Promise.all([
    ensureDashboard(),
    tryPort(preferredPort).catch(() => tryPort(0)),
  ]);
  return { folder, port, url: `http://127.0.0.1:${port}/` };
}

/** Whether the port is free now, and which one it is for 0. */
function tryPort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const { port: found } = server.address() as AddressInfo;
      server.close(() => resolve(found));
    });
  });
}
