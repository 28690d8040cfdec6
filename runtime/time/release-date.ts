/**
 * When this version was released, UTC. A clock that shows an earlier time is wrong. It is raised by hand with each release, and not set by
 * the build, so that the same source gives the same image.
 */
export const releasedAt = Date.UTC(2026, 10, 1);
