// Two network namespaces with two cables between them: the gateway's own, and the far side, where hub and
// equipment are. The uplink's cable is there to be cut; the field's cable stays whole, so that readings
// keep coming during an outage and somebody can watch. Namespaces are isolated from the machine's network and
// from each other: addresses are the same everywhere, and any number of sites can exist at once.
//
// Names carry the process id of their maker. What a maker that was killed has left is removed by the next.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Of 198.18.0.0/15, which is kept for tests of network equipment. */
export const addresses = {
  hub: '198.18.1.1',
  gateway: '198.18.1.2',
  plant: '198.18.2.1',
  gatewayField: '198.18.2.2',
} as const;

/** The uplink's cable, by the same name at both ends. */
export const uplinkDevice = 'uplink';
const fieldDevice = 'field';
const hubName = 'hub.example';
const prefix = 'hf-outage-';
const namespaceFolder = '/run/netns';
/** `ip netns exec` binds what lies here over /etc. */
const etcFolder = '/etc/netns';

export interface SiteNames {
  /** Namespace of the runtime. */
  readonly gateway: string;
  /** Namespace of the hub and the plant. */
  readonly far: string;
}

export { hubName };

/** Runs `ip` with these arguments. */
export async function ip(...args: string[]): Promise<string> {
  return (await run('ip', args)).stdout;
}

/** Whether this process may make namespaces and cables; undefined: it may, else the reason. */
export async function whyNoNamespaces(): Promise<string | undefined> {
  try {
    await (await makeSite(0)).remove();
    return undefined;
  } catch (error) {
    return `network namespaces cannot be made here: ${(error as Error).message.trim()}`;
  }
}

export interface Site extends SiteNames {
  /** Removes the namespaces, and with them the cables. Idempotent. */
  remove(): Promise<void>;
}

/** `number` tells the sites of one process apart. */
export async function makeSite(number: number): Promise<Site> {
  const names = {
    gateway: `${prefix}${process.pid}-${number}-gw`,
    far: `${prefix}${process.pid}-${number}-far`,
  };
  const remove = async () => {
    for (const name of [names.gateway, names.far]) await removeNamespace(name);
  };
  try {
    for (const name of [names.gateway, names.far]) {
      await ip('netns', 'add', name);
      await ip('-n', name, 'link', 'set', 'lo', 'up');
    }
    await layCable(names, uplinkDevice, addresses.gateway, addresses.hub);
    await layCable(names, fieldDevice, addresses.gatewayField, addresses.plant);
    mkdirSync(join(etcFolder, names.gateway), { recursive: true });
    // No name server answers here: what the hosts file does not know is not known.
    writeFileSync(
      join(etcFolder, names.gateway, 'resolv.conf'),
      `nameserver ${addresses.hub}\noptions timeout:1 attempts:1\n`,
    );
    setHubKnown(names, true);
  } catch (error) {
    await remove();
    throw error;
  }
  return { ...names, remove };
}

/** Whether the gateway can resolve the hub's name. Written in place: processes hold the file by a bind mount. */
export function setHubKnown({ gateway }: SiteNames, known: boolean): void {
  const lines = ['127.0.0.1 localhost', ...(known ? [`${addresses.hub} ${hubName}`] : [])];
  writeFileSync(join(etcFolder, gateway, 'hosts'), `${lines.join('\n')}\n`);
}

/** Removes what makers that no longer run have left. */
export async function removeStaleSites(): Promise<void> {
  for (const name of existsSync(namespaceFolder) ? readdirSync(namespaceFolder) : []) {
    if (!name.startsWith(prefix)) continue;
    const maker = name.slice(prefix.length).split('-')[0];
    if (!existsSync(`/proc/${maker}`)) await removeNamespace(name);
  }
}

async function layCable(names: SiteNames, device: string, near: string, far: string): Promise<void> {
  await ip('-n', names.gateway, 'link', 'add', device, 'type', 'veth', 'peer', device, 'netns', names.far);
  for (const [namespace, address] of [
    [names.gateway, near],
    [names.far, far],
  ] as const) {
    await ip('-n', namespace, 'address', 'add', `${address}/30`, 'dev', device);
    await ip('-n', namespace, 'link', 'set', device, 'up');
  }
}

async function removeNamespace(name: string): Promise<void> {
  if (existsSync(join(namespaceFolder, name))) await ip('netns', 'delete', name);
  rmSync(join(etcFolder, name), { recursive: true, force: true });
}
