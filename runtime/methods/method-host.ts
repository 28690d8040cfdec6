// What the method router needs of the uplink: somewhere to register handlers.

export interface MethodAnswer {
  /** As HTTP has them. */
  readonly status: number;
  readonly body: unknown;
}

export interface MethodHost {
  /** Registers a direct method, for this and every later connection. */
  handleMethod(name: string, handler: (payload: unknown) => Promise<MethodAnswer>): void;
}
