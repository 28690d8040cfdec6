// Bounds of the protocol. docs/LIMITS.md explains each.

/** IoT Hub's limit for a device-to-cloud message, body and properties together. */
export const maxMessageBytes = 262_144;
/** IoT Hub meters messages in units of this size. */
export const meteredUnitBytes = 4096;
export const maxBatchIdLength = 128;
/** A gzip body larger than this when unpacked is refused, not unpacked: the bound against gzip bombs. */
export const maxUnpackedBytes = 64 * 1024 * 1024;
