// The gateway's way to the hub through two network namespaces with a real cable between them (lab/outages/site.ts): what the kernel
// does to connections when a cable is out, a route is a black hole, or packets are lost. Hub and module stay where they are:
// sockets with a path lead from outside into either namespace. Needs root and `ip`.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addresses, ip, makeSite, removeStaleSites, type SiteNames, uplinkDevice } from '../outages/site.ts';
import { type Fault, lasting, pause } from './faults.ts';
import { type Place, passOn } from './pass-on.ts';

export interface CabledWay {
  readonly faults: readonly Fault[];
  /** A way to this port of the machine; where it begins. */
  to(port: number): Promise<{ readonly port: number; close(): Promise<void> }>;
  remove(): Promise<void>;
}

const farPort = 5671;

export async function layWay(): Promise<CabledWay> {
  await removeStaleSites();
  const site = await makeSite(1);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-cable-'));
  const [into, outOf] = [join(folder, 'into'), join(folder, 'out-of')];
  const ends: ChildProcess[] = [];
  const end = async (namespace: string, from: Place, to: Place) =>
    void ends.push(await startEnd(namespace, from, to));
  return {
    faults: await cableFaults(site),
    async to(port) {
      const leave = await passOn({ path: outOf }, { host: '127.0.0.1', port });
      const far = { host: addresses.hub, port: farPort };
      await end(site.far, far, { path: outOf });
      await end(site.gateway, { path: into }, far);
      const enter = await passOn({ host: '127.0.0.1', port: 0 }, { path: into });
      return {
        port: enter.port,
        close: async () => void (await Promise.all([enter.close(), leave.close()])),
      };
    },
    async remove() {
      for (const child of ends) child.kill('SIGKILL');
      await site.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startEnd(namespace: string, from: Place, to: Place): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'cable-end.ts');
  const args = ['netns', 'exec', namespace, process.execPath, script, JSON.stringify({ from, to })];
  const child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the end of the cable in ${namespace} ended with ${code}`);
  });
  ended.catch(() => {});
  await Promise.race([once(child.stdout!, 'data'), ended]);
  return child;
}

async function cableFaults({ gateway, far }: SiteNames): Promise<readonly Fault[]> {
  const during = (name: string, begin: () => Promise<unknown>, end: () => Promise<unknown>): Fault => {
    // Two of a kind at once would undo each other, and the second could not be made.
    let last: Promise<unknown> = Promise.resolve();
    const one = async (ms: number, signal: AbortSignal) => {
      if (signal.aborted) return;
      await begin();
      await pause(ms, signal);
      await end();
    };
    return {
      name: `${name} (network namespace)`,
      run(_, random, signal) {
        const mine = last.then(() => one(lasting(random), signal));
        last = mine.catch(() => {});
        return mine;
      },
    };
  };
  const cable = (namespace: string, state: 'up' | 'down') =>
    ip('-n', namespace, 'link', 'set', uplinkDevice, state);
  const route = (action: 'add' | 'delete') =>
    ip('-n', gateway, 'route', action, 'blackhole', `${addresses.hub}/32`);
  const netem = (...what: string[]) =>
    ip('netns', 'exec', gateway, 'tc', 'qdisc', what[0]!, 'dev', uplinkDevice, 'root', ...what.slice(1));
  const badLine = ['netem', 'loss', '20%', 'delay', '200ms', '100ms', 'duplicate', '5%', 'reorder', '10%'];
  const hasNetem = await netem('add', ...badLine).then(
    () => netem('del').then(() => true),
    () => false,
  );
  return [
    during(
      'cable out at the gateway',
      () => cable(gateway, 'down'),
      () => cable(gateway, 'up'),
    ),
    during(
      'cable out at the far end',
      () => cable(far, 'down'),
      () => cable(far, 'up'),
    ),
    during(
      'a route that is a black hole',
      () => route('add'),
      () => route('delete'),
    ),
    ...(hasNetem
      ? [
          during(
            'packets lost, late, twice and out of order',
            () => netem('add', ...badLine),
            () => netem('del'),
          ),
        ]
      : []),
  ];
}
