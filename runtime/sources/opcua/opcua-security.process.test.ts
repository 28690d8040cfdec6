// Who trusts whom: certificates, users, and what a refusal says.
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, hasReadings, serverUnderTest } from './testing/server-under-test.ts';

const server = serverUnderTest();
const { begin, folder, sourceOf } = server;

describe('security', () => {
  const secure = { security: { mode: 'SignAndEncrypt', policy: 'Basic256Sha256' } };

  it('refuses a server that nobody trusts, says where its certificate goes, and reads it once it is there', async () => {
    const own = join(folder, 'careful');
    const source = sourceOf(secure, { folder: own });
    const error = await failure(source);
    expect(error.code).toBe('opcua-certificate-untrusted');
    const [, saved, to] = /saved as (\S+): .* put it at (\S+)$/.exec(error.message)!;
    expect(dirname(saved!)).toBe(join(own, 'rejected'));
    expect(dirname(to!)).toBe(join(own, 'trusted'));
    renameSync(saved!, to!);
    const run = begin(source);
    await run.until(hasReadings(20));
    expect(run.sink.breaches()).toEqual([]);
  });

  it.each(['Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'])('speaks %s, and Sign alone', async (policy) => {
    const own = join(folder, 'careful');
    for (const mode of ['Sign', 'SignAndEncrypt']) {
      const run = begin(sourceOf({ security: { mode, policy } }, { folder: own }));
      await run.until(hasReadings(10));
      await run.stop();
    }
  });

  it('takes the strongest security that the server offers, unless it is told otherwise', async () => {
    const error = await failure(sourceOf({ security: {} }, { folder: join(folder, 'other') }));
    expect(error.code).toBe('opcua-certificate-untrusted');
  });

  it('finds the server that is named among those that a server knows of, or says which there are', async () => {
    const security = { mode: 'None' };
    const named = begin(sourceOf({ security, applicationUri: server.plant.info.namespaceUri }));
    await named.until(hasReadings(10));
    const error = await failure(sourceOf({ security, applicationUri: 'urn:nobody' }));
    expect(error.code).toBe('opcua-no-endpoint');
    expect(error.message).toContain(`It knows: ${server.plant.info.namespaceUri}`);
  });

  it('keeps its own certificate', async () => {
    const names = readdirSync(join(folder, 'careful', 'own')).sort();
    expect(names).toEqual(['certificate.pem', 'key.pem']);
  });

  it('signs a user in by the password in a file, and says who was refused', async () => {
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, `${server.plant.info.user.password}\n`);
    const as = (identity: object) => sourceOf({ ...secure, identity }, { folder: join(folder, 'careful') });
    const run = begin(as({ kind: 'user', name: 'operator', passwordFile }));
    await run.until(hasReadings(10));
    const wrong = join(folder, 'wrong-password');
    writeFileSync(wrong, 'guess');
    const refused = await failure(as({ kind: 'user', name: 'operator', passwordFile: wrong }));
    expect(refused.code).toBe('opcua-identity-refused');
    expect(refused.message).toContain("'operator'");
    const missing = await failure(as({ kind: 'user', name: 'operator', passwordFile: join(folder, 'none') }));
    expect(missing.code).toBe('opcua-identity-missing');
    const environment = { OPC_PASSWORD: server.plant.info.user.password };
    const fromEnvironment = sourceOf(
      { ...secure, identity: { kind: 'user', name: 'operator', passwordEnvironment: 'OPC_PASSWORD' } },
      { folder: join(folder, 'careful'), environment },
    );
    await begin(fromEnvironment).until(hasReadings(10));
  });

  it('signs in with a certificate of the user', async () => {
    const own = join(folder, 'careful');
    const certificateFile = join(own, 'own', 'certificate.pem');
    const keyFile = join(own, 'own', 'key.pem');
    const run = begin(
      sourceOf({ ...secure, identity: { kind: 'certificate', certificateFile, keyFile } }, { folder: own }),
    );
    await run.until(hasReadings(10));
  });
});

describe('a server that takes this gateway for nobody', () => {
  const policy = 'Basic256Sha256';
  const ends: (() => void)[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end();
  });

  /** Answers to all, and gives `refuse` the connections on which a certificate is shown. */
  async function doorTo(port: number, refuse: (client: Socket) => void): Promise<number> {
    const door = createServer((client) => {
      const inside = dial({ port, host: '127.0.0.1' });
      for (const socket of [client, inside]) {
        socket.on('error', () => {});
        socket.on('close', () => (socket === client ? inside : client).destroy());
      }
      inside.on('data', (bytes) => client.write(bytes));
      client.on('data', (bytes) => {
        const isOpening = bytes.toString('latin1', 0, 3) === 'OPN' && bytes.includes(policy);
        if (isOpening) refuse(client);
        else inside.write(bytes);
      });
    });
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    ends.push(() => door.close());
    return (door.address() as { port: number }).port;
  }

  /** OPC 10000-6, 7.1.2.5. */
  function errorMessage(status: number): Buffer {
    const reason = Buffer.from('no');
    const head = Buffer.alloc(16);
    head.write('ERRF');
    head.writeUInt32LE(head.length + reason.length, 4);
    head.writeUInt32LE(status, 8);
    head.writeUInt32LE(reason.length, 12);
    return Buffer.concat([head, reason]);
  }

  it.each<[string, (client: Socket) => void]>([
    ['resets the connection', (client) => client.resetAndDestroy()],
    ['ends it', (client) => client.end()],
    ['says BadCertificateUntrusted', (client) => client.end(errorMessage(0x801a_0000))],
    ['says BadInternalError', (client) => client.end(errorMessage(0x8002_0000))],
  ])('and %s is no missing server: the error names the certificate to trust', async (_name, refuse) => {
    const port = await doorTo(server.plant.info.port, refuse);
    const own = join(folder, 'careful');
    const source = sourceOf(
      { endpoint: `opc.tcp://127.0.0.1:${port}`, security: { mode: 'SignAndEncrypt', policy } },
      { folder: own },
    );
    const error = await failure(source);
    expect(error.code).toBe('opcua-certificate-refused');
    expect(error.message).toContain(`Trust ${join(own, 'own', 'certificate.pem')} on the server`);
  });

  it('is told apart from one that is not there', async () => {
    const port = await doorTo(server.plant.info.port, () => {});
    for (const end of ends.splice(0)) end();
    const error = await failure(sourceOf({ endpoint: `opc.tcp://127.0.0.1:${port}` }));
    expect(error.code).toBe('opcua-unreachable');
  });
});
