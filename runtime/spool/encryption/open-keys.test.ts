import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../../kernel/errors.ts';
import { type Log, silentLog } from '../../../kernel/log.ts';
import { seededRandom } from '../../../kernel/random.ts';
import { VirtualClock } from '../../../kernel/testing/virtual-clock.ts';
import { keyBytes, testKey } from '../testing/sealed.ts';
import { encryptionSchema } from './config.ts';
import type { KeyWrapper } from './key-wrapper.ts';
import { openSpoolKeys, type SpoolKeys } from './open-keys.ts';

const root = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
let made = 0;
afterAll(() => rmSync(root, { recursive: true, force: true }));

const lines: string[] = [];
const note = (fields: object, message: string) => void lines.push(JSON.stringify({ ...fields, message }));
const log: Log = { ...silentLog, info: note, warn: note, error: note };
beforeEach(() => void lines.splice(0));

/** A key service whose key is a word; another word is another module. */
class KeyService implements KeyWrapper {
  readonly #word: string;
  mood: 'well' | 'silent' | 'ailing' = 'well';

  constructor(word: string) {
    this.#word = word;
  }

  async wrap(secret: Uint8Array, vector: Uint8Array) {
    if (this.mood !== 'well') throw new HoldfastError('key-service', 'no answer', { retryable: true });
    const cipher = createCipheriv('aes-256-gcm', this.#key(), vector);
    const sealed = Buffer.concat([cipher.update(secret), cipher.final()]);
    return Buffer.concat([cipher.getAuthTag(), sealed]);
  }

  async unwrap(wrapped: Uint8Array, vector: Uint8Array) {
    if (this.mood === 'silent') throw new HoldfastError('key-service', 'no answer', { retryable: true });
    if (this.mood === 'ailing') return { refused: 'answered 500', mayPass: true };
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.#key(), vector);
      decipher.setAuthTag(wrapped.slice(0, 16));
      return { secret: Buffer.concat([decipher.update(wrapped.slice(16)), decipher.final()]) };
    } catch {
      return { refused: 'answered 400', mayPass: false };
    }
  }

  #key() {
    return createHash('sha256').update(this.#word).digest();
  }
}

function keyFile(name: string, content: string | Buffer = keyBytes(name).toString('hex')): string {
  const path = join(root, `${made++}.key`);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

function setUp(
  settings: object,
  more: { keyService?: KeyService; folder?: string; environment?: object } = {},
) {
  const clock = new VirtualClock();
  const given = {
    environment: (more.environment ?? {}) as Record<string, string>,
    folder: more.folder ?? join(root, `${made++}`, 'keys'),
    wrapper: more.keyService ?? new KeyService('module'),
    clock,
    random: seededRandom(1),
    log,
  };
  const opening = openSpoolKeys(encryptionSchema.parse(settings), given);
  let opened: SpoolKeys | undefined;
  void opening.then((keys) => {
    opened = keys;
  });
  return { ...given, opening, opened: () => opened };
}

const idOf = (name: string) => testKey(name).id;
const said = () => lines.join('\n');

/** Files are read for real: gives them their turns while the clock goes on. */
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1000) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    await clock.advance(1000);
  }
  await new Promise((resolve) => setTimeout(resolve, 2));
}

async function until(keys: ReturnType<typeof setUp>): Promise<SpoolKeys> {
  for (let turn = 0; turn < 2000 && keys.opened() === undefined; turn++) await pass(keys.clock, 1000);
  return keys.opening;
}

