// Secrets that people put into addresses: `scheme://user:password@host`, `?password=...`. Pure.

/** `user:password@`, with a scheme or without; a password may itself hold a slash or an @. */
const userInfo = /(:\/\/)[^\s'"]*@|(?<=^|[\s'"(])[^\s'"():]+:(?!\/\/)[^\s'"]+@/g;
const name = '[\\w.%-]*(?:pass|pwd|token|key|secret|credential|sig|auth)[\\w.%-]*';
const parameter = new RegExp(`([?&;#]${name}=)[^&\\s'"]*`, 'gi');
const hidden = '…';

/** Masks secrets in a text that is one address, also secrets with spaces. */
export function maskedValue(text: string): string {
  const at = text.lastIndexOf('@');
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0];
  const hasUser = at >= 0 && (scheme !== undefined || text.slice(0, at).includes(':'));
  const rest = hasUser ? `${scheme ?? ''}${hidden}@${text.slice(at + 1)}` : text;
  return rest.replace(new RegExp(`([?&;#]${name}=)[^&]*`, 'gi'), `$1${hidden}`);
}

/** Masks secrets in the addresses that a text quotes. */
export function maskedText(text: string): string {
  return text
    .replace(userInfo, (_, scheme: string | undefined) => `${scheme ?? ''}${hidden}@`)
    .replace(parameter, `$1${hidden}`);
}

/** Whether an address holds a user or a secret. */
export function hasSecret(address: string): boolean {
  return /:\/\/[^/?#]*@/.test(address) || maskedValue(address) !== address;
}
