/** Who the module is: a connection string, or IoT Edge's own environment variables and workload API. */
export type EdgeIdentity =
  | { readonly kind: 'connection-string'; readonly connectionString: string }
  | { readonly kind: 'iot-edge' };
