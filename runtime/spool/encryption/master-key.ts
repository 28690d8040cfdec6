// A master key: 32 random bytes from outside. Nothing is encrypted with it; it only yields other keys.
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { HoldfastError } from '../../../kernel/errors.ts';

export const masterKeyBytes = 32;

export interface MasterKey {
  /** 8 hex digits, derived one way: may be shown, logged and stored. */
  readonly id: string;
  /** Holds its bytes outside of the JavaScript heap; prints as nothing. */
  readonly secret: KeyObject;
}

/** Takes the bytes over: they are zero afterwards. @throws HoldfastError `spool-key-invalid`. */
export function toMasterKey(bytes: Buffer): MasterKey {
  try {
    if (bytes.byteLength !== masterKeyBytes) throw invalid(`it has ${bytes.byteLength} bytes`);
    // A file of zeros, or of one repeated character, is a mistake and no key.
    if (new Set(bytes).size < 8) throw invalid('its bytes are not random');
    const secret = createSecretKey(bytes);
    const id = Buffer.from(hkdfSync('sha256', secret, '', 'holdfast spool key id', 4)).toString('hex');
    return { id, secret };
  } finally {
    bytes.fill(0);
  }
}

/**
 * A key as a file or a variable holds it: 64 hex digits, base64 (also the URL form), or as they are 32 bytes.
 * Takes `content` over. @throws HoldfastError `spool-key-invalid`, never with a part of the content.
 */
export function parseMasterKey(content: Buffer): MasterKey {
  try {
    const text = content.byteLength <= 128 ? content.toString('latin1').trim() : '';
    if (/^[0-9a-f]{64}$/i.test(text)) return toMasterKey(Buffer.from(text, 'hex'));
    if (/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return toMasterKey(Buffer.from(text, 'base64'));
    if (/^[ -~]{32}$/.test(text)) throw invalid('it is a text of 32 characters');
    if (content.byteLength === masterKeyBytes) return toMasterKey(Buffer.from(content));
    throw invalid(`its ${content.byteLength} bytes are none of these forms`);
  } finally {
    content.fill(0);
  }
}

function invalid(why: string): HoldfastError {
  return new HoldfastError(
    'spool-key-invalid',
    `${why}: a key is 32 random bytes, as 64 hex digits, in base64, or as they are (openssl rand -hex 32)`,
  );
}