describe('the keys of the spool', () => {
  it('come from a file or the environment; previous ones only open', async () => {
    const file = keyFile('a');
    const { codec, problem } = await setUp(
      { key: { file }, previousKeys: [{ env: 'OLD_KEY' }] },
      { environment: { OLD_KEY: `${keyBytes('b').toString('base64')}\n` } },
    ).opening;
    expect(problem).toBeUndefined();
    expect(codec.keyId).toBe(idOf('a'));
    expect(codec.holdsKey?.(idOf('b'))).toBe(true);
    expect(lines).toHaveLength(1);
    const off = await setUp({ previousKeys: [{ file }] }).opening;
    expect(off.codec.keyId).toBeUndefined();
    expect(off.codec.holdsKey?.(idOf('a'))).toBe(true);
  });

  it('warn of a file that others can read, and say what to do', async () => {
    const file = keyFile('a');
    chmodSync(file, 0o644);
    await setUp({ key: { file } }).opening;
    expect(said()).toContain(`key file ${file} can be read by others (mode 0644): chmod 0400 ${file}`);
  });

  it('are waited for, and used as soon as they are there', async () => {
    const file = join(root, 'late.key');
    const keys = setUp({ key: { file } });
    await pass(keys.clock, 20_000);
    expect(keys.opened()).toBeUndefined();
    expect(said()).toContain(`key file ${file} cannot be read (ENOENT)`);
    expect(lines).toHaveLength(1);
    writeFileSync(file, keyBytes('a'), { mode: 0o400 });
    const { codec, problem } = await until(keys);
    expect(codec.keyId).toBe(idOf('a'));
    expect(problem).toBeUndefined();
  });

  it.each([
    ['is missing', () => join(root, 'none.key')],
    ['is a folder', () => root],
    ['holds no key', () => keyFile('a', 'hunter2hunter2')],
    ['is empty', () => keyFile('a', '')],
  ])('that cannot be had (the file %s) do not keep the module from starting', async (_, file) => {
    const keys = setUp({ key: { file: file() }, waitMs: 3000 });
    const { codec, problem } = await until(keys);
    expect(codec.keyId).toBeUndefined();
    expect(problem).toContain('UNENCRYPTED');
    expect(said()).toContain('UNENCRYPTED');
    expect(said()).not.toContain('hunter2');
  });

  it('that cannot be had are waited for as long as it takes where the site says so', async () => {
    const keys = setUp({ key: { env: 'NO_KEY' }, waitMs: 0, withoutKey: 'wait' });
    await pass(keys.clock, 100_000);
    expect(keys.opened()).toBeUndefined();
    expect(said()).toContain('variable NO_KEY is not set');
    expect(said()).toContain('nothing is recorded');
  });

  it('are replaced by a previous one, if that is there, rather than by none', async () => {
    const settings = { key: { env: 'NO_KEY' }, previousKeys: [{ file: keyFile('b') }], waitMs: 0 };
    const { codec, problem } = await setUp(settings).opening;
    expect(codec.keyId).toBe(idOf('b'));
    expect(problem).toContain(`sealed with the previous key ${idOf('b')}`);
  });

  it('show nothing of themselves in logs, problems and errors, whatever is wrong', async () => {
    const hex = keyBytes('a').toString('hex');
    for (const content of [hex, hex.slice(1), `${hex}00`, `key=${hex}`, keyBytes('a').subarray(1)]) {
      const keys = setUp(
        { key: { file: keyFile('a', content) }, previousKeys: [{ env: 'K' }, { env: 'NONE' }], waitMs: 0 },
        {
          environment: { K: hex.slice(0, 60), OTHER: hex },
        },
      );
      lines.push(JSON.stringify((await keys.opening).problem ?? ''));
    }
    expect(said()).toContain('holds no key');
    for (const part of [hex.slice(0, 12), hex.slice(20, 32), keyBytes('a').toString('base64', 0, 9)]) {
      expect(said()).not.toContain(part);
    }
  });
});

