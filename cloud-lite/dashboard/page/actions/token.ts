// The bearer token: asked for once, kept for this tab and until it is closed.
const key = 'holdfast.token';

export function readToken(): string | undefined {
  try {
    return sessionStorage.getItem(key) ?? undefined;
  } catch {
    return kept;
  }
}

export function keepToken(token: string | undefined): void {
  kept = token;
  try {
    if (token === undefined) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, token);
  } catch {
    // Storage may be forbidden; the token then lasts until the page is loaded again.
  }
}

let kept: string | undefined;
