/** Encrypts small secrets with a key that never leaves its key service, such as IoT Edge's security daemon. */
export interface KeyWrapper {
  /**
   * `vector` is the caller's, random, 12 bytes; the same one unwraps.
   * @throws HoldfastError when the key service cannot be asked, or will not.
   */
  wrap(secret: Uint8Array, vector: Uint8Array): Promise<Buffer>;
  /** @throws HoldfastError (retryable) when the key service cannot be asked. */
  unwrap(wrapped: Uint8Array, vector: Uint8Array): Promise<Unwrapped>;
}

export type Unwrapped =
  | { readonly secret: Buffer }
  /** The key service's refusal. `mayPass`: it reports a fault of its own, so that a later try may succeed. */
  | { readonly refused: string; readonly mayPass: boolean };