describe('a key that IoT Edge wraps', () => {
  const settings = { key: { workload: true }, waitMs: 5000 };

  it('is made once, kept twice, and comes back at every start', async () => {
    const keyService = new KeyService('module');
    const first = setUp(settings, { keyService });
    const { codec } = await first.opening;
    expect(codec.keyId).toBeDefined();
    const names = readdirSync(first.folder).sort();
    expect(names).toEqual([`${codec.keyId}.copy.json`, `${codec.keyId}.json`]);
    const again = await setUp(settings, { keyService, folder: first.folder }).opening;
    expect(again.codec.keyId).toBe(codec.keyId);
    const value = codec.seal('K', Buffer.from('k'), Buffer.from('x'));
    expect(again.codec.open('K', Buffer.from('k'), value).toString()).toBe('x');
    for (const name of names) {
      const path = join(first.folder, name);
      const whole = readFileSync(path);
      for (const damage of ['', '{"half', '{}']) {
        writeFileSync(path, damage);
        const next = await setUp(settings, { keyService, folder: first.folder }).opening;
        expect(next.codec.keyId).toBe(codec.keyId);
      }
      writeFileSync(path, whole);
    }
  });

  it('is waited for while nobody answers, or the fault is theirs', async () => {
    for (const mood of ['silent', 'ailing'] as const) {
      const keyService = new KeyService('module');
      const first = setUp(settings, { keyService });
      const { codec } = await first.opening;
      keyService.mood = mood;
      const next = setUp(settings, { keyService, folder: first.folder });
      await pass(next.clock, 3000);
      expect(next.opened(), mood).toBeUndefined();
      keyService.mood = 'well';
      expect((await until(next)).codec.keyId, mood).toBe(codec.keyId);
    }
  });

  it('is made anew when the module is another one, and the old files stay', async () => {
    const first = setUp(settings);
    const { codec } = await first.opening;
    const next = setUp(settings, { keyService: new KeyService('another module'), folder: first.folder });
    const opened = await next.opening;
    expect(opened.codec.keyId).not.toBe(codec.keyId);
    expect(opened.codec.holdsKey?.(codec.keyId!)).toBe(false);
    expect(said()).toContain(`cannot unwrap a key in ${first.folder}: key ${codec.keyId}`);
    expect(readdirSync(first.folder)).toHaveLength(4);
    // Back to the first module: its key opens again.
    const back = await setUp(settings, { folder: first.folder }).opening;
    expect(back.codec.keyId).toBe(codec.keyId);
  });

  it('is waited for where the disk does not give its folder, and then gone on without', async () => {
    const next = setUp(settings, { folder: join(root, 'x'.repeat(300)) });
    const { problem } = await until(next);
    expect(problem).toContain('ENAMETOOLONG');
    expect(problem).toContain('UNENCRYPTED');
  });

  it('is not made twice because nobody answers: the module goes on without', async () => {
    const keyService = new KeyService('module');
    keyService.mood = 'silent';
    const keys = setUp(settings, { keyService });
    expect((await until(keys)).problem).toContain('UNENCRYPTED');
    expect(keys.clock.monotonic()).toBeGreaterThanOrEqual(5000);
  });

  it('never stands on the disk as it is', async () => {
    let secret = Buffer.alloc(0);
    class Listening extends KeyService {
      override async wrap(bytes: Uint8Array, vector: Uint8Array) {
        secret = Buffer.from(bytes);
        return super.wrap(bytes, vector);
      }
    }
    const { opening, folder } = setUp(settings, { keyService: new Listening('module') });
    await opening;
    for (const name of readdirSync(folder)) {
      const text = readFileSync(join(folder, name), 'utf8');
      for (const form of ['hex', 'base64'] as const)
        expect(text).not.toContain(secret.toString(form).slice(0, 12));
    }
    expect(said()).not.toContain(secret.toString('hex').slice(0, 12));
  });
});

describe('the configuration of encryption', () => {
  const hex = keyBytes('a').toString('hex');
  const problemsOf = (settings: unknown) => {
    const result = encryptionSchema.safeParse(settings);
    return result.success ? '' : JSON.stringify(result.error.issues);
  };

  it('names places of keys, never keys, and repeats none that was written by mistake', () => {
    const mistakes = [
      { key: hex },
      { key: { file: hex } },
      { key: { env: hex } },
      { key: { env: keyBytes('a').toString('base64') } },
      { key: { hex } },
      { key: { file: 'x', env: 'y' } },
      { key: {} },
      { key: { workload: false } },
      {},
      { previousKeys: [] },
      { key: { workload: true }, previousKeys: [{ file: keyBytes('a').toString('base64') }] },
    ];
    for (const mistake of mistakes) {
      const problems = problemsOf(mistake);
      expect(problems, JSON.stringify(mistake)).not.toBe('');
      expect(problems).not.toContain(hex.slice(0, 16));
      expect(problems).not.toContain(keyBytes('a').toString('base64').slice(0, 16));
    }
    expect(problemsOf({ key: { file: '/run/secrets/spool.key' } })).toBe('');
    expect(problemsOf({ previousKeys: [{ env: 'SPOOL_KEY' }] })).toBe('');
  });
});
