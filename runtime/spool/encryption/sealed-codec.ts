// Encryption at rest: AES-256-GCM for each record.
//
// Why no nonce ever meets the same key twice. A random nonce of 96 bits is safe for some 2^32 records under one
// key (NIST SP 800-38D, 8.3). A gateway with a thousand streams writes that many in ten days, so no
// record is sealed with the master key. Each process draws an epoch of 64 random bits when it first seals, and a
// new one after `recordsPerEpoch`; HKDF-SHA256 makes of master key and epoch the key that seals. Within an
// epoch two of 2^32 random nonces meet with a chance below 2^-33. Two epochs of one master key
// are the same only by chance too, and even then the nonces of both must meet. A counter instead of
// a random nonce would be smaller, but repeats when a machine is set back to a snapshot while it runs.
//
// The epoch stands in each record, so that each opens by itself: there is no table of keys to lose.
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomFillSync,
} from 'node:crypto';
import { HoldfastError } from '../../../kernel/errors.ts';
import { damagedRecord, plainCodec, type RecordCodec, type RecordKind } from '../format/record.ts';
import {
  epochBytes,
  headerBytes,
  isSealed,
  keyIdOf,
  nonceBytes,
  sealedBytes,
  sealedVersion,
  tagBytes,
} from '../format/sealed-envelope.ts';
import type { MasterKey } from './master-key.ts';

export interface SealedCodecOptions {
  /** The key that seals new records; absent: they are written plain. */
  readonly current?: MasterKey;
  /** Open what was sealed before. */
  readonly previous?: readonly MasterKey[];
  /** Fills with bytes that nobody can guess. Default: the system's. */
  readonly entropy?: (target: Uint8Array) => void;
  /** Default 2^32. */
  readonly recordsPerEpoch?: number;
}

const algorithm = 'aes-256-gcm';
// One a life of a process: more than that are seldom read together.
const maxCachedEpochs = 256;

/** Opens plain records too, so that a store may hold both. */
export function createSealedCodec(options: SealedCodecOptions): RecordCodec {
  const { current, previous = [] } = options;
  const masters = new Map([...(current ? [current] : []), ...previous].map((key) => [key.id, key]));
  const epochKeys = new EpochKeys();
  const sealer = current && new Sealer(current, options);
  return {
    ...(current === undefined ? {} : { keyId: current.id }),
    holdsKey: (keyId) => masters.has(keyId),
    seal: sealer === undefined ? plainCodec.seal : (kind, key, payload) => sealer.seal(kind, key, payload),
    open(kind, key, value) {
      if (!isSealed(value)) return plainCodec.open(kind, key, value);
      const master = masters.get(keyIdOf(value) ?? '');
      // The codec without keys says which one it takes.
      if (master === undefined) return plainCodec.open(kind, key, value);
      return unseal(epochKeys, master, kind, key, value);
    },
  };
}

class Sealer {
  readonly #master: MasterKey;
  readonly #fill: (target: Uint8Array) => void;
  readonly #recordsPerEpoch: number;
  readonly #header = Buffer.alloc(headerBytes);
  #key: KeyObject | undefined;
  #left = 0;

  constructor(master: MasterKey, options: SealedCodecOptions) {
    this.#master = master;
    this.#fill = options.entropy ?? ((target) => void randomFillSync(target));
    this.#recordsPerEpoch = options.recordsPerEpoch ?? 2 ** 32;
    this.#header[0] = sealedVersion;
    this.#header.write(master.id, 2, 'hex');
  }

  seal(kind: RecordKind, key: Uint8Array, payload: Uint8Array): Uint8Array {
    const secret = this.#nextKey();
    const header = this.#header;
    header[1] = kind.charCodeAt(0);
    const nonce = header.subarray(headerBytes - nonceBytes);
    this.#fill(nonce);
    const cipher = createCipheriv(algorithm, secret, nonce);
    cipher.setAAD(header);
    cipher.setAAD(key);
    const value = Buffer.allocUnsafe(sealedBytes + payload.byteLength);
    value.set(header);
    value.set(cipher.update(payload), sealedBytes);
    cipher.final();
    value.set(cipher.getAuthTag(), headerBytes);
    return value;
  }

  #nextKey(): KeyObject {
    if (this.#key === undefined || this.#left === 0) {
      const epoch = this.#header.subarray(6, 6 + epochBytes);
      this.#fill(epoch);
      this.#key = epochKey(this.#master, epoch);
      this.#left = this.#recordsPerEpoch;
    }
    this.#left--;
    return this.#key;
  }
}

/** The newest that were used. */
class EpochKeys {
  readonly #keys = new Map<string, KeyObject>();

  get(master: MasterKey, epoch: Buffer): KeyObject {
    const name = `${master.id}${epoch.toString('latin1')}`;
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = epochKey(master, epoch);
      if (this.#keys.size >= maxCachedEpochs) this.#keys.delete(this.#keys.keys().next().value ?? '');
    } else this.#keys.delete(name);
    this.#keys.set(name, key);
    return key;
  }
}

function epochKey(master: MasterKey, epoch: Uint8Array): KeyObject {
  const bytes = Buffer.from(hkdfSync('sha256', master.secret, epoch, 'holdfast spool record', 32));
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return key;
}

function unseal(
  keys: EpochKeys,
  master: MasterKey,
  kind: RecordKind,
  key: Uint8Array,
  value: Uint8Array,
): Buffer {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const header = bytes.subarray(0, headerBytes);
  const secret = keys.get(master, header.subarray(6, 6 + epochBytes));
  const decipher = createDecipheriv(algorithm, secret, header.subarray(headerBytes - nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAuthTag(bytes.subarray(headerBytes, sealedBytes));
  decipher.setAAD(header);
  decipher.setAAD(key);
  const payload = decipher.update(bytes.subarray(sealedBytes));
  try {
    decipher.final();
  } catch {
    // What was decrypted so far is not to be trusted, and goes nowhere.
    throw damagedRecord(kind, key, 'the seal does not match');
  }
  if (bytes[1] !== kind.charCodeAt(0)) throw damagedRecord(kind, key, 'it is of another kind');
  return payload;
}

/** The same codec, with a record of the keys that it lacked: key ids with the number of tries. */
export function watchMissingKeys(codec: RecordCodec): { codec: RecordCodec; missing: Map<string, number> } {
  const missing = new Map<string, number>();
  const open: RecordCodec['open'] = (kind, key, value) => {
    try {
      return codec.open(kind, key, value);
    } catch (error) {
      const id = error instanceof HoldfastError && error.code === 'spool-record-sealed' && keyIdOf(value);
      if (id) missing.set(id, (missing.get(id) ?? 0) + 1);
      throw error;
    }
  };
  return { codec: { ...codec, open }, missing };
}
